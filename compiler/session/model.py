"""A model as it was imported, to be looked at and run."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.backends.interpreter import run_module
from tinyc.compiler.data.arrays import arguments_of, outputs_by_name
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Model(Imported):
    """An imported model: what `Imported` says of it, and a function of arrays."""

    def __call__(self, /, *arrays: Array, **named: Array) -> dict[str, Array]:
        """Runs the model in the interpreter, as it was imported: nothing is optimised or quantised.

        Args:
            *arrays: the inputs in the model's order, each of the ONNX model's own shape for one inference, or as
                `samples_from` takes them for several.
            **named: inputs by name, in place of positions.

        Returns:
            The outputs by name, in the model's order; a dictionary for one output too, so that its type does not depend
            on the model.

        Raises:
            ArrayError: missing or unknown inputs, a wrong shape or element type.
        """
        samples = arguments_of(self, arrays, named)
        outputs = [run_module(self.module, sample) for sample in samples]
        # An output may be an input or a constant: who writes into it must not change either.
        return outputs_by_name(self, [[array.copy() for array in arrays] for arrays in outputs])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.module.macs()

    def __repr__(self) -> str:
        inputs, outputs = (", ".join(p.name for p in ports) for ports in (self.inputs, self.outputs))
        return f"<tinyc.Model {self.module.name}: {inputs} -> {outputs}>"

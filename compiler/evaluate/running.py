"""What the two networks of an evaluation run on: the model as fast as it can be run exactly, a QDQ file as its users
run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import FrontendError, Imported
from tinyc.compiler.options import Samples
from tinyc.compiler.reference import Reference, session, to_module, to_onnx
from tinyc.ir.tensor import Array

Outputs = list[list[Array]]
Network = Callable[[Samples], Outputs]
"""Real outputs, one list an inference, for input sets; both in the module's order and layout."""


def run_model(imported: Imported, first: Sequence[Array]) -> tuple[Network, str]:
    """The model in its reference, or in the interpreter where it has none; and what that is called.

    Args:
        imported: the model.
        first: an input set that it can take.
    """
    try:
        reference = Reference(imported, first)
    except FrontendError:
        return lambda samples: [run_module(imported.module, sample) for sample in samples], "the interpreter"
    return lambda samples: [reference.run(sample) for sample in samples], reference.name


def run_qdq(model: onnx.ModelProto, imported: Imported) -> Network:
    """A model that was exported from the imported one, in onnxruntime."""
    engine = session(model)
    names = [p.name for p in imported.outputs]

    def run(samples: Samples) -> Outputs:
        found = []
        for sample in samples:
            feeds = {p.name: to_onnx(p, a) for p, a in zip(imported.inputs, sample, strict=True)}
            arrays = engine(names, feeds)
            found.append([to_module(p, np.asarray(a)) for p, a in zip(imported.outputs, arrays, strict=True)])
        return found

    return run

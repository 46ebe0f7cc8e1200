"""ONNX's backend interface (`onnx.backend.base`): what is written for it runs tinyc, ONNX's own tests above all.

    from onnx.backend.test import BackendTest
    from tinyc import onnx_backend

    globals().update(BackendTest(onnx_backend.C, __name__).test_cases)

`C` compiles a model to C and runs that on this computer, `Interpreter` runs it in the interpreter. The functions of the
module are those of `C`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt
from onnx.helper import tensor_dtype_to_np_dtype

from tinyc.compiler.frontend import FrontendError
from tinyc.compiler.options import Executor
from tinyc.compiler.session import run
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array

__all__ = ["C", "Interpreter", "Prepared", "prepare", "run_model", "run_node", "supports_device"]

MOST_CONSTANTS = 6
"""Of so many inputs, any may be constants; of more, all but the first."""


class Prepared(BackendRep):
    """A model that is ready to run.

    An operator may need numbers to be known when it is compiled: a shape to reshape to, say. Where these are inputs of
    the model, what `run` is given for them is compiled in, for as few of them as can be.

    Args:
        model: the ONNX model.
        executor: what runs it.
    """

    def __init__(self, model: onnx.ModelProto, executor: Executor) -> None:
        self._model, self._executor = model, executor
        self.constants: tuple[str, ...] = ()
        """The inputs that the last run took as constants."""

    def run(self, inputs: Any, **_: Any) -> tuple[Array, ...]:
        """The outputs, in the model's order and of its element types.

        Args:
            inputs: one array an input, in the model's order, or by name.

        Raises:
            BackendIsNotSupposedToImplementIt: tinyc does not take the model, or such inputs; the message says why.
        """
        feeds = self._feeds(inputs)
        refused: TinycError | None = None
        for names in _constants(list(feeds)):
            model = with_constants(self._model, {name: feeds[name] for name in names})
            try:
                found = self._run(model, {name: array for name, array in feeds.items() if name not in names})
            except FrontendError as error:
                refused = refused or error
            except TinycError as error:
                refused = error
                break
            else:
                self.constants = names
                return found
        raise BackendIsNotSupposedToImplementIt(str(refused)) from refused

    def _feeds(self, inputs: Any) -> dict[str, Array]:
        known = {t.name for t in self._model.graph.initializer}
        names = [i.name for i in self._model.graph.input if i.name not in known]
        given = inputs if isinstance(inputs, Mapping) else dict(zip(names, inputs, strict=False))
        if others := [n for n in names if not isinstance(given.get(n), np.ndarray | np.generic)]:
            raise BackendIsNotSupposedToImplementIt(f"input {others[0]!r} is no tensor")
        return {name: np.asarray(given[name]) for name in names}

    def _run(self, model: onnx.ModelProto, feeds: Mapping[str, Array]) -> tuple[Array, ...]:
        ports = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
        shapes = {name: array.shape for name, array in feeds.items() if tuple(ports[name]) != array.shape}
        arrays = {name: array.astype(np.float32) if _is_half(array) else array for name, array in feeds.items()}
        found = run(model, arrays, on=self._executor, input_shapes=shapes, verify=False)
        types = {o.name: tensor_dtype_to_np_dtype(o.type.tensor_type.elem_type) for o in model.graph.output}
        return tuple(found[name].astype(dtype) if _is_half(dtype) else found[name] for name, dtype in types.items())


def _is_half(of: Array | np.dtype[Any]) -> bool:
    """Whether it is float16 or bfloat16, which tinyc computes in float32."""
    name = of.name if isinstance(of, np.dtype) else of.dtype.name
    return name in ("float16", "bfloat16")


def _constants(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Which inputs may be constants, the fewest first."""
    if len(names) > MOST_CONSTANTS:
        yield from ((), tuple(names[1:]))
        return
    for count in range(max(len(names), 1)):
        yield from itertools.combinations(names, count)


def with_constants(model: onnx.ModelProto, arrays: Mapping[str, Array]) -> onnx.ModelProto:
    """A model with numbers in place of some of its inputs."""
    if not arrays:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    for port in [i for i in changed.graph.input if i.name in arrays]:
        changed.graph.input.remove(port)
    return changed


class Interpreter(Backend):
    """Models in tinyc's interpreter."""

    executor: ClassVar[Executor] = "interpreter"

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> Prepared:
        """A model, ready to run. It is compiled when the inputs are known."""
        if not cls.supports_device(device):
            raise BackendIsNotSupposedToImplementIt(f"there is no device {device!r}, only 'CPU'")
        return Prepared(model, cls.executor)

    @classmethod
    def run_node(
        cls, node: onnx.NodeProto, inputs: Any, device: str = "CPU", outputs_info: Any = None, **more: Any
    ) -> tuple[Array, ...]:
        """The outputs of one operator. `outputs_info` has the element type and the shape of each."""
        arrays = [np.asarray(array) for array in inputs]
        names = [name for name in node.input if name]
        made = [(np.asarray(0, dtype).dtype, tuple(shape)) for dtype, shape in outputs_info or []]
        if len(made) != len(node.output):
            raise BackendIsNotSupposedToImplementIt("`outputs_info` is needed: the types and shapes of the outputs")
        opset = int(more.get("opset_version", onnx.defs.onnx_opset_version()))
        graph = onnx.helper.make_graph(
            [node],
            "node",
            [_port(name, array.dtype, array.shape) for name, array in zip(names, arrays, strict=True)],
            [_port(name, dtype, shape) for name, (dtype, shape) in zip(node.output, made, strict=True)],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, opset)])
        return cls.prepare(model, device).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether there is such a device: "CPU" alone."""
        return device.split(":")[0].upper() == "CPU"


def _port(name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(dtype), shape)


class C(Interpreter):
    """Models as C on this computer."""

    executor: ClassVar[Executor] = "host"


prepare = C.prepare
run_model = C.run_model
run_node = C.run_node
supports_device = C.supports_device

"""The reference that everything is measured against: onnxruntime, or who stands in for it.

onnxruntime refuses some models that ONNX allows. Such a model is run in an equivalent form (`equivalent.py`), or, if
that is refused too, by ONNX's own reference evaluator. And it can be wrong, on one processor and not on another: so a
layer on which it stands alone is put to ONNX's evaluator as well. Operators that neither knows are left out
(`unknown.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import onnx
from onnx import numpy_helper

from tinyc.compiler.frontend import FrontendError, Imported, Port
from tinyc.compiler.frontend.constants import evaluate_by_reference
from tinyc.compiler.reference.equivalent import with_explicit_pads
from tinyc.compiler.reference.exact_products import exact_products
from tinyc.compiler.reference.unknown import Unknown
from tinyc.ir.tensor import Array

if TYPE_CHECKING:
    import onnxruntime

_QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
ONNXRUNTIME = "onnxruntime"


def to_module(port: Port, array: Array) -> Array:
    """An array of the ONNX model as the module takes it."""
    return array if port.perm is None else np.ascontiguousarray(array.transpose(port.perm))


def to_onnx(port: Port, array: Array) -> Array:
    """An array of the module as the ONNX model takes it."""
    return array if port.perm is None else np.ascontiguousarray(array.transpose(np.argsort(port.perm)))


class _Engine(Protocol):
    """What runs a model: the tensors of these names for these inputs."""

    def __call__(self, names: Sequence[str], feeds: Mapping[str, Array], /) -> list[Array]:
        """Runs it."""


@dataclass(frozen=True)
class _Candidate:
    """A way to run a model: what it is called, the model in the form it takes, and what makes an engine of a model."""

    name: str
    form: Callable[[], onnx.ModelProto | None]
    start: Callable[[onnx.ModelProto], _Engine]


class Reference:
    """The model in the first engine that takes it. `name` says which, `unknown` the operators that none knows: what the
    imported module makes of them is taken for granted.

    Args:
        imported: the model.
        inputs: one array an input, as the module takes them: some things an engine refuses only when it runs.

    Raises:
        FrontendError: none does; the message has the reasons.
    """

    def __init__(self, imported: Imported, inputs: Sequence[Array]) -> None:
        self._imported, self._left_out = imported, Unknown(imported)
        self.unknown = self._left_out.operators
        names = [p.name for p in imported.outputs]
        reasons = []
        for candidate in _candidates(imported, self._left_out.model):
            model = candidate.form()
            if model is None:
                continue
            try:
                engine = candidate.start(model)
                engine(names, self._feeds(inputs))
            except Exception as error:  # each has many unrelated classes of its own
                reasons.append(f"{candidate.name}: {_first_line(error)}")
                continue
            self.name, self._model, self._start, self._engine = candidate.name, model, candidate.start, engine
            self._watched: tuple[list[str], _Engine] | None = None
            return
        raise FrontendError(
            "there is no reference to verify this model against. " + "; ".join(reasons) + ". "
            "Without verification it may compile all the same"
        )

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs for inputs given in the module's order and layout; outputs likewise."""
        found = self._engine([p.name for p in self._imported.outputs], self._feeds(inputs))
        return [to_module(p, np.asarray(a)) for p, a in zip(self._imported.outputs, found, strict=True)]

    def intermediates(self, inputs: Sequence[Array], names: Sequence[str]) -> dict[str, Array]:
        """The arrays of the named tensors inside the model."""
        if not names:  # asked for nothing, an engine gives all
            return {}
        if self._watched is None or self._watched[0] != list(names):
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            known = {o.name for o in model.graph.output}
            model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
            self._watched = list(names), self._start(model)
        found = self._watched[1](names, self._feeds(inputs))
        return {name: np.asarray(array) for name, array in zip(names, found, strict=True)}

    def computed(self) -> list[str]:
        """The tensors that nodes of the main graph compute."""
        return [name for node in self._model.graph.node for name in node.output if name]

    def alone(self, inputs: Sequence[Array], name: str) -> Array | None:
        """What ONNX's own evaluator makes of the one node that computes a tensor, on this reference's operands; None
        where it cannot."""
        graph = self._model.graph
        node = next((n for n in graph.node if name in n.output), None)
        if node is None or any(a.HasField("g") for a in node.attribute):
            return None
        feeds = {t.name: numpy_helper.to_array(t) for t in graph.initializer if t.name in node.input}
        feeds |= {n: a for n, a in self._feeds(inputs).items() if n in node.input}
        feeds |= self.intermediates(inputs, [n for n in dict.fromkeys(node.input) if n and n not in feeds])
        arrays = [feeds[n] if n else None for n in node.input]
        try:
            with np.errstate(all="ignore"):
                return evaluate_by_reference(node, self._imported.opset, arrays)[list(node.output).index(name)]
        except Exception:  # an operator it lacks, or has wrong
            return None

    def _feeds(self, inputs: Sequence[Array]) -> dict[str, Array]:
        own = {p.name: to_onnx(p, a) for p, a in zip(self._imported.inputs, inputs, strict=True)}
        return {**own, **self._left_out.feeds(inputs)}


def _candidates(imported: Imported, model: onnx.ModelProto) -> list[_Candidate]:
    shapes = {name: value.shape for name, value in imported.tensors.items()}
    return [
        _Candidate(ONNXRUNTIME, lambda: model, session),
        _Candidate(
            "onnxruntime, on the model with its SAME padding as numbers",
            lambda: with_explicit_pads(model, shapes),
            session,
        ),
        _Candidate("ONNX's reference evaluator", lambda: model, _evaluator),
    ]


def open_session(model: onnx.ModelProto, optimise: bool = True) -> onnxruntime.InferenceSession:
    """onnxruntime on a model: on one thread, so that sums are added in the same order every time, and with exact
    products of integers. Quantised operators always run as the model says, and all do without `optimise`: what the
    optimiser makes of them rounds differently."""
    import onnxruntime  # takes as long as the compilation of a small network, which may do without

    model = exact_products(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise or any(node.op_type in _QUANTISED for node in model.graph.node):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def session(model: onnx.ModelProto) -> _Engine:
    """onnxruntime as an engine."""
    opened = open_session(model)

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        return cast(list[Array], opened.run(list(names), dict(feeds)))

    return run


def _evaluator(model: onnx.ModelProto) -> _Engine:
    from onnx.reference import ReferenceEvaluator  # as onnxruntime

    evaluator = ReferenceEvaluator(model)

    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        with np.errstate(all="ignore"):
            return cast(list[Array], evaluator.run(list(names), dict(feeds)))

    return run


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

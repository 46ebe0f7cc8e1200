"""ONNX's own node tests, as they ship with the onnx package, run through the frontend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.loader import load_node_model_tests

from tests.frontend.support import run_imported, save
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.compiler.onnx_backend import with_constants
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Case:
    """A model, inputs, and the outputs that ONNX's authors wrote down. `tolerances` are ONNX's own for the case."""

    name: str
    model: onnx.ModelProto
    feeds: Mapping[str, Array]
    expected: tuple[Array, ...]
    tolerances: tuple[float, float]

    def with_constants(self) -> Case:
        """The same case with every input but the first a constant, as shapes and weights are in real models."""
        (name, first), *others = self.feeds.items()
        return replace(self, model=with_constants(self.model, dict(others)), feeds={name: first})

    def in_float32(self) -> Case:
        """The same case with float32 in place of double, which tinyc does not take; its operators work on both."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for value in (*model.graph.input, *model.graph.output):
            if value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
                value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        feeds = {name: _single(array) for name, array in self.feeds.items()}
        return Case(self.name, model, feeds, tuple(_single(a) for a in self.expected), self.tolerances)


def _single(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype == np.float64 else array


def of_operators(*operators: str) -> list[Case]:
    """The cases that have one of these operators, in float32."""
    found = [case for case in cases().values() if {n.op_type for n in case.model.graph.node} & set(operators)]
    return [case.in_float32() for case in found]


@cache
def cases() -> dict[str, Case]:
    """All node tests whose inputs and outputs are tensors."""
    return {case.name: case for case in _cases()}


def _cases() -> Iterator[Case]:
    for test in load_node_model_tests():
        inputs, outputs = test.data_sets[0]
        names = [i.name for i in test.model.graph.input]
        if not all(isinstance(a, np.ndarray | np.generic) for a in (*inputs, *outputs)) or len(names) != len(inputs):
            continue
        feeds = {name: np.asarray(a) for name, a in zip(names, inputs, strict=True)}
        expected = tuple(np.asarray(a) for a in outputs)
        yield Case(test.name, test.model, feeds, expected, (test.rtol, test.atol))


HALVES = {"float16": 4 * 2.0**-11, "bfloat16": 4 * 2.0**-8}
"""What rounding to halves may cost, relative: half a step each time. Attention rounds its scores, its softmax and its
sums; other operators once."""


def widened(array: Array) -> Array:
    """A half as the float32 that the import makes of it; anything else as it is."""
    return array.astype(np.float32) if str(array.dtype) in HALVES else array


def attempt(case: Case, folder: Path) -> str:
    """Imports and runs a case: "" when it passes, else why the frontend refuses it. A wrong result fails."""
    path = save(case.model, folder)
    constants = {t.name for t in case.model.graph.initializer}
    inputs = [i for i in case.model.graph.input if i.name not in constants]
    open_dims = [i.name for i in inputs if not all(d.dim_value for d in i.type.tensor_type.shape.dim)]
    try:
        imported = load_onnx(path, input_shapes={name: case.feeds[name].shape for name in open_dims})
    except FrontendError as error:
        return str(error)
    results = run_imported(imported, {name: widened(array) for name, array in case.feeds.items()})
    relative, absolute = case.tolerances
    for ours, given in zip(results, case.expected, strict=True):
        theirs = widened(given)
        if theirs is not given:  # ours are not rounded to a half; 2^-24 is the smallest float16
            relative, absolute = max(relative, HALVES[str(given.dtype)]), max(absolute, 2.0**-24)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        # A float32 sum that cancels keeps an absolute error of some roundings of its terms, which are of size 1 here.
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=max(absolute, 1e-6))
    return ""

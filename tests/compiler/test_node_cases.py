"""ONNX's own node tests of operators that are composed of others, or go along a dimension, as C."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import compose, helper

import tinyc
from tests.frontend.node_cases import Case, attempt, of_operators

OPERATORS = {
    "ranking": ("ArgMax", "ArgMin", "TopK", "Hardmax"),
    "along": ("CumSum", "GatherElements", "ReverseSequence"),
    "scattered": ("GatherND", "Scatter", "ScatterElements", "ScatterND", "OneHot", "Compress"),
    "products": ("Einsum",),
    "sampled": ("GridSample",),
}
KNOWN = ("axis", "k", "depth", "condition")
"""What has to be a constant."""
TOGETHER = 3
"""Cases in one program. The search for its order takes longer than linear."""


@pytest.mark.slow
@pytest.mark.parametrize("group", OPERATORS)
def test_node_cases_as_c(tmp_path: Path, group: str) -> None:
    by_opset: dict[int, list[Case]] = defaultdict(list)
    for case in _imported(of_operators(*OPERATORS[group]), tmp_path):
        by_opset[case.model.opset_import[0].version].append(case)
    assert by_opset
    for opset, cases in by_opset.items():
        for first in range(0, len(cases), TOGETHER):
            _compare(cases[first : first + TOGETHER], opset)


def _compare(cases: Sequence[Case], opset: int) -> None:
    compiled = tinyc.compile(_joined(cases, opset), verify=False)
    found = compiled(*(case.feeds[name] for case in cases for name in _inputs(case)), on="host")
    for k, case in enumerate(cases):
        relative, absolute = case.tolerances
        for value, theirs in zip(case.model.graph.output, case.expected, strict=True):
            ours = found[f"{k}_{value.name}"]
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), case.name
            # A float32 sum that cancels keeps an absolute error of some roundings of its terms, of size 1 here.
            np.testing.assert_allclose(ours, theirs, relative, max(absolute, 1e-6), err_msg=case.name)


def _imported(cases: Sequence[Case], folder: Path) -> Iterator[Case]:
    """The cases with computed operands, or, where these have to be known, with constants; each is imported so, but for
    those of other element types."""
    for case in cases:
        if any(v.type.tensor_type.elem_type not in _TYPES for v in (*case.model.graph.input, *case.model.graph.output)):
            continue
        why = attempt(case, folder)
        if why:
            assert any(f"{word} is computed" in why for word in KNOWN), why
            case = case.with_constants()
            assert not attempt(case, folder)
        yield case


_TYPES = tuple(
    getattr(onnx.TensorProto, name) for name in ("FLOAT", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL")
)


def _inputs(case: Case) -> list[str]:
    constants = {t.name for t in case.model.graph.initializer}
    return [v.name for v in case.model.graph.input if v.name not in constants]


def _joined(cases: Sequence[Case], opset: int) -> onnx.ModelProto:
    """One model with all cases side by side."""
    graph = onnx.GraphProto(name="cases")
    for k, case in enumerate(cases):
        part = compose.add_prefix_graph(case.model.graph, f"{k}_")
        constants = {t.name for t in part.initializer}
        graph.node.extend(part.node)
        graph.initializer.extend(part.initializer)
        graph.input.extend(v for v in part.input if v.name not in constants)
        graph.output.extend(part.output)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)

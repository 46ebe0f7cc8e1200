"""ONNX's own node tests of operators that are composed of others, or go along a dimension, as C."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.frontend.node_cases import of_operators
from tinyc import onnx_backend

OPERATORS = {
    "ranking": ("ArgMax", "ArgMin", "TopK", "Hardmax"),
    "along": ("CumSum", "GatherElements", "ReverseSequence"),
    "scattered": ("GatherND", "Scatter", "ScatterElements", "ScatterND", "OneHot", "Compress"),
    "products": ("Einsum",),
    "sampled": ("GridSample",),
}
KNOWN = {"axis", "k", "depth", "condition"}
"""What has to be a constant."""
TYPES = tuple(getattr(TensorProto, name) for name in ("FLOAT", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"))


@pytest.mark.slow
@pytest.mark.parametrize("group", OPERATORS)
def test_node_cases_as_c(group: str) -> None:
    ran = 0
    for case in of_operators(*OPERATORS[group]):
        ports = (*case.model.graph.input, *case.model.graph.output)
        if any(port.type.tensor_type.elem_type not in TYPES for port in ports):
            continue
        prepared = onnx_backend.prepare(case.model)
        relative, absolute = case.tolerances
        for ours, theirs in zip(prepared.run(case.feeds), case.expected, strict=True):
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), case.name
            # A float32 sum that cancels keeps an absolute error of some roundings of its terms, of size 1 here.
            np.testing.assert_allclose(ours, theirs, relative, max(absolute, 1e-6), err_msg=case.name)
        assert {name.lower() for name in prepared.constants} <= KNOWN, case.name
        ran += 1
    assert ran

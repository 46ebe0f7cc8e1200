"""ONNX's own node tests: every one either passes or is refused with a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frontend.node_cases import attempt, cases
from tests.frontend.support import assert_close, run_imported, run_onnxruntime, save
from tinyc.compiler.frontend import load_onnx

# ONNX divides by the unrounded size of the result here; onnxruntime, which we follow, by the rounded one.
DISAGREE = (
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
)

PASSING = 1140
"""How many node tests pass, at least, with the onnx release of this writing (1.23: 1159)."""


@pytest.mark.slow
def test_onnx_node_tests(tmp_path: Path) -> None:
    passed, wrong = 0, []
    for name, case in cases().items():
        if name in DISAGREE:
            continue
        try:
            passed += not attempt(case, tmp_path) or not attempt(case.with_constants(), tmp_path)
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
    assert passed >= PASSING


@pytest.mark.parametrize("name", DISAGREE)
def test_onnxruntime_agrees_where_onnx_does_not(tmp_path: Path, name: str) -> None:
    case = cases()[name].with_constants()
    imported = load_onnx(save(case.model, tmp_path))
    assert_close(run_imported(imported, case.feeds), run_onnxruntime(case.model, case.feeds), 1e-5)

"""Models that only their import makes difficult: each compiles, and is verified."""

from __future__ import annotations

from typing import Any

import pytest

import tinyc
from tests.helpers import DATA

COMPILE: dict[str, dict[str, Any]] = {
    "compile/same_padding_kernel_below_stride": {},
    "import/argmax_head": {},
    "import/einsum_bhqd": {},
    "import/fixed_batch_8": {"input_shapes": {"x": (1, 2, 6, 6)}},
    "import/float16_weights": {},
    "import/scatternd_cache": {},
    "import/sin_cos": {},
    "import/topk_head": {},
    "import/unsorted_nodes": {},
}


@pytest.mark.parametrize(("name", "options"), COMPILE.items())
def test_compiles_and_agrees_with_onnxruntime(name: str, options: dict[str, Any]) -> None:
    path = DATA / "cases" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    result = tinyc.compile(path, target="esp32", **options)
    assert [v.executor for v in result.verdicts] == ["interpreter", "host"], result.notes
    assert all(v.passed for v in result.verdicts)

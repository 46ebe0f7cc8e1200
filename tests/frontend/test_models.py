"""Real models: each imports and agrees with onnxruntime, or is refused with a clear error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.frontend.support import assert_close, run_imported, run_onnxruntime
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.tensor import Array

DATA = Path(os.environ.get("TINYC_TEST_DATA", Path(__file__).parents[3] / "shared")) / "models"

# No neural networks, or broken.
REFUSED = {
    "classical_ml/iris_randomforest_skl": "ai.onnx.ml:TreeEnsembleClassifier",
    "classical_ml/treeensemble_onnx2c": "ai.onnx.ml:TreeEnsembleClassifier",
    "nonstandard/deeploy_mlperf_kws_requantshift": "RequantShift",
    "nonstandard/match_kws_uint8_typeclash": "takes floating point",
    "nonstandard/tflite2onnx_toycar_int8_broken": "different element types",
}
# Compared tensor by tensor in test_quantised.py: roundings at the border between two steps add up to its output.
STEPPED = {"micro_kws_m_qdq"}
SHAPES: dict[str, dict[str, Sequence[int]]] = {"vespa_tiny_transformer": {"input": (1, 8)}}


def models() -> list[str]:
    return sorted(str(p.relative_to(DATA).with_suffix("")) for p in DATA.rglob("*.onnx"))


def random_input(rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype[np.generic]) -> Array:
    if np.issubdtype(dtype, np.floating):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 20, shape).astype(dtype)


def test_there_are_models() -> None:
    if not models():
        pytest.skip(f"no models in {DATA} (TINYC_TEST_DATA names the folder that has models/)")


@pytest.mark.parametrize("name", models())
def test_model(name: str) -> None:
    path = DATA / f"{name}.onnx"
    if name in REFUSED:
        with pytest.raises(FrontendError, match=REFUSED[name]):
            load_onnx(path)
        return
    imported = load_onnx(path, input_shapes=SHAPES.get(name, {}))
    if name in STEPPED:
        return
    rng = np.random.default_rng(0)
    feeds = {p.name: random_input(rng, p.onnx_shape, p.value.dtype.numpy) for p in imported.inputs}
    # Deep networks round float32 often. onnxruntime's sigmoid has an absolute error of some 1e-7, which is all there
    # is of an output near 0.
    assert_close(run_imported(imported, feeds), run_onnxruntime(imported.model, feeds), 1e-4, absolute=1e-6)

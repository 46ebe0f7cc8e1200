"""Real models of many exporters: each compiles, and its C agrees with onnxruntime."""

from __future__ import annotations

import pytest

import tinyc
from tests.helpers import DATA, model
from tinyc.compiler.data.samples import sample_inputs

COMPILE = [
    "asl_mlp_deepc",
    "basic_pitch_nmp",
    "deeploy_autoencoder1d",
    "deeploy_tinyvit_demo",
    "dnsmos_p808_keras2onnx",
    "dtln1_lstm",
    "espdl_streaming",
    "fastestdet",
    "gap_mnist_gru",
    "godot_ballchase",
    "iris_mlp_winml",
    "lenet5_relu_maxpool",
    "lenet5_tanh_avgpool",
    "micro_kws_m_fp32",
    "micro_kws_m_qdq",
    "micro_kws_m_qoperator_std",
    "mlperf_vww96_mbv1_025_tflite2onnx",
    "mnist5x5_mlp_factorio_dynq",
    "mnist_cnn_keras2onnx_a",
    "mnist_cnn_pytorch11_ort",
    "mnist_cntk_op8",
    "mnist_cntk_opt_gemm",
    "mnist_convinteger_dynq",
    "mnist_dynamo_rten",
    "mnist_mlp_bn_onnx2c",
    "mnist_sigmoid_keras2onnx",
    "mnist_sigmoid_mlp_small",
    "mujoco_go1_policy",
    "nemo_dscnn_int",
    "nemo_frontnet_int",
    "st_mbv2_128_05",
    "st_yamnet256",
    "super_resolution_224",
    "tfl_helloworld_sine",
    "tinytaxinet_tf2onnx15",
    "traffic_sign_small_tf2onnx",
    "ultraface_slim320_simplified",
    "vespa_tiny_transformer",
    "yunet_n_320",
]
LARGE = {"basic_pitch_nmp", "dnsmos_p808_keras2onnx", "fastestdet", "gap_mnist_gru", "super_resolution_224",
         "ultraface_slim320_simplified", "yunet_n_320", "st_mbv2_128_05", "squeezenet_fp16w",
         "match_resnet_block"}  # fmt: skip
SHAPES = {"vespa_tiny_transformer": {"input": (1, 8)}}
MOST_ERROR = {"mlperf_vww96_mbv1_025_tflite2onnx": 1e-5}


def test_every_model_is_listed() -> None:
    present = {p.stem for p in (DATA / "models").glob("*.onnx")}
    if not present:
        pytest.skip(f"{DATA / 'models'} is missing (TINYC_TEST_DATA names the folder that has models/)")
    assert present == set(COMPILE)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in COMPILE])
def test_compiles_and_agrees_with_onnxruntime(name: str) -> None:
    # compile() raises unless every pass, the interpreter and the C agree within the tolerances of compiler/verify/.
    path, options = model(f"{name}.onnx"), {"input_shapes": SHAPES.get(name, {})}
    if name in LARGE:  # one input set is enough to run each of their many rows
        options["samples"] = sample_inputs(tinyc.load(path).module)[:1]
    result = tinyc.compile(path, **options)
    assert [v.executor for v in result.verdicts] == ["interpreter", "host"], result.notes
    assert all(v.max_abs_error <= MOST_ERROR.get(name, float("inf")) for v in result.verdicts)


NONSTANDARD = ["deeploy_mlperf_kws_requantshift", "match_kws_uint8_typeclash", "tflite2onnx_toycar_int8_broken"]
CLASSICAL = ["iris_randomforest_skl", "treeensemble_onnx2c"]
HALF = ["match_resnet_block", "mlperf_kws_dscnn_tf2onnx", "mlperf_resnet8_tf2onnx", "squeezenet_fp16w"]
OTHERS = [
    *(f"nonstandard/{n}" for n in NONSTANDARD),
    *(f"classical_ml/{n}" for n in CLASSICAL),
]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in HALF])
def test_halves_compile_as_float32(name: str) -> None:
    result = tinyc.compile(model(f"fp16/{name}.onnx"))
    assert [v.executor for v in result.verdicts] == ["interpreter", "host"], result.notes
    assert "float16 became float32" in result.imported.notes[0]


@pytest.mark.parametrize("name", OTHERS)
def test_what_tinyc_is_not_for_is_refused_cleanly(name: str) -> None:
    with pytest.raises(tinyc.TinycError) as caught:
        tinyc.compile(model(f"{name}.onnx"))
    assert len(str(caught.value)) > 30

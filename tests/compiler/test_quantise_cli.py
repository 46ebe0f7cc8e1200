"""Quantisation from the command line: data, types at the interface, the report, and bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

import tinyc as library
from tests.helpers import ROOT
from tests.sessions import open_onnxruntime
from tinyc.compiler.cli import app

RUNNER = CliRunner()
DIGITS = ROOT / "examples" / "mobile_lenet" / "digits.npz"


def tinyc(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    message = " ".join(result.stderr.split())
    assert message.startswith("error: ")
    for word in words:
        assert word in message, message


def network(path: Path, channels: int = 3) -> Path:
    """conv -> relu -> global average pool -> dense -> softmax on 3 x 8 x 6 images."""
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.normal(0, 0.3, (4, channels, 3, 3)),
        "b": rng.normal(0, 0.1, 4),
        "d": rng.normal(0, 1.0, (5, 4)),
        "e": rng.normal(0, 0.1, 5),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "d", "e"], ["g"], name="dense", transB=1),
        helper.make_node("Softmax", ["g"], ["probabilities"], name="softmax", axis=1),
    ]
    ports = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, channels, 8, 6)),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, (1, 5)),
    ]
    weights = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.onnx")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    images = np.random.default_rng(1).random((20, 3, 8, 6)).astype(np.float32)
    np.savez(tmp_path / "samples.npz", image=images)
    return tmp_path / "samples.npz"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of ten images in folders of their own, larger than the model's input."""
    rng = np.random.default_rng(2)
    for name in ("cats", "dogs"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, (12, 9, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "pictures"


def compiled(*arguments: object) -> dict[str, Any]:
    result = tinyc("compile", *arguments, "--quantize", "int8", "--json")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_float_at_both_ends(model: Path, samples: Path, tmp_path: Path) -> None:
    floats = ("--input-type", "float32", "--output-type", "float32")
    report = compiled(model, "--calibration", samples, *floats, "-o", tmp_path / "out")
    operators = [layer["operator"] for layer in report["layers"]]
    assert {"quantize", "qconv2d", "qmean", "qdense", "qsoftmax", "dequantize"} <= set(operators)
    found = report["quantisation"]
    assert found["inferences"] == 20
    assert "accuracy" not in found
    assert {layer["name"] for layer in found["layers"]} >= {"conv+relu", "pool", "dense"}
    assert report["ram"]["input_bytes"] == 4 * 3 * 8 * 6


@pytest.mark.parametrize("asked", [(), ("--input-type", "int8", "--output-type", "int8")])
def test_integers_at_both_ends_by_default(model: Path, samples: Path, tmp_path: Path, asked: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    arguments = ("--calibration", samples, *asked, "--input-layout", "nhwc")
    report = compiled(model, *arguments, "-o", out)
    assert not {"quantize", "dequantize"} & {layer["operator"] for layer in report["layers"]}
    assert report["ram"]["input_bytes"] == 3 * 8 * 6
    header = (out / "net.h").read_text()
    assert "int8_t *net_input(void *arena);" in header
    assert "void net_run(void *arena, int8_t *output);" in header
    assert "#define NET_INPUT_SCALE 0.0039" in header
    assert "#define NET_OUTPUT_ZERO_POINT -128" in header


@pytest.mark.parametrize(("normalise", "zero"), [("0,255", 0.0), ("127.5,127.5", 127.5)])
def test_pixels(model: Path, pictures: Path, tmp_path: Path, normalise: str, zero: float) -> None:
    arguments = ("--calibration", pictures, "--input-type", "uint8", "--normalize", normalise)
    report = compiled(model, *arguments, "--input-layout", "nhwc", "-o", tmp_path / "out")
    (port,) = report["quantisation"]["inputs"]
    assert port["zero_point"] == zero
    assert "uint8_t *net_input(void *arena);" in (tmp_path / "out" / "net.h").read_text()
    assert report["quantisation"]["output_sqnr_db"] > 20
    assert set(report["quantisation"]["accuracy"]) == {"float", "int8"}


def test_labels_and_the_terminal(model: Path, samples: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(["1"] * 20))
    arguments = ("--quantize", "int8", "--calibration", samples, "--labels", labels, "-o", tmp_path / "out")
    result = tinyc("compile", model, *arguments)
    assert result.exit_code == 0, result.output
    for word in ("accuracy", "worst", "SQNR dB", "clipped", "conv", "--input-type float32"):
        assert word in result.stdout


def test_layers_kept_in_float(model: Path, samples: Path, tmp_path: Path) -> None:
    report = compiled(model, "--calibration", samples, "--keep-float", "dense", "-o", tmp_path / "out")
    assert "dense" in {layer["operator"] for layer in report["layers"]}
    assert "qconv2d" in {layer["operator"] for layer in report["layers"]}
    assert report["quantisation"]["float_operators"]


def test_quantize_writes_a_model_that_onnxruntime_runs(model: Path, samples: Path, tmp_path: Path) -> None:
    written = tmp_path / "int8.onnx"
    result = tinyc("quantize", model, "--calibration", samples, "-o", written)
    assert result.exit_code == 0, result.output
    with np.load(samples) as archive:
        images = archive["image"]
    own, reference = (open_onnxruntime(p) for p in (written, model))
    for image in images:
        feeds = {"image": image[np.newaxis]}
        # Probabilities of scale 1/256, a step or two off.
        np.testing.assert_allclose(own.run(None, feeds)[0], reference.run(None, feeds)[0], atol=3 / 256)
    again = tinyc("compile", written, "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output


def test_the_library_has_the_same_options(model: Path, samples: Path) -> None:
    options = library.QuantiseOptions(samples, observer="min-max", input_type="int8")
    assert library.compile(model, quantise=options).report["quantisation"]["inputs"]


class TestBadInput:
    def test_no_calibration_data(self, model: Path, tmp_path: Path) -> None:
        refused(tinyc("compile", model, "--quantize", "int8"), "--quantize needs --calibration")
        refused(tinyc("compile", model, "--quantize", "int8", "--calibration", tmp_path / "none"), "there is no file")

    def test_options_without_quantisation(self, model: Path, samples: Path) -> None:
        refused(tinyc("compile", model, "--calibration", samples), "--calibration goes with --quantize int8")
        refused(tinyc("compile", model, "--observer", "min-max"), "--observer goes with --quantize int8")
        refused(tinyc("compile", model, "--rounding", "nearest"), "--rounding goes with --quantize int8")
        refused(tinyc("compile", model, "--input-type", "int8"), "--input-type goes with --quantize int8")

    @pytest.mark.parametrize(
        ("array", "word"),
        [
            (np.zeros((3, 3, 8, 5), np.float32), "the array is [3, 3, 8, 5]"),
            (np.full((3, 3, 8, 6), np.inf, np.float32), "NaN or infinite"),
            (np.zeros((3, 3, 8, 6), np.complex64), "complex64"),
            (np.zeros((0, 3, 8, 6), np.float32), "[0, 3, 8, 6]"),
        ],
    )
    def test_wrong_arrays(self, array: np.ndarray, word: str, model: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "bad.npz", image=array)
        arguments = ("--quantize", "int8", "--calibration", tmp_path / "bad.npz", "-o", tmp_path / "out")
        refused(tinyc("compile", model, *arguments), "image", word)
        assert not (tmp_path / "out").exists()

    def test_constant_activations_do_not_break_it(self, model: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "zeros.npz", image=np.zeros((4, 3, 8, 6), np.float32))
        compiled(model, "--calibration", tmp_path / "zeros.npz", "-o", tmp_path / "out")

    def test_unreadable_image(self, model: Path, pictures: Path) -> None:
        (pictures / "cats" / "broken.png").write_text("not a picture")
        refused(
            tinyc("compile", model, "--quantize", "int8", "--calibration", pictures), "broken.png", "not a readable"
        )

    def test_folder_without_images(self, model: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        refused(
            tinyc("compile", model, "--quantize", "int8", "--calibration", tmp_path / "empty"),
            "holds no arrays and no images",
        )

    def test_a_model_that_takes_no_image(self, pictures: Path, tmp_path: Path) -> None:
        other = network(tmp_path / "five.onnx", channels=5)
        refused(tinyc("compile", other, "--quantize", "int8", "--calibration", pictures), "grey or RGB", ".npz")

    def test_labels_that_do_not_fit(self, model: Path, samples: Path, tmp_path: Path) -> None:
        arguments = ("compile", model, "--quantize", "int8", "--calibration", samples, "--labels")
        for content, word in (
            ("1\n2\n", "2 labels for 20 inputs"),
            ("1.5\n", "whole number"),
            ("cat\n", "cannot read"),
        ):
            (tmp_path / "labels.txt").write_text(content)
            refused(tinyc(*arguments, tmp_path / "labels.txt"), word)
        refused(tinyc(*arguments, tmp_path / "none.npy"), "there is no file")

    @pytest.mark.parametrize("given", ["1", "1,2,3", "a,b", "0,0", "0,-1", "0,nan"])
    def test_normalise(self, given: str, model: Path, pictures: Path) -> None:
        arguments = ("--quantize", "int8", "--calibration", pictures, "--normalize", given)
        refused(tinyc("compile", model, *arguments), "--normalize takes MEAN,STD")

    def test_unknown_names(self, model: Path, samples: Path) -> None:
        arguments = ("compile", model, "--quantize", "int8", "--calibration", samples)
        refused(tinyc(*arguments, "--keep-float", "dens"), "dens", "dense")
        refused(tinyc(*arguments, "--observer", "gut-feeling"), "--observer is one of", "min-max")

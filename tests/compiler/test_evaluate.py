"""Accuracy on data that was held back: what is counted, on what, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import tinyc
from tests.compiler.test_quantise_cli import DIGITS, network, refused
from tests.compiler.test_quantise_cli import tinyc as command
from tests.helpers import ROOT
from tests.sessions import open_onnxruntime
from tinyc.compiler.evaluate.errors import Difference
from tinyc.compiler.lowering.quantised import as_taken
from tinyc.ir.tensor import Array

LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"


def images(count: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).random((count, 3, 8, 6)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.onnx")


def dense(path: Path, outputs: int = 3, extra: bool = False, index: bool = False) -> Path:
    """A dense layer of 4 inputs; a second output of two dimensions, or a whole number in its place."""
    weights = np.random.default_rng(3).normal(size=(4, outputs)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")]
    given = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, outputs))]
    if index:
        nodes.append(helper.make_node("Relu", ["y"], ["r"], name="relu"))
        nodes.append(helper.make_node("Cast", ["r"], ["class"], name="class", to=TensorProto.INT32))
        given = [helper.make_tensor_value_info("class", TensorProto.INT32, (1, 1))]
    if extra:
        nodes.append(helper.make_node("Reshape", ["y", "s"], ["boxes"], name="boxes"))
        given.insert(0, helper.make_tensor_value_info("boxes", TensorProto.FLOAT, (1, 2, outputs // 2)))
    tensors = [numpy_helper.from_array(weights, "w")]
    tensors += [numpy_helper.from_array(np.array([1, 2, outputs // 2], np.int64), "s")] * extra
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))]
    graph = helper.make_graph(nodes, "g", taken, given, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_what_is_counted(model: Path) -> None:
    """Against a count by hand: the model in onnxruntime, the network in the interpreter."""
    how = tinyc.QuantiseOptions([[i[np.newaxis]] for i in images(20)])
    compiled = tinyc.compile(model, quantise=how, verify=False)
    held_back, labels = images(60, seed=2), np.random.default_rng(4).integers(0, 5, 60)
    found = compiled.evaluate({"image": held_back}, labels)
    session = open_onnxruntime(model)
    meant = np.concatenate([session.run(None, {"image": i[np.newaxis]})[0] for i in held_back])
    own = np.concatenate([compiled(i[np.newaxis])["probabilities"] for i in held_back])
    scale, zero = compiled.lowered.outputs[0].scale, compiled.lowered.outputs[0].zero
    real = (own.astype(np.float64) - zero) * scale
    first, second = meant.argmax(axis=1), own.argmax(axis=1)
    assert found.top1 == ((first == labels).mean(), (second == labels).mean())
    assert found.agreement == (first == second).mean()
    noise = np.square(meant.astype(np.float64) - real).sum()
    assert found.outputs[0].sqnr == pytest.approx(10 * math.log10(np.square(meant, dtype=np.float64).sum() / noise))
    assert found.outputs[0].largest == pytest.approx(np.abs(meant - real).max(), rel=1e-5)
    assert [c.name for c in found.classes] == [str(k) for k in sorted(set(labels.tolist()))]
    for change in found.classes:
        chosen = labels == int(change.name)
        assert change.inferences == chosen.sum()
        assert change.model_right == (first[chosen] == labels[chosen]).sum()
        assert change.network_right == (second[chosen] == labels[chosen]).sum()
        assert change.flipped == (first[chosen] != second[chosen]).sum()


def test_parts_are_the_whole(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = tinyc.compile(model, verify=False)
    whole = compiled.evaluate({"image": images(7)}, [0, 1, 2, 3, 4, 0, 1])
    monkeypatch.setattr("tinyc.compiler.evaluate.evaluation.CHUNK_BYTES", 2 * images(1).nbytes)
    assert compiled.evaluate({"image": images(7)}, [0, 1, 2, 3, 4, 0, 1]) == whole


def test_without_a_compiler(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how = tinyc.QuantiseOptions([[i[np.newaxis]] for i in images(20)])
    expected = tinyc.compile(model, quantise=how, verify=False).evaluate({"image": images(5, 2)})
    monkeypatch.setenv("CC", "no-such-compiler")
    assert tinyc.compile(model, quantise=how, verify=False).evaluate({"image": images(5, 2)}) == expected


def test_data_of_the_calibration_are_counted(model: Path) -> None:
    learnt = [[i[np.newaxis]] for i in images(20)]
    compiled = tinyc.compile(model, quantise=tinyc.QuantiseOptions(learnt), verify=False)
    both = np.concatenate([images(20)[5:8], images(4, seed=2)])
    assert compiled.evaluate({"image": both}).calibrated == 3
    assert tinyc.compile(model, verify=False).evaluate({"image": both}).calibrated == 0


def test_a_float_network(model: Path, tmp_path: Path) -> None:
    """C against the model, labels from the file."""
    np.savez(tmp_path / "held.npz", image=images(10), labels=np.arange(10)[:, np.newaxis] % 5)
    result = command("compile", model, "--evaluate", tmp_path / "held.npz", "-o", tmp_path / "out", "--no-verify")
    assert result.exit_code == 0, result.output
    assert "+0.00 points" in result.stdout
    found = json.loads((tmp_path / "out" / "report.json").read_text())["evaluation"]
    assert found["inferences"] == 10
    assert found["agreement"] == 1.0
    assert found["outputs"][0]["sqnr_db"] is None or found["outputs"][0]["sqnr_db"] > 100
    assert "quantisation" not in json.loads((tmp_path / "out" / "report.json").read_text())


def test_no_class_scores(tmp_path: Path) -> None:
    """Two dimensions are no scores; beside them a vector is, but only for labels."""
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    compiled = tinyc.compile(dense(tmp_path / "two.onnx", 4, extra=True), verify=False)
    found = compiled.evaluate({"x": x})
    assert (found.scores, found.agreement, found.top1, found.classes) == ("", None, None, ())
    assert [o.name for o in found.outputs] == ["boxes", "y"]
    assert compiled.evaluate({"x": x}, [0] * 9).scores == "y"
    regression = tinyc.compile(dense(tmp_path / "one.onnx", 1), verify=False)
    assert regression.evaluate({"x": x}).agreement is None
    with pytest.raises(tinyc.TinycError, match="labels go with an output of class scores"):
        regression.evaluate({"x": x}, [0] * 9)


def test_the_number_of_a_class(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) * 3
    whole = tinyc.compile(dense(tmp_path / "whole.onnx", 1, index=True), verify=False)
    labels = [int(whole(row[np.newaxis])["class"][0, 0]) for row in x]
    assert len(set(labels)) > 2
    assert whole.evaluate({"x": x}, labels).top1 == (1.0, 1.0)
    assert whole.evaluate({"x": x}).agreement is None


def test_labels_that_do_not_fit(model: Path) -> None:
    compiled = tinyc.compile(model, verify=False)
    with pytest.raises(tinyc.TinycError, match="a label 5, and output 'probabilities' has the classes 0 to 4"):
        compiled.evaluate({"image": images(2)}, [0, 5])
    with pytest.raises(tinyc.TinycError, match="1 labels for 2 inputs"):
        compiled.evaluate({"image": images(2)}, [0])
    with pytest.raises(tinyc.TinycError, match="holds no inputs"):
        compiled.evaluate([])


def test_labels_of_some_files_only(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    np.savez(folder / "a.npz", image=images(2), labels=[0, 1])
    np.savez(folder / "b.npz", image=images(2))
    refused(command("compile", model, "--evaluate", folder, "-o", tmp_path / "out"), "only some of the files", "2 of 4")
    assert not (tmp_path / "out").exists()


def test_labels_alone(model: Path, tmp_path: Path) -> None:
    refused(
        command("compile", model, "--evaluate-labels", tmp_path / "l.npy"), "--evaluate-labels goes with --evaluate"
    )


def test_what_is_only_seen_on_calibration_data_says_so(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", image=images(20))
    np.savez(tmp_path / "h.npz", image=images(8, seed=2), labels=[0] * 8)
    how = ("compile", model, "--quantize", "int8", "--calibration", tmp_path / "c.npz", "-o", tmp_path / "out")
    without = command(*how)
    assert "on calibration data only" in " ".join(without.stdout.split())
    assert json.loads((tmp_path / "out" / "report.json").read_text())["evaluation"] is None
    found = command(*how, "--evaluate", tmp_path / "h.npz", "--force")
    assert "on calibration data only" not in " ".join(found.stdout.split())
    assert "data held back" in found.stdout


def test_quantize_tells_accuracy_of_class_folders(model: Path, tmp_path: Path) -> None:
    """As `compile` does, and what it says is what onnxruntime makes of the written file."""
    rng = np.random.default_rng(2)
    for name in ("cats", "dogs"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for k in range(5):
            pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{k}.png")
    np.savez(tmp_path / "held.npz", image=images(12, seed=5), labels=[1] * 12)
    arguments = ("--calibration", tmp_path / "pictures", "--evaluate", tmp_path / "held.npz", "--json")
    result = command("quantize", model, "-o", tmp_path / "q.onnx", *arguments)
    found = json.loads(result.stdout)["accuracy"]
    assert list(found) == ["calibration data", "data held back"]
    assert [c["name"] for c in found["calibration data"]["classes"]] == ["cats", "dogs"]
    assert found["calibration data"]["in_calibration_data"] == 10
    written = open_onnxruntime(tmp_path / "q.onnx")
    told = [written.run(None, {"image": i[np.newaxis]})[0].argmax() for i in images(12, seed=5)]
    assert found["data held back"]["top1"]["network"] == np.mean(np.array(told) == 1)
    assert "top-1" in command("quantize", model, "-o", tmp_path / "q.onnx", *arguments[:2]).stdout


def test_pixels_of_a_network_that_takes_them() -> None:
    """Arrays of uint8 are pixels for a network that takes such, as for `run`."""
    with np.load(DIGITS) as data:
        pixels = data["image"][:20]
    digits = pixels[:, np.newaxis].astype(np.float32) / np.float32(255)
    how = tinyc.QuantiseOptions([[i[np.newaxis]] for i in digits], input_type="uint8")
    compiled = tinyc.compile(LENET, quantise=how, verify=False)
    assert (
        compiled.evaluate({"image": pixels[:, np.newaxis]}).agreement == compiled.evaluate({"image": digits}).agreement
    )
    taken = as_taken(compiled.program, [[i[np.newaxis]] for i in digits], compiled.lowered.inputs)
    np.testing.assert_array_equal(np.concatenate([t[0] for t in taken])[:, 0], pixels)


@pytest.mark.parametrize(
    ("expected", "found", "sqnr", "largest"),
    [
        ([1.0, np.nan], [1.0, np.nan], math.inf, 0.0),
        ([0.0, 0.0], [0.0, 0.5], -math.inf, 0.5),
        ([1.0, 2.0], [np.nan, 2.0], -math.inf, math.inf),
        ([np.inf, 2.0], [np.inf, 2.0], math.inf, 0.0),
        ([3.0, 4.0], [3.0, 4.5], 20.0, 0.5),
    ],
)
def test_differences(expected: list[float], found: list[float], sqnr: float, largest: float) -> None:
    difference = Difference()
    difference.add(np.array(expected), np.array(found))
    error = difference.of("y")
    assert error.sqnr == pytest.approx(sqnr)
    assert error.largest == largest


def test_calibration_data_are_measured_in_the_same_way(tmp_path: Path) -> None:
    """By the output that has classes for labels, though it is not the first."""
    model = dense(tmp_path / "two.onnx", 4, extra=True)
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    labels = tuple(int(row.argmax()) for row in (tinyc.load(model)(r[np.newaxis])["y"] for r in x))
    samples = [[r[np.newaxis]] for r in x]
    quality = tinyc.compile(model, quantise=tinyc.QuantiseOptions(tinyc.Calibration(samples, labels))).quality
    assert quality is not None
    assert (quality.scores, quality.calibrated) == ("y", 9)
    assert quality.top1 is not None
    assert quality.top1[0] == 1.0
    with pytest.raises(tinyc.TinycError, match="a label 4, and output 'y' has the classes 0 to 3"):
        tinyc.compile(model, quantise=tinyc.QuantiseOptions(tinyc.Calibration(samples, (4,) * 9)))


def test_sub_folders_of_what_tells_no_class(tmp_path: Path) -> None:
    model = dense(tmp_path / "one.onnx", 1)
    for name in ("day", "night"):
        (tmp_path / "data" / name).mkdir(parents=True)
        np.save(tmp_path / "data" / name / "x.npy", np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    found = tinyc.compile(model, quantise=tinyc.QuantiseOptions(tmp_path / "data"), verify=False)
    assert found.quality is not None
    assert (found.quality.inferences, found.quality.agreement, found.quality.top1) == (10, None, None)
    assert any("sub-folders are not taken for classes" in note for note in found.notes)
    assert found.report["quantisation"]["top1_agreement"] is None

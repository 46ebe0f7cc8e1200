"""int8 Mobile-LeNet on whole test sets: accuracy, the interpreter against the C, onnxruntime on the exported model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import tinyc
from tests.batched import batched
from tests.helpers import ROOT
from tests.mnist import folder, published_mobile_lenet, test_images, training_images
from tests.sampling import some
from tests.sessions import open_onnxruntime
from tinyc.backends.interpreter import run_module
from tinyc.backends.runners import HostRunner
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.session import api
from tinyc.ir import Module
from tinyc.ir.tensor import Array
from tinyc.passes.core.manager import PassManager
from tinyc.passes.pipeline import integer_passes, tensor_passes
from tinyc.passes.quantise import batch_norm_statistics, quantise_module

EXAMPLE = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
CHUNK = 500


def calibration() -> Calibration:
    """The first 100 training images."""
    images, labels = training_images()
    return Calibration([[i[np.newaxis]] for i in images[:100]], tuple(int(n) for n in labels[:100]))


@pytest.fixture(scope="module")
def compiled() -> api.Compilation:
    return tinyc.compile(EXAMPLE, quantise=tinyc.QuantiseOptions(calibration()))


def in_c(compilation: api.Compilation, images: Array) -> Array:
    return np.concatenate([o[0] for o in tinyc.execute(compilation, "host", [[i[np.newaxis]] for i in images])])


def integer_module(model: Path) -> Module:
    """What the driver lowers: the module with integer operators."""
    imported = tinyc.load(model).module
    module, _ = PassManager(tensor_passes()).run(imported)
    assert isinstance(module, Module)
    norms = batch_norm_statistics(imported)
    quantised = quantise_module(module, calibration().samples, run_module, norms=norms).module
    integer, _ = PassManager(integer_passes()).run(quantised)
    assert isinstance(integer, Module)
    return integer


def test_sizes_and_report(compiled: api.Compilation) -> None:
    report = compiled.report
    assert report["flash"]["weights_bytes"] <= 5.5 * 1024
    assert report["ram"]["arena_bytes"] <= 12_800
    assert report["macs"] == 452_216
    found = report["quantisation"]
    ratios = [layer["sqnr_db"] for layer in found["layers"] if layer["sqnr_db"] is not None]
    assert ratios == sorted(ratios), "worst layers first"
    assert found["accuracy"]["int8"] >= found["accuracy"]["float"] - 0.01
    assert [p["name"] for p in found["float_operators"]] == []


@pytest.mark.slow
def test_accuracy_on_the_test_set(compiled: api.Compilation) -> None:
    images, labels = test_images()
    float_model = tinyc.compile(EXAMPLE, verify=False)
    accuracy = [float((in_c(c, images).argmax(axis=1) == labels).mean()) for c in (float_model, compiled)]
    assert accuracy[1] >= accuracy[0] - 0.0010


@pytest.mark.slow
def test_the_published_weights(tmp_path: Path) -> None:
    images, labels = test_images()
    onnx.save(published_mobile_lenet(), tmp_path / "published.onnx")
    made = tinyc.compile(tmp_path / "published.onnx", quantise=tinyc.QuantiseOptions(calibration()))
    assert (in_c(made, images).argmax(axis=1) == labels).mean() >= 0.974


@pytest.mark.slow
def test_pneumonia() -> None:
    with np.load(folder("pneumoniamnist") / "pneumoniamnist.npz") as data:
        train = data["train_images"].astype(np.float32).reshape(-1, 1, 28, 28) / np.float32(255)
        images = data["test_images"].astype(np.float32).reshape(-1, 1, 28, 28) / np.float32(255)
        labels = data["test_labels"].reshape(-1)
    model = ROOT / "examples" / "mobile_lenet_pneumonia" / "mobile_lenet_pneumonia.onnx"
    every = Calibration([[i[np.newaxis]] for i in train[:: len(train) // 100][:100]])
    made = [tinyc.compile(model, verify=False), tinyc.compile(model, quantise=tinyc.QuantiseOptions(every))]
    accuracy = [float((in_c(c, images).argmax(axis=1) == labels).mean()) for c in made]
    assert accuracy[0] >= 0.90
    assert accuracy[1] >= accuracy[0] - 0.005


@pytest.mark.slow
def test_every_integer_tensor_of_many_images_is_the_same_in_c() -> None:
    """From floats to floats, so that quantizing them is compared too."""
    images, _ = test_images()
    module = batched(integer_module(EXAMPLE), CHUNK)
    options = tinyc.QuantiseOptions(calibration(), input_type="float32", output_type="float32")
    compiled = tinyc.compile(EXAMPLE, verify=False, quantise=options)
    runner = HostRunner(compiled.source)
    stages = {stage.result.name: number for number, stage in enumerate(compiled.program.stages)}
    compared = 0
    chunks = some(range(0, len(images), CHUNK), 2)
    for start in chunks:
        chunk = images[start : start + CHUNK]
        traced = runner.traces([[i[np.newaxis]] for i in chunk])
        values: dict[str, Array] = {}
        run_module(module, [chunk], lambda value, array: values.update({value.name: array}))  # noqa: B023
        for name, number in stages.items():
            # What is moved row by row has a name of its own before.
            own, expected = traced[number].reshape(-1), values[name.removesuffix("_row")].reshape(-1)
            np.testing.assert_array_equal(own, expected, err_msg=name)
            compared += own.dtype == np.int8
    # 13 convolutions, the mean, the dense layer and the softmax at least.
    assert compared >= len(chunks) * 16


@pytest.mark.slow
def test_the_exported_model_predicts_the_same_in_onnxruntime(compiled: api.Compilation, tmp_path: Path) -> None:
    images, _ = test_images()
    exported = tmp_path / "int8.onnx"
    api.quantize(EXAMPLE, exported, tinyc.QuantiseOptions(calibration()))
    session = open_onnxruntime(exported)
    name = session.get_inputs()[0].name
    reference = np.concatenate([session.run(None, {name: i[np.newaxis]})[0] for i in images])
    own = in_c(compiled, images)
    assert (own.argmax(axis=1) == reference.argmax(axis=1)).mean() >= 0.999
    again = tinyc.compile(exported, verify=False)
    np.testing.assert_array_equal(in_c(again, images[:500]), own[:500], "importing the exported model gives the same C")

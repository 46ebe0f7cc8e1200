"""The networks of the benchmarks: parameters and multiply-accumulates as published, and onnxruntime runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks import networks
from benchmarks.networks import (
    NETWORKS,
    blood_mobile_lenet,
    ds_cnn,
    main,
    micro_mobilenet,
    mobilenet_v1,
    mobilenet_v2,
    resnet8,
)
from benchmarks.networks.mobilenet import divisible
from tests.mnist import folder, published_mobile_lenet
from tests.sessions import open_onnxruntime
from tinyc.compiler.frontend import load_onnx

DATA = {"mobile_lenet": "noodle_mobile_lenet_mnist", "blood_mobile_lenet": "noodle_mobile_lenet_bloodmnist"}


def parameters(model: onnx.ModelProto) -> int:
    """Numbers of all weights: the float initialisers but for the limits of ReLU6, which are scalars."""
    arrays = [numpy_helper.to_array(w) for w in model.graph.initializer]
    return sum(a.size for a in arrays if a.dtype == np.float32 and a.ndim)


def macs(model: onnx.ModelProto, tmp_path: Path) -> int:
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return load_onnx(path).module.macs()


def run(model: onnx.ModelProto, seed: int = 0) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = open_onnxruntime(model)
    (taken,) = session.get_inputs()
    image = np.random.default_rng(seed).random(taken.shape, dtype=np.float32)
    return np.asarray(session.run(None, {taken.name: image})[0])


# Parameters and multiply-accumulates as published.
@pytest.mark.parametrize(
    ("name", "size", "products"),
    [
        ("Pico", 844, 53_808),
        ("Nano", 1_636, 125_331),
        ("Micro", 4_264, 612_240),
        ("Milli", 11_704, 745_320),
        ("Base", 30_040, 1_128_120),
    ],
)
def test_micro_mobilenets(name: str, size: int, products: int, tmp_path: Path) -> None:
    model = micro_mobilenet(name)
    assert parameters(model) == size
    assert macs(model, tmp_path) == products


def test_resnet8(tmp_path: Path) -> None:
    model = resnet8(0)
    assert parameters(model) == 78_666  # of the Keras model, moving means and variances among them
    assert macs(model, tmp_path) == 12_501_632
    assert [n.op_type for n in model.graph.node].count("Add") == 3


# Parameters as the Keras models have them, moving means and variances among them; multiply-accumulates as published.
@pytest.mark.parametrize(
    ("build", "size", "products"),
    [
        (ds_cnn, 24_908, 2_656_768),
        (lambda: mobilenet_v2(0.5, 128), 1_987_224, 32_578_560),
        (lambda: mobilenet_v2(1.0, 224), 3_538_984, 300_774_272),
    ],
)
def test_networks_of_others(build: Callable[[], onnx.ModelProto], size: int, products: int, tmp_path: Path) -> None:
    model = build()
    assert parameters(model) == size
    assert macs(model, tmp_path) == products


def test_inverted_residuals() -> None:
    model = mobilenet_v2(0.5, 128)
    assert [n.op_type for n in model.graph.node].count("Add") == 10
    assert [divisible(n) for n in (1, 12, 16, 28, 90)] == [8, 16, 16, 32, 88]  # 24 were less than nine tenths of 28


def test_gray_mobilenet(tmp_path: Path) -> None:
    gray, colour = mobilenet_v1(0.25, 96, channels=1, classes=2), mobilenet_v1(0.25, 96, classes=2)
    assert run(gray).shape == (1, 2)
    # The stem, 3x3 to 8 channels at 48x48, has a third of the products.
    assert macs(colour, tmp_path) - macs(gray, tmp_path) == 48 * 48 * 9 * 8 * 2


def test_half_width_mobilenet() -> None:
    model = mobilenet_v1(0.5, 128)
    weights = {w.name: tuple(w.dims) for w in model.graph.initializer}
    assert weights["conv1_w"] == (16, 3, 3, 3)
    assert weights["conv_pw_13_w"] == (512, 512, 1, 1)
    assert run(model).shape == (1, 1000)


def test_mobile_lenets_are_built_from_the_published_names(tmp_path: Path) -> None:
    for source in DATA.values():
        folder(source)
    own = NETWORKS["mobile_lenet"]()
    assert own == published_mobile_lenet()
    blood = blood_mobile_lenet(networks.published(DATA["blood_mobile_lenet"]))
    # Two more input channels of the stem, two classes fewer.
    assert parameters(blood) - parameters(own) == 2 * 9 * 8 - 2 * 25
    assert macs(blood, tmp_path) - macs(own, tmp_path) == 28 * 28 * 2 * 9 * 8 - 2 * 24
    assert run(blood).shape == (1, 8)


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_runs_it(name: str) -> None:
    if name in DATA:
        folder(DATA[name])
    model = NETWORKS[name]()
    output = run(model)
    if "Softmax" in {node.op_type for node in model.graph.node}:
        np.testing.assert_allclose(output.sum(), 1, rtol=1e-5)  # float32 rounding of up to 1000 terms
    assert np.isfinite(output).all()
    assert not np.array_equal(output, run(model, seed=1))


@pytest.mark.parametrize("build", [resnet8, lambda seed: micro_mobilenet("pico", seed)])
def test_weights_are_seeded(build: Callable[[int], onnx.ModelProto]) -> None:
    assert build(3) == build(3)
    assert build(3) != build(4)


def test_the_command_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    main(["micro_mobilenet_pico", "-o", str(path)])
    assert onnx.load(path) == micro_mobilenet("pico")


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    assert capsys.readouterr().out.split() == list(NETWORKS)


@pytest.mark.parametrize(("arguments", "message"), [([], "--list"), (["resnet9"], "resnet8")])
def test_the_command_says_what_is_wrong(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_missing_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(networks.data, "DATA", tmp_path)
    with pytest.raises(SystemExit):
        main(["blood_mobile_lenet"])
    assert f"{tmp_path / DATA['blood_mobile_lenet']} is missing" in capsys.readouterr().err

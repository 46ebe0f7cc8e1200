"""Weights of 4 bits from the library and the command line: flash, budgets, files for onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import tinyc
from tests.compiler.test_quantise_cli import network, refused
from tests.compiler.test_quantise_cli import tinyc as command
from tests.frontend.support import run_onnxruntime
from tinyc.compiler.base.checked import OptionError
from tinyc.ir.tensor import Array


def calibration() -> list[list[Array]]:
    rng = np.random.default_rng(3)
    return [[rng.normal(size=(1, 3, 8, 6)).astype(np.float32)] for _ in range(8)]


def compiled(folder: Path, weights: str = "int8", flash: int | str | None = None) -> tinyc.Compilation:
    options = tinyc.QuantiseOptions(calibration(), weights=weights)
    return tinyc.compile(network(folder / "net.onnx"), quantise=options, flash=flash)


def test_flash_falls(tmp_path: Path) -> None:
    wide, small = compiled(tmp_path), compiled(tmp_path, "int4")
    # Of 4 x 27 and 5 x 4 weights, those of blocks of four outputs.
    assert wide.source.weights_bytes - small.source.weights_bytes == (4 * 27 + 4 * 4) // 2
    named = compiled(tmp_path, "int4:dense")
    assert wide.source.weights_bytes - named.source.weights_bytes == 8


@pytest.mark.parametrize("pixel", [0.0, 5.0])
def test_samples_that_are_all_the_same(pixel: float, tmp_path: Path) -> None:
    """Results that do not vary have no noise but what bias correction takes out, whichever way weights are rounded."""
    samples = [[np.full((1, 3, 8, 6), pixel, np.float32)]] * 3
    options = tinyc.QuantiseOptions(samples, weights="int4")
    assert all(v.passed for v in tinyc.compile(network(tmp_path / "net.onnx"), quantise=options).verdicts)


def test_a_budget(tmp_path: Path) -> None:
    stages = len(compiled(tmp_path).source.stages)
    takes = compiled(tmp_path).source.weights_bytes + 1024 * stages

    def small(flash: int) -> tuple[str, ...]:
        found = compiled(tmp_path, flash=flash)
        assert found.source.weights_bytes + 1024 * stages <= flash
        assert found.lowered.quantised is not None
        return found.lowered.quantised.four_bits

    assert small(takes) == ()
    assert len(small(takes - 8)) == 1
    assert len(small(takes - 62)) == 2
    with pytest.raises(tinyc.TinycError, match=rf"`flash` is {takes - 63:,} bytes.*take {takes - 62:,}: give"):
        small(takes - 63)


def test_a_budget_of_a_float_network(tmp_path: Path) -> None:
    model = network(tmp_path / "net.onnx")
    takes = tinyc.compile(model, flash="1M").source.weights_bytes
    with pytest.raises(tinyc.TinycError, match=r"does not fit on host: weights .*what `flash` gives"):
        tinyc.compile(model, flash=takes)


@pytest.mark.parametrize("weights", ["int3", "int4:", "int8:conv", "int4: ,", ""])
def test_spelling(weights: str) -> None:
    with pytest.raises(OptionError, match="`weights`"):
        tinyc.QuantiseOptions("", weights=weights)


def test_command_line(tmp_path: Path) -> None:
    model, samples = network(tmp_path / "net.onnx"), tmp_path / "in.npy"
    np.save(samples, np.concatenate([s[0] for s in calibration()]))
    arguments = ["compile", model, "--quantize", "int8", "--calibration", samples]
    for more in (["--weights", "int4:conv,dense"], ["--flash", "5.9K"]):
        assert command(*arguments, *more, "-o", tmp_path / "out", "--force").exit_code == 0
    refused(
        command(*arguments, "--weights", "int4:softmax"), "'softmax' cannot have 4 bits", "that can are conv, dense"
    )
    refused(command(*arguments, "--flash", "4K"), "--flash", "4,096 bytes")
    refused(command("compile", model, "--weights", "int4"), "--weights", "--quantize int8")


def test_onnxruntime_runs_the_file(tmp_path: Path) -> None:
    options = tinyc.QuantiseOptions(calibration(), weights="int4")
    tinyc.quantize(network(tmp_path / "net.onnx"), tmp_path / "q.onnx", options)
    model = onnx.load(tmp_path / "q.onnx")
    onnx.checker.check_model(model, full_check=True)
    kinds = [t.data_type for t in model.graph.initializer]
    assert kinds.count(TensorProto.INT4) >= 2
    assert model.opset_import[0].version == 21
    imported = tinyc.compile(tmp_path / "q.onnx", output_type="float32")
    own = imported(calibration()[0][0])["probabilities"]
    (given,) = run_onnxruntime(model, {"image": calibration()[0][0]})
    assert np.abs(own - given).max() <= 2 / 256
    assert imported.source.weights_bytes == compiled(tmp_path, "int4").source.weights_bytes

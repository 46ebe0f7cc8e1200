"""Budgets, input places and the memory plan, from the command line to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from benchmarks.networks import mobilenet_v1, resnet8
from tests.compiler.test_cli import MODEL, refused, small_model, tinyc
from tests.helpers import ROOT
from tinyc.compiler.session import api


def report(*options: object, model: Path = MODEL, folder: Path) -> dict[str, Any]:
    result = tinyc("compile", model, "--json", "-o", folder / "out", *options)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "digits.npz"
    with np.load(ROOT / "examples" / "mobile_lenet" / "digits.npz") as found:
        np.savez(path, image=found["image"].reshape(-1, 1, 28, 28).astype(np.float32) / 255)
    return path


@pytest.mark.parametrize(("rows_from", "most"), [("arena", 3.9), ("callback", 3.9)])
def test_int8_mobile_lenet_in_four_kilobytes(
    rows_from: str, most: float, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINYC_CFLAGS", raising=False)  # the stack is that of the C as it is shipped
    quantise = ("--quantize", "int8", "--calibration", digits, "--input-type", "int8", "--input-layout", "nhwc")
    found = report(*quantise, "--rows-from", rows_from, folder=tmp_path)
    ram = found["ram"]
    assert ram["arena_bytes"] <= most * 1024
    assert ram["arena_bytes"] == ram["arena_lower_bound_bytes"]
    assert ram["input_place"] == {"image": "rows" if rows_from == "callback" else "arena"}
    assert ram["segments"]
    assert 0 < ram["stack_bytes"] <= 1024
    assert found["macs"] == 452_216
    # Buffers lie in the arena, and each is touched by layers that there are.
    assert max(b["offset"] + b["bytes"] for b in ram["buffers"]) == ram["arena_bytes"]
    assert all(-1 <= b["first_layer"] <= b["last_layer"] < len(found["layers"]) for b in ram["buffers"])
    assert [b["name"] for b in ram["buffers"] if b["first_layer"] == -1] == ["image"] * (rows_from == "arena")


def test_a_budget_is_kept_and_not_left_unused(tmp_path: Path) -> None:
    least = report("--no-verify", folder=tmp_path)["ram"]["arena_bytes"]
    layers = report("--no-verify", "--ram", "1M", folder=tmp_path)["ram"]
    assert not layers["segments"]
    for budget in (least, least + 1000, 20_000, 30_000):
        found = report("--no-verify", "--ram", budget, folder=tmp_path)["ram"]["arena_bytes"]
        assert least <= found <= budget < layers["arena_bytes"]


def test_a_budget_that_is_too_small_says_what_would_help(tmp_path: Path) -> None:
    least = report("--no-verify", folder=tmp_path)["ram"]["arena_bytes"]
    message = refused(
        tinyc("compile", MODEL, "--ram", least - 1, "-o", tmp_path / "o"),
        f"the smallest arena is {least:,} bytes, 1 more than --ram allows",
        "Most is needed in",
        "--quantize int8 (about 2,",
    )
    assert "block" in message
    assert not (tmp_path / "o").exists()


def test_a_callback_is_proposed_where_it_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.compiler.lowering.trials.SECONDS", 60.0)
    onnx.save(mobilenet_v1(0.25, 96, classes=5), tmp_path / "m.onnx")
    result = tinyc("compile", tmp_path / "m.onnx", "--input-layout", "nhwc", "--ram", "60K", "-o", tmp_path / "o")
    refused(result, "What would help: --rows-from callback (")


@pytest.mark.parametrize("amount", ["abc", "0", "-1", "1T", "K"])
def test_a_budget_that_is_no_size(amount: str) -> None:
    refused(tinyc("compile", MODEL, f"--ram={amount}"), "--ram takes a number of bytes")


def test_rows_need_an_image(tmp_path: Path) -> None:
    flat = small_model(tmp_path / "flat.onnx")
    refused(tinyc("compile", flat, "--rows-from", "callback"), "an input of more than one row", "f32[1,4]")


def test_rows_come_channels_last_whatever_the_layout() -> None:
    compiled = api.compile(MODEL, rows_from="callback", verify=False)
    (port,) = compiled.source.inputs
    assert port.place == "rows"
    assert port.type.shape == (1, 28, 28, 1)


def test_verify_takes_the_same_options(digits: Path) -> None:
    quantise = ("--quantize", "int8", "--calibration", digits, "--input-type", "int8", "--rows-from", "callback")
    result = tinyc("verify", MODEL, *quantise, "--json")
    assert result.exit_code == 0, result.output
    assert all(v["passed"] and v["max_abs_error"] == 0 for v in json.loads(result.stdout)["executors"])


@pytest.mark.parametrize("rows_from", ["argument", "arena", "callback"])
def test_branches_stream_too(rows_from: str, tmp_path: Path) -> None:
    onnx.save(resnet8(), tmp_path / "resnet8.onnx")
    found = report("--rows-from", rows_from, "--input-layout", "nhwc", model=tmp_path / "resnet8.onnx", folder=tmp_path)
    layers = report(
        *("--rows-from", rows_from, "--input-layout", "nhwc", "--ram", "1M", "--no-verify"),
        model=tmp_path / "resnet8.onnx",
        folder=tmp_path,
    )
    assert found["ram"]["arena_bytes"] < layers["ram"]["arena_bytes"] / 2
    assert found["macs"] == layers["macs"]


def test_a_transposed_copy_is_pointed_out(tmp_path: Path) -> None:
    onnx.save(resnet8(), tmp_path / "resnet8.onnx")
    shown = tinyc("compile", tmp_path / "resnet8.onnx", "--no-verify", "-o", tmp_path / "a").stdout
    assert "--input-layout nhwc" in shown
    shown = tinyc("compile", tmp_path / "resnet8.onnx", "--no-verify", "--input-layout", "nhwc", "-o", tmp_path / "b")
    assert "--input-layout" not in shown.stdout

"""`tinyc bench`, and `run` and `verify` on simulated machines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import need
from tests.compiler.test_cli import MODEL, refused, small_model, tinyc
from tests.runners.support import missing_tools, need_simulator
from tinyc.backends.runners import MACHINES
from tinyc.compiler.session import api
from tinyc.ir.errors import TinycError

pytestmark = pytest.mark.simulator


@pytest.fixture(autouse=True)
def _simulator(request: pytest.FixtureRequest) -> None:
    if "without_tools" not in request.node.name:
        need_simulator()
        need("gcc")


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    rng = np.random.default_rng(8)
    np.savez(tmp_path / "cal.npz", image=rng.random((6, 1, 28, 28), np.float32))
    return tmp_path / "cal.npz"


def test_bench_as_json(calibration: Path) -> None:
    integers = ("--quantize", "int8", "--calibration", calibration, "--input-type", "int8", "--output-type", "int8")
    first = tinyc("bench", MODEL, "--on", "rv32imc", *integers, "--json")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    assert document == json.loads(tinyc("bench", MODEL, "--on", "rv32imc", *integers, "--json").stdout)
    assert (document["on"], document["chips"], document["note"]) == ("rv32imc", "ESP32-C3", "")
    assert document["macs"] == 452_216 == sum(layer["macs"] for layer in document["layers"])
    assert document["instructions_per_mac"] == round(document["instructions"] / document["macs"], 3)
    assert set(document) >= {"model", "stack_bytes", "code_bytes", "arena_bytes", "weights_bytes"}
    layers = document["layers"]
    assert [layer["index"] for layer in layers] == list(range(len(layers)))
    assert all(set(layer) == {"index", "name", "operator", "macs", "instructions"} for layer in layers)
    assert min(layer["instructions"] for layer in layers) > 0
    assert sum(layer["instructions"] for layer in layers) == pytest.approx(document["instructions"], rel=0.02)
    assert {"qconv2d", "qdense"} <= {layer["operator"] for layer in layers}


def test_bench_of_floats_says_what_they_cost() -> None:
    hard = json.loads(tinyc("bench", MODEL, "--on", "rv32imafc", "--json").stdout)
    soft = json.loads(tinyc("bench", MODEL, "--on", "rv32imac", "--json").stdout)
    assert hard["note"] == ""
    assert "no floating-point unit" in soft["note"]
    assert "`quantise=QuantiseOptions(...)` makes them integers" in soft["note"]
    assert soft["instructions"] > 10 * hard["instructions"]


def test_options_that_change_the_code_change_the_count() -> None:
    counts = [
        json.loads(tinyc("bench", MODEL, "--on", "rv32imafc", *options, "--json").stdout)
        for options in ([], ["--rows-from", "callback", "--input-layout", "nhwc"], ["--rows-from", "argument"])
    ]
    assert len({c["instructions"] for c in counts}) > 1
    assert len({c["code_bytes"] for c in counts}) == 3


def test_bench_prints_a_table(tmp_path: Path) -> None:
    result = tinyc("bench", small_model(tmp_path / "relu.onnx"))
    assert result.exit_code == 0, result.output
    for word in ("rv32imc", "ESP32-C3", "instructions", "stack", "arena", "code", "weights", "100.0%", "an inference"):
        assert word in result.stdout
    assert json.loads(tinyc("bench", tmp_path / "relu.onnx", "--json").stdout)["instructions_per_mac"] is None


@pytest.mark.parametrize("on", ["host", "interpreter"])
def test_bench_counts_on_simulators_only(on: str) -> None:
    refused(tinyc("bench", MODEL, "--on", on), "simulated machines only", "rv32imc (ESP32-C3)", "rv32imafc (ESP32-P4)")


def test_unknown_machines() -> None:
    refused(tinyc("bench", MODEL, "--on", "z80"), "'z80'", "unknown", "rv32imac")
    refused(tinyc("verify", MODEL, "--on", "host,z80"), "unknown executor 'z80'", "rv32imc")
    refused(tinyc("verify", MODEL, "--on", ","), "no executor given")
    with pytest.raises(TinycError, match="unknown executor 'z80'"):
        api.execute(api.compile(MODEL, verify=False), "z80", [])


def test_run_gives_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    np.savez(tmp_path / "in.npz", image=rng.random((3, 1, 28, 28), np.float32))
    found = {}
    for on in ("host", "rv32imc", "rv32imafc"):
        out = tmp_path / f"{on}.npz"
        result = tinyc("run", MODEL, "--inputs", tmp_path / "in.npz", "--on", on, "-o", out, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["on"] == on
        with np.load(out) as arrays:
            found[on] = arrays["probabilities"]
    # The outputs are those of a softmax, whose exponential is the C library's: within a unit in the last place in each.
    np.testing.assert_array_max_ulp(found["host"], found["rv32imc"], 2)
    np.testing.assert_array_max_ulp(found["host"], found["rv32imafc"], 2)


def test_verify_on_every_machine() -> None:
    machines = [m.name for m in MACHINES.values() if m.family.runs_float and not missing_tools(m.name)]
    result = tinyc("verify", MODEL, "--on", ",".join(["host", *machines]), "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [e["executor"] for e in document["executors"]] == ["host", *machines]
    assert document["passed"] is True
    assert len({e["max_abs_error"] for e in document["executors"]}) == 1


@pytest.mark.parametrize("command", ["bench", "verify"])
def test_without_tools(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(tinyc(command, MODEL, "--on", "rv32imc"), "gcc-riscv64-unknown-elf", "picolibc", "qemu-system-misc")

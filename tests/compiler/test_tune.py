"""`tinyc tune`, and compilations with what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tinyc
from tests.c.support import need
from tests.compiler.test_cli import MODEL, refused, small_model
from tests.compiler.test_cli import tinyc as command
from tests.runners.support import need_simulator
from tinyc.backends.c.tuned import Choices, Shape, Tiling, load, shape_of, written
from tinyc.backends.runners import Measurement, SimulatorRunner
from tinyc.compiler.options import Options
from tinyc.compiler.session import Session
from tinyc.compiler.session.measure import find_machine
from tinyc.compiler.session.tuner import Tuner
from tinyc.ir.tensor import Array


@pytest.fixture
def calibration() -> list[list[Array]]:
    rng = np.random.default_rng(8)
    return [[rng.random((1, 1, 28, 28), np.float32)] for _ in range(6)]


def test_a_verified_compilation_with_a_table(tmp_path: Path, calibration: list[list[Array]]) -> None:
    """Other functions, the same bits: for every shape of the network a tile that no rule takes."""
    need("gcc")
    how = tinyc.QuantiseOptions(calibration)
    plain = tinyc.compile(MODEL, quantise=how, verify=False)
    shapes = {shape_of(stage) for stage in plain.program.stages} - {None}
    assert len(shapes) > 4
    table = tmp_path / "mine.toml"
    table.write_text(written({s: Tiling(2, 1) for s in shapes if s is not None}, "all alike"), encoding="utf-8")
    tuned = tinyc.compile(MODEL, quantise=how, tuned=table)
    assert all(verdict.passed for verdict in tuned.verdicts)
    assert tuned.source.files != plain.source.files
    image = calibration[0]
    results = [tinyc.execute(compiled, "host", [image]) for compiled in (plain, tuned)]
    assert all(np.array_equal(one, other) for one, other in zip(results[0][0], results[1][0], strict=True))
    assert tuned.source.arena_bytes == plain.source.arena_bytes


def test_a_wrong_table_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    table = tmp_path / "mine.toml"
    table.write_text('[qconv]\n"kh=3" = {tile = 3}\n', encoding="utf-8")
    told = "mine.toml, line 2: [qconv] 'kh=3': a shape is written as kh=N kw=N"
    refused(command("compile", MODEL, "--tuned", table), told)
    refused(command("compile", MODEL, "--tuned", tmp_path / "none.toml"), "none.toml")


def test_what_cannot_be_tuned(tmp_path: Path) -> None:
    relu = small_model(tmp_path / "relu.onnx")
    refused(command("tune", relu), "no simulated machine stands for target host; name one with --on")
    refused(command("tune", relu, "--on", "host"), "instructions are counted on simulated machines only")
    told = "--optimize size leaves measured tiles aside; take --optimize balanced or --optimize speed"
    refused(command("tune", relu, "--on", "rv32imc", "--optimize", "size"), told)


def test_without_tools_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = command("tune", small_model(tmp_path / "relu.onnx"), "--target", "esp32c3")
    refused(told, "the simulator needs riscv64-unknown-elf-gcc", "install with `apt install`")


@pytest.mark.parametrize(
    ("optimize", "instructions", "code", "kept"),
    [
        ("balanced", 990, 1_090, True),
        ("balanced", 990, 1_110, False),
        ("speed", 990, 1_110, True),
        ("speed", 1_000, 900, False),
    ],
)
def test_code_is_weighed(
    optimize: str, instructions: int, code: int, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percent of the instructions is worth ten of the code; for speed, any."""
    monkeypatch.setattr(SimulatorRunner, "__init__", lambda *_: None)

    def measure(runner: SimulatorRunner, inputs: list[Array]) -> Measurement:
        return Measurement(*((instructions, 0, code) if tuner.builds > 1 else (1_000, 0, 1_000)), 0, ())

    monkeypatch.setattr(SimulatorRunner, "measure", measure)
    options = Options(optimize=optimize, verify=False)  # type: ignore[arg-type]
    session = Session(small_model(tmp_path / "relu.onnx"), options)
    tuner = Tuner(session, find_machine("rv32imc"), lambda _: None)
    rules = tuner.build(Choices())
    assert rules.measured.instructions == 1_000
    choices = {Shape("qpointwise", (1, 2, 3)): Tiling(2)}
    found, best = tuner.worthwhile(choices, rules)
    assert (found, best is not rules) == ((choices, True) if kept else ({}, False))


@pytest.mark.simulator
def test_a_network_is_tuned(tmp_path: Path, calibration: list[list[Array]]) -> None:
    need_simulator()
    np.savez(tmp_path / "cal.npz", image=np.concatenate([image for (image,) in calibration]))
    integers = (
        "--quantize",
        "int8",
        "--calibration",
        tmp_path / "cal.npz",
        "--target",
        "esp32c3",
        "--optimize",
        "speed",
    )
    table = tmp_path / "mine.toml"
    done = command("tune", MODEL, *integers, "-o", table, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["on"], told["written"]) == ("rv32imc", str(table))
    assert told["after"] < told["before"]
    chosen = [layer for layer in told["layers"] if layer["choice"]]
    assert chosen
    assert sum(layer["after"] for layer in chosen) < sum(layer["before"] for layer in chosen)
    assert {f"{shape.kind} {shape}" for shape in load(table)} == {layer["shape"] for layer in chosen}
    bench = json.loads(command("bench", MODEL, *integers, "--tuned", table, "--json").stdout)
    assert (bench["instructions"], bench["code_bytes"]) == (told["after"], told["code_bytes_after"])

"""The table of instructions: a case of it is counted, wrong results and limits that are not kept show, and the C of
others runs beside."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

import benchmarks.instructions.measure as counting
from benchmarks import building, esp_nn, sheets
from benchmarks.instructions import command, onnx2c, tables
from benchmarks.instructions.cases import CASES, Case, Limits, cases_of
from benchmarks.instructions.command import main
from benchmarks.instructions.measure import Asked, measure
from benchmarks.instructions.onnx2c import folded
from benchmarks.instructions.row import Plain, Row
from benchmarks.networks import Graph, micro_mobilenet, mobilenet_v1, resnet8
from tests.kernels.support import HERE as SMALL_LIBRARIES
from tests.runners.support import need_simulator
from tests.sessions import open_onnxruntime
from tinyc.backends.runners import MACHINES, Machine, MissingTool
from tinyc.compiler.lowering.fit import FitError
from tinyc.ir.errors import TinycError

PICO = "micro_mobilenet_pico_float"
ENTRY = "void entry(const float image[1][1][96][96], float probabilities[1][10])"


@pytest.fixture(autouse=True)
def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (esp_nn.VARIABLE, onnx2c.VARIABLE):
        monkeypatch.delenv(variable, raising=False)


def small() -> onnx.ModelProto:
    """A convolution and a pool, 8x8 pixels."""
    g = Graph("small", (1, 8, 8, 8))
    g.conv("conv", g.random(8, 8, 3, 3), g.random_bias(8), pads=[1, 1, 1, 1])
    g.add("Relu", "relu")
    g.add("GlobalAveragePool", "pool")
    g.reshape("flat", 1, 8)
    return g.model((1, 8))


@pytest.mark.simulator
def test_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    need_simulator()
    status = main([PICO, "--json"])
    printed = capsys.readouterr()
    fast, dense = json.loads(printed.out)
    assert (fast["flags"], dense["flags"]) == ("-O2", "-Os")
    assert fast["macs"] == 53_808
    assert fast["instructions_per_mac"] == pytest.approx(fast["instructions"] / 53_808, abs=1e-4)
    assert dense["code"] < fast["code"]
    # Weights of 844 floats less the ten biases of the head; biases and a row of padding stand beside.
    assert fast["weights"] == 4 * 834
    assert fast["constants"] > fast["weights"]
    assert sum(layer["macs"] for layer in fast["layers"]) == 53_808
    assert dense["limits"]["instructions"] is None
    assert status == (1 if fast["missed"] else 0)
    assert "without onnx2c: --onnx2c PROGRAM" in printed.err


@pytest.mark.simulator
def test_a_limit_that_is_not_kept_shows() -> None:
    need_simulator()
    case = dataclasses.replace(CASES[PICO], limits=Limits(instructions=1000, code=1 << 20, beside=0.0001))
    (row,) = measure(PICO, case, Asked(("-Os",)))
    assert row.missed() == ["instructions", "beside"]
    assert dataclasses.replace(row, limits=Limits(row.instructions, code=row.code)).missed() == []
    (elsewhere,) = measure(PICO, case, Asked(("-Os",), options={"rows_from": "argument"}))
    assert elsewhere.limits == Limits(), "limits are for default options"


@pytest.mark.simulator
def test_another_number_than_the_interpreters_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need_simulator()
    exact = building.api.execute
    monkeypatch.setattr(building.api, "execute", lambda *a: [[x + np.float32(2e-6) for x in exact(*a)[0]]])
    assert main([PICO]) == 2
    assert "rv32imafc gives other numbers than the interpreter" in capsys.readouterr().err


@pytest.mark.simulator
def test_esp_nn_is_compiled_for_the_machine(tmp_path: Path) -> None:
    need_simulator()
    own = SMALL_LIBRARIES / "esp_nn"
    shutil.copytree(own / "include", tmp_path / "include")
    (tmp_path / "src" / "common").mkdir(parents=True)
    shutil.copy(own / "esp_nn.c", tmp_path / "src" / "common" / "esp_nn_ansi.c")
    ours, theirs = measure("small", Case(small, "rv32imc", peer="esp-nn"), Asked(("-Os",), esp_nn=str(tmp_path)))
    assert (ours.by, theirs.by.split(",")[0]) == ("tinyc", "ESP-NN ")
    assert theirs.instructions > 2 * ours.instructions, "the small implementation is a plain loop"
    with pytest.raises(TinycError, match="has no sources of ESP-NN"):
        list(measure("small", Case(small, "rv32imc", peer="esp-nn"), Asked(("-Os",), esp_nn=str(own))))


def program(folder: Path, c: str) -> str:
    """A program that prints this C, whatever the model."""
    path = folder / "onnx2c"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{c}\nEND\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.simulator
def test_the_c_of_onnx2c_must_compute_the_network(tmp_path: Path) -> None:
    need_simulator()
    wrong = program(tmp_path, f"{ENTRY} {{ probabilities[0][0] = image[0][0][0][0]; }}")
    with pytest.raises(TinycError, match="onnx2c's C gives other numbers"):
        list(measure(PICO, CASES[PICO], Asked(("-Os",), onnx2c=wrong)))
    # A dense layer of ones: the sum of four numbers.
    g = Graph("one", (1, 4))
    g.add("MatMul", "y", g.weight("w", np.ones((4, 1), np.float32)))
    right = program(
        tmp_path, "void entry(const float x[1][4], float y[1][1]) { y[0][0] = x[0][0] + x[0][1] + x[0][2] + x[0][3]; }"
    )
    case = Case(lambda: g.model((1, 1)), "rv32imafc", quantised=None, peer="onnx2c")
    ours, theirs = measure("one", case, Asked(("-O2",), onnx2c=right))
    assert (ours.by, theirs.by) == ("tinyc", "onnx2c")
    assert theirs.instructions < 40
    assert theirs.code < 60


@pytest.mark.parametrize(
    "model", [mobilenet_v1(0.25, 32), micro_mobilenet("pico"), resnet8()], ids=lambda m: m.graph.name
)
def test_folding_keeps_what_a_model_computes(model: onnx.ModelProto) -> None:
    plain = folded(model)
    assert not {"BatchNormalization", "Pad"} & {n.op_type for n in plain.graph.node}
    image = np.random.default_rng(1).random(
        [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim], np.float32
    )
    (before,), (after,) = (open_onnxruntime(m).run(None, {"image": image}) for m in (model, plain))
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)  # probabilities; weights are rounded once more


def test_what_rises_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    sheets.show(tables.sweep([(0.25, 96, 3.0), (0.25, 128, 3.02), (0.5, 96, 2.5), (0.5, 128, 2.6)]))
    lines = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert ["rises" in line for line in lines] == [False, True]
    assert lines[1].count("rises") == 1


def test_tables_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    row = Row("a", "tinyc", "rv32imc", "esp32c3", macs=1000, weights=100, flags="-O2", constants=105)
    fast = dataclasses.replace(row, instructions=3001, code=7, limits=Limits(per_mac=3.0, code=7, beside=0.05))
    dense = dataclasses.replace(row, instructions=2500, flags="-Os", code=5)
    sheets.show(tables.cases([fast, dense]), markdown=True)
    counts, judged = "3,001 | 3.00 | 7 | 2,500 | 2.50 | 5", "3,000 missed | 7 met | 5.0% of 5% met"
    assert f"| a | rv32imc | tinyc | 1,000 | {counts} | {judged} |" in capsys.readouterr().out.splitlines()


@pytest.mark.simulator
def test_what_a_chip_has_of_its_own_is_held_against_the_c_without() -> None:
    """A pointwise layer of 128 inputs behind a pool, in the memory of which it makes int16 of them."""
    need_simulator("esp32")
    g = Graph("wide", (1, 128, 8, 8))
    g.add("MaxPool", "room", kernel_shape=[2, 2], strides=[2, 2])
    g.conv("wide", g.random(64, 128, 1, 1), g.random_bias(64))
    options = {"input_layout": "nhwc", "ram": "64K"}
    limits = Limits(per_mac=2.0, pointwise=2.0, growth=0.03)
    case = Case(lambda: g.model((1, 64, 4, 4)), "esp32", limits, options=options)
    first, second = measure("wide", case, Asked(("-O2", "-Os")))
    assert first.plain is not None
    assert second.plain is None
    assert first.macs == 16 * 128 * 64
    assert first.pointwise is not None
    assert first.macs * first.pointwise < first.instructions < 0.6 * first.plain.instructions
    assert first.scratch >= 2 * 4 * 128
    assert first.arena == first.plain.arena
    assert first.missed() == []
    tight = dataclasses.replace(first, limits=Limits(per_mac=1.0, pointwise=1.0, growth=-0.01))
    assert tight.missed() == ["instructions", "per_mac", "pointwise", "growth"]


def test_a_limit_of_what_is_not_there_is_not_kept() -> None:
    row = Row("a", "tinyc", "esp32", "esp32", macs=1000, weights=100, instructions=100)
    limited = dataclasses.replace(row, limits=Limits(per_mac=1.0, pointwise=1.35, growth=0.03))
    assert limited.missed() == ["pointwise", "growth"]


def test_the_table_of_chips(capsys: pytest.CaptureFixture[str]) -> None:
    limits = Limits(per_mac=2.0, pointwise=1.35, growth=0.03)
    row = Row("a", "tinyc", "esp32", "esp32", macs=1000, weights=100, flags="-O2", limits=limits)
    row = dataclasses.replace(row, plain=Plain(5000, 1000), instructions=2001, pointwise=1.34, arena=1031)
    row = dataclasses.replace(row, scratch=64, stack=320, code=77, constants=100)
    sheets.show(tables.cases([row]), markdown=True)
    judged = "2.00 missed | 1.34 | 1.35 met | 1,031 (1,000) | 3.1% | 3% missed"
    assert f"| a | -O2 | 2,001 (5,000) | 2.00 | {judged} | 64 | 320 | 77 |" in capsys.readouterr().out.splitlines()


def test_cases_of_a_machine() -> None:
    assert cases_of("") == cases_of("rv32imac") == list(CASES)
    chips = {machine: set(cases_of(machine)) for machine in ("esp32", "esp32s3")}
    assert {name.rsplit("_", 1)[1] for machine in chips for name in chips[machine]} == set(chips)
    assert all(CASES[name].limits.growth == 0.03 for names in chips.values() for name in names)


@pytest.fixture
def no_esp32(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tools for all machines but the cores of ESP32 and ESP32-S3; each case of these others gives one row at once."""

    def tools(machine: Machine) -> None:
        if machine.name.startswith("esp32"):
            raise MissingTool("no such core")

    row = Row("", "tinyc", "", "", macs=1, weights=1, flags="-O2")
    monkeypatch.setattr(command, "tools_for", tools)
    monkeypatch.setattr(command, "measure", lambda name, case, _: [dataclasses.replace(row, case=name)])
    command._absent.cache_clear()
    yield
    command._absent.cache_clear()


@pytest.mark.usefixtures("no_esp32")
def test_cases_without_their_tools_are_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    left = [row["case"] for row in rows if row["skipped"]]
    assert left == [*cases_of("esp32"), *cases_of("esp32s3")]
    assert len(rows) == len(CASES)
    assert "ds_cnn_esp32s3 is not counted: no such core" in printed.err
    assert main(["--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| ds_cnn_esp32s3 | esp32s3 | tinyc | not counted |  |  |  |  |  |  |" in lines
    assert main(["--on", "esp32"]) == 2, "nothing was counted"


@pytest.mark.usefixtures("no_esp32")
def test_a_case_that_is_named_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object) -> None:
        raise MissingTool("no such core")

    monkeypatch.setattr(command, "measure", missing)
    assert main(["ds_cnn_esp32s3"]) == 2
    assert "error: no such core" in capsys.readouterr().err


def test_an_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["nothing"])
    assert stop.value.code == 2
    assert "no case nothing" in capsys.readouterr().err


def test_what_is_too_large_for_a_chip_is_counted_with_its_arena_in_psram(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[str] = []

    def compiled(*_: object, **options: str) -> str:
        placed.append(options.get("arena_in", "internal"))
        if placed[-1] == "internal":
            raise FitError("does not fit")
        return "made"

    monkeypatch.setattr(counting, "compiled", compiled)
    case, model = CASES[PICO], CASES[PICO].network()
    assert counting._made(PICO, case, Asked(), MACHINES["esp32"], model) == "made"
    assert placed == ["internal", "psram"]
    for machine, asked in (("rv32imc", Asked()), ("esp32", Asked(options={"arena_in": "internal"}))):
        with pytest.raises(FitError):
            counting._made(PICO, case, asked, MACHINES[machine], model)

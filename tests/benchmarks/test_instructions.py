"""The table of instructions: a case of it is counted, wrong results and limits that are not kept show, and the C of
others runs beside."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import benchmarks.instructions.measure as counting
from benchmarks import building, esp_nn, sheets
from benchmarks.instructions import onnx2c, tables
from benchmarks.instructions.cases import CASES, Case, Limits
from benchmarks.instructions.command import main
from benchmarks.instructions.measure import Asked, measure
from benchmarks.instructions.onnx2c import folded
from benchmarks.instructions.row import Row
from benchmarks.networks import Graph, micro_mobilenet, mobilenet_v1, resnet8
from tests.kernels.support import HERE as SMALL_LIBRARIES
from tests.runners.support import need_simulator
from tests.sessions import open_onnxruntime
from tinyc.backends.runners import MACHINES
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

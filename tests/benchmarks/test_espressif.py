"""Layers by ESP-NN and by tinyc: what is counted is the layer, what is wrong or missing shows, and who is faster."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import esp_nn, sheets
from benchmarks.espressif import command, measure, tables
from benchmarks.espressif.layers import LAYER, LAYERS, Layer
from benchmarks.espressif.measure import ALONE, OURS, Row
from benchmarks.instructions.cases import TARGETS
from benchmarks.networks import Graph
from tests.kernels.support import HERE as SMALL_LIBRARIES
from tests.runners.support import need_simulator
from tinyc.backends.runners import MACHINES, Machine, MissingTool
from tinyc.ir import DType

REAL = os.environ.get(esp_nn.VARIABLE, "")
POOL = "max_pool2x2_24x24x32"
ROWS = [
    Row("a", "esp32", "ESP-NN ANSI C", "-O2", 100, 10, instructions=900),
    Row("a", "esp32", "ESP-NN optimised C", "-O2", 100, 10, instructions=300),
    Row("a", "esp32", OURS, "-O2", 100, 10, instructions=150, limit=1.35),
    Row("a", "esp32", ALONE, "-O2", 100, 10, instructions=400),
]


@pytest.fixture(autouse=True)
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(esp_nn.VARIABLE, raising=False)


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_counted_is_one_integer_layer(name: str) -> None:
    for room in (True, False):
        made = measure._made(name, "esp32s3", room)
        stage = made.program.stages[measure._number(made)]
        assert stage.result.dtype is DType.I8
        assert not stage.loc.startswith(("room", "before"))
        assert all(s.op.macs() == 0 for s in made.program.stages[measure._number(made) + 1 :])


def test_each_kind_of_layer_is_there_and_has_the_size_of_its_name() -> None:
    kinds = {name.split("_")[0] for name in LAYERS}
    assert kinds == {"pointwise", "conv3x3", "depthwise3x3", "stem3x3", "dense", "max", "avg", "mean", "add"}
    made = measure._made("depthwise3x3_stride2_24x24x32", "esp32", room=False)
    op = made.program.stages[measure._number(made)].op
    assert (op.operands[0].shape, op.type.shape, op.macs()) == ((1, 24, 24, 32), (1, 12, 12, 32), 12 * 12 * 32 * 9)


def test_both_machines_have_forms_and_targets() -> None:
    for machine, forms in esp_nn.FORMS.items():
        assert machine in MACHINES
        assert {form.target or TARGETS[machine] for form in forms} <= set(TARGETS.values())
        assert esp_nn.best_form(MACHINES[machine]) is forms[-1]
    assert esp_nn.best_form(MACHINES["rv32imc"]) is esp_nn.PORTABLE


def sources(folder: Path, old: str = "", new: str = "") -> str:
    """The small implementation as a folder of sources, with something in it replaced."""
    own = SMALL_LIBRARIES / "esp_nn"
    shutil.copytree(own / "include", folder / "include")
    (folder / "src" / "common").mkdir(parents=True)
    text = (own / "esp_nn.c").read_text(encoding="ascii")
    assert old in text
    (folder / "src" / "common" / "esp_nn_ansi.c").write_text(text.replace(old, new) if old else text)
    return str(folder)


@pytest.mark.simulator
def test_a_layer_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_simulator("esp32")
    arguments = [POOL, "--on", "esp32", "--flags=-Os", "--esp-nn", sources(tmp_path), "--json"]
    assert command.main(arguments) == 0
    printed = capsys.readouterr()
    ansi, optimised, ours, alone = json.loads(printed.out)
    assert [row["by"] for row in (ansi, optimised, ours, alone)] == ["ESP-NN ANSI C", "ESP-NN optimised C", OURS, ALONE]
    assert {row["elements"] for row in (ansi, optimised, ours, alone)} == {12 * 12 * 32}
    # The pooling of the larger image in front takes four times as much.
    assert 12 * 12 * 32 * 5 < ours["instructions"] < 12 * 12 * 32 * 25
    assert ansi["instructions"] > 1.5 * ours["instructions"], "the small implementation is a plain loop"
    assert ansi["arena"] >= ours["arena"] > alone["arena"]
    assert "of an unknown version" in printed.err


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("fault", "told"), [("x += 1;", "other numbers than the interpreter"), ("y += 1;", "wrote outside its arena")]
)
def test_a_library_that_is_wrong_has_no_number(
    fault: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_simulator("esp32")
    line = "    pool(0, x, "
    folder = sources(tmp_path, line, f"    {fault}\n{line}")
    assert command.main([POOL, "--on", "esp32", "--esp-nn", folder, "--markdown"]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("| wrong | wrong |") == 1
    assert told in printed.err


@pytest.mark.simulator
def test_a_layer_that_is_not_called_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_simulator("esp32")

    def dilated(graph: Graph) -> tuple[int, ...]:
        graph.conv(LAYER, graph.random(8, 8, 3, 3), graph.random_bias(8), dilations=[2, 2])
        return 1, 8, 4, 4

    monkeypatch.setattr(measure, "LAYERS", {"dilated": Layer((8, 8, 8), dilated, {"esp32": 0.01})})
    ansi, _, ours, _ = measure.measure(["dilated"], MACHINES["esp32"], "-O2", sources(tmp_path))
    assert (ansi.instructions, ansi.wrong) == (None, False)
    assert ansi.because == "not called: dilation: dilations are ignored"
    assert ours.missed


@pytest.mark.simulator
@pytest.mark.skipif(not REAL, reason=f"{esp_nn.VARIABLE} names no sources of ESP-NN")
def test_its_assembly_is_what_is_counted() -> None:
    need_simulator("esp32s3")
    names = ["avg_pool2x2_24x24x32", "dense_256_64"]
    for slow, fast, ours, _ in batches(measure.measure(names, MACHINES["esp32s3"], "-O2", REAL)):
        assert slow.instructions is not None
        assert fast.instructions is not None
        assert fast.instructions * 3 < slow.instructions
        assert ours.instructions is not None


def batches(rows: Iterator[Row], size: int = 4) -> Iterator[tuple[Row, ...]]:
    """The rows of one layer after the other."""
    yield from zip(*[rows] * size, strict=True)


def given(rows: Sequence[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured on esp32; there is nothing for other machines."""

    def found(_: Sequence[str], machine: Machine, *__: str) -> Iterator[Row]:
        if machine.name != "esp32":
            raise MissingTool("a simulator of that core is missing")
        yield from rows

    monkeypatch.setattr(command, "measure", found)


def test_what_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(ROWS[2:], monkeypatch)
    assert command.main([]) == 2
    told = capsys.readouterr().err
    assert f"without esp-nn: --esp-nn FOLDER, or {esp_nn.VARIABLE}" in told
    assert "esp32s3 is not counted: a simulator of that core is missing" in told
    need_simulator("esp32")
    with pytest.raises(MissingTool, match="has no sources of ESP-NN"):
        next(measure.measure([POOL], MACHINES["esp32"], "-O2", str(tmp_path)))


@pytest.mark.parametrize(("ours", "status"), [(135, 0), (136, 1)])
def test_a_limit_that_is_not_kept_shows(
    ours: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given([*ROWS[:2], replace(ROWS[2], instructions=ours), ROWS[3]], monkeypatch)
    assert command.main(["--on", "esp32", "--esp-nn", "somewhere", "--markdown"]) == status
    judged = "missed" if status else "met"
    cells = f"900 (9.00) | 300 (3.00) | {ours} ({ours / 100:.2f}) | 400 (4.00) | {300 / ours:.1f} | 1.35 {judged}"
    assert f"| a | 100 | MAC | {cells} |" in capsys.readouterr().out.splitlines()


def test_who_is_faster_is_told() -> None:
    assert tables.notes(ROWS) == ["a on esp32: ESP-NN optimised C takes 300, tinyc alone 400"]
    slow = replace(ROWS[2], instructions=1000)
    assert len(tables.notes([*ROWS[:2], slow])) == 2


def test_layers_without_products_are_counted_by_element(capsys: pytest.CaptureFixture[str]) -> None:
    row = replace(ROWS[2], macs=0, limit=None)
    sheets.show(tables.side_by_side([row]), markdown=True)
    assert "| a | 10 | element | 150 (15.00) |  |  |" in capsys.readouterr().out.splitlines()
    assert row.document()["each"] == 15


def test_an_unknown_layer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["nothing"])
    assert stop.value.code == 2
    assert "no case nothing" in capsys.readouterr().err

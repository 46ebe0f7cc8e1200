"""The session: each step is taken once, and no command goes further than it has to."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyc
from tests.compiler.test_cli import small_model
from tests.compiler.test_cli import tinyc as command
from tests.helpers import ROOT
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering import steps as lowering
from tinyc.compiler.options import Options
from tinyc.compiler.options.quantise import QuantiseOptions
from tinyc.compiler.session import Session
from tinyc.compiler.session import session as steps

X = np.array([[-1, 0, 2, -3]], np.float32)
STEPS = ("imported", "calibration", "evidence", "agreed", "optimised", "quantised", "lowered", "source", "compilation")


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return small_model(tmp_path / "relu.onnx")


def taken(session: Session) -> list[str]:
    """The steps that have been taken."""
    return [name for name in STEPS if name in vars(session)]


@pytest.mark.parametrize(
    ("ask", "last"),
    [
        (lambda s: s.macs, "imported"),
        (lambda s: s.agreed, "agreed"),
        (lambda s: s.quantised, "quantised"),
        (lambda s: s.verdict("interpreter"), "source"),
        (lambda s: s.compilation, "compilation"),
    ],
)
def test_a_session_goes_as_far_as_it_is_asked_to(ask: Callable[[Session], Any], last: str, relu: Path) -> None:
    session = Session(relu, Options())
    assert taken(session) == []
    ask(session)
    wanted = STEPS[: STEPS.index(last) + 1]
    assert taken(session) == list(wanted)


def test_each_step_is_taken_once(relu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, int] = {}
    for name in ("import_model", "check_import", "evidence_from", "quantised_module", "lower", "generate_code"):
        original = getattr(steps, name)

        def counted(*arguments: Any, name: str = name, original: Any = original) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return original(*arguments)

        monkeypatch.setattr(steps, name, counted)
    session = Session(relu, Options())
    assert session.compilation is session.compilation
    assert session.verdict("host").passed
    assert session.run("interpreter")
    assert set(counts.values()) == {1}
    assert len(counts) == 6


def test_the_steps_say_what_they_do(relu: Path) -> None:
    said: list[str] = []
    how = QuantiseOptions(Calibration([[X]]))
    Session(relu, Options(quantise=how), progress=said.append).compilation  # noqa: B018
    order = ["import", "compare the import with the reference", "pass eliminate-dead", "pass integerise"]
    order += ["pass lower-to-rows", "generate C", "verify on interpreter", "verify on host"]
    assert [s for s in said if s in order] == order


def test_wrong_options_are_found_before_the_model_is_read() -> None:
    for options in (
        {"target": "esp99"},
        {"cores": 2, "target": "esp32c3"},
        {"name": "9"},
        {"format": "idf", "target": "host"},
        {"debug_passes": ["nonsense"]},
    ):
        with pytest.raises(tinyc.TinycError) as caught:
            Session("absent.onnx", Options(**options))  # type: ignore[arg-type]
        assert "absent.onnx" not in str(caught.value)


def test_many_inputs_are_compared_on_all_executors_and_few_passes(relu: Path) -> None:
    inputs = np.random.default_rng(0).normal(size=(20, 1, 4)).astype(np.float32)
    session = Session(relu, Options(), inputs={"x": inputs})
    assert session.verdict("host").samples == 20
    assert len(session.evidence.few) == 8


def test_quantise_compares_the_import_as_compile_does(relu: Path, tmp_path: Path, monkeypatch: Any) -> None:
    calls: list[object] = []
    original = steps.check_import
    monkeypatch.setattr(steps, "check_import", lambda *a: calls.append(a) or original(*a))
    tinyc.quantize(relu, tmp_path / "q.onnx", QuantiseOptions(Calibration([[X]])))
    assert calls


def test_a_verdict_has_a_reference_without_the_other_comparisons(relu: Path, monkeypatch: Any) -> None:
    """Without one, the outputs would be compared with themselves."""
    calls: list[object] = []
    original = steps.check_import
    monkeypatch.setattr(steps, "check_import", lambda *a: calls.append(a) or original(*a))
    assert tinyc.verify(relu, on=["interpreter"], verify=False)[0].passed
    assert len(calls) == 1
    tinyc.compile(relu, verify=False)
    assert len(calls) == 1


def test_a_step_that_is_taken_again_records_its_passes_once(
    relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Session(relu, Options(dump_ir=tmp_path / "once"))
    names = [record.name for record in wanted.lowered.records]

    def full(*_: object) -> None:
        raise tinyc.TinycError("not today")

    session = Session(relu, Options(dump_ir=tmp_path / "twice"))
    with monkeypatch.context() as patch:
        patch.setattr(lowering, "check_budget", full)
        with pytest.raises(tinyc.TinycError, match="not today"):
            session.lowered  # noqa: B018
    assert [record.name for record in session.lowered.records] == names
    files = [{f.name for f in (tmp_path / name).iterdir()} for name in ("once", "twice")]
    assert files[0] == files[1]
    assert {f[:2] for f in files[0]} == {f"{n:02d}" for n in range(len(names) + 1)}


def test_verify_looks_at_the_options_of_the_package(relu: Path) -> None:
    """It verifies the C that `compile` would write."""
    with pytest.raises(tinyc.TinycError, match="`arena_in=psram`"):
        tinyc.verify(relu, on=["host"], arena_in="psram")
    assert tinyc.verify(relu, on=["host"], arena_in="psram", target="esp32s3", format="c")[0].passed


def test_inspect_does_not_compile(relu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "lower", None)
    assert command("inspect", relu).exit_code == 0


def test_the_session_reads_in_one_go() -> None:
    """It knows its steps, and few files of ours; the command line knows the session."""
    tree = ast.parse((ROOT / "compiler" / "session" / "session.py").read_text(encoding="utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and str(n.module).startswith("tinyc.")}
    assert len(modules) <= 16, sorted(map(str, modules))

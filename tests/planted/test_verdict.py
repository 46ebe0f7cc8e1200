"""The verdict itself: whatever differs, wherever, the commands and the library stop, say where, and write nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyc
from tests.planted.network import images
from tests.planted.plant import Fault, in_c, on_call, on_result, params, planted
from tests.planted.test_import_and_passes import SKIPPED, clamp_to_eight
from tests.planted.test_rows import short_ring
from tinyc.compiler.cli import app, main
from tinyc.compiler.frontend import elementwise
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.verify import verdict as verify
from tinyc.passes.core.manager import PassVerificationError
from tinyc.passes.quantise import scales
from tinyc.passes.stream import Stream

Model = Callable[[float], Path]


def halved(original: Any, *arguments: Any, **options: Any) -> Any:
    return [a / 2 for a in original(*arguments, **options)]


FAULTS = [
    Fault("import", on_call(elementwise, "Clamp", clamp_to_eight), "import differs.*'stem_relu6'"),
    Fault("tensor pass", SKIPPED, "pass fuse-activation"),
    Fault("row pass", on_result(Stream, short_ring), "pass stream-rows"),
    Fault("row program", on_call(verify, "run_program", halved), "on interpreter: .*output 'classes_out'"),
    Fault("C", in_c("v = v <= low [?] low : v;", ";"), "on host: layer 1, .*stem"),
    Fault("C's memory", in_c(r"(\*const stem_relu6_out = .*mem \+ )\d+", r"\g<1>0 - 4"), "on host: .*layer 1, .*stem"),
    Fault("C that is none", in_c("void planted_run", "void planted_walk"), "on host: .*does not compile"),
]


def coarse(original: Any, *arguments: Any) -> Any:
    """Weights in steps forty times as large as they should be."""
    return original(*arguments) * np.float32(40)


COARSE = Fault(
    "quality",
    on_call(scales, "weight_scales", coarse),
    "layer",
)


def status(*arguments: object) -> int:
    """What `tinyc` returns to the shell."""
    with pytest.raises(SystemExit) as ended:
        main(lambda: app([str(a) for a in arguments]))
    return int(ended.value.code or 0)


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, hidden files too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def compiled(model_of: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the output of an earlier run, of the network as it should be."""
    folder = tmp_path_factory.mktemp("compiled")
    assert status("compile", model_of(1.0), "-o", folder / "out") == 0
    return folder


@pytest.mark.parametrize("fault", params(FAULTS))
def test_compile_stops_and_writes_nothing(
    fault: Fault,
    model_of: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with planted(fault, monkeypatch):
        assert status("compile", model_of(fault.loud), "-o", tmp_path / "new" / "out") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(fault.blamed, words(said.err)), said.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("fault", params(FAULTS))
def test_an_old_output_stays_as_it_was(
    fault: Fault,
    model_of: Model,
    compiled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = tree(compiled)
    capsys.readouterr()
    with planted(fault, monkeypatch):
        assert status("compile", model_of(fault.loud), "-o", compiled / "out", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"error", "status"}
    assert told["status"] == 1
    assert re.search(fault.blamed, words(told["error"])), told
    assert tree(compiled) == before


@pytest.mark.parametrize("fault", params(FAULTS))
def test_the_library_raises(fault: Fault, model_of: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (VerificationError, PassVerificationError)
    with planted(fault, monkeypatch), pytest.raises(kinds, match=fault.blamed):
        tinyc.compile(model_of(fault.loud), output=tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("fault", params(FAULTS))
def test_verify_says_so(
    fault: Fault, model_of: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with planted(fault, monkeypatch):
        assert status("verify", model_of(fault.loud), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert not told.get("passed", False)
    assert re.search(fault.blamed.split(": ", 1)[-1], json.dumps(told, ensure_ascii=False)), told


@pytest.mark.slow
@pytest.mark.parametrize("fault", params([COARSE]))
def test_coarse_quantisation_is_not_written(
    fault: Fault,
    model_of: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "images.npz"
    np.savez(data, image=np.concatenate(images()))
    arguments = ("compile", model_of(1.0), "--quantize", "int8", "--calibration", data, "-o", tmp_path / "out")
    with planted(fault, monkeypatch):
        left = status(*arguments)
    if left == 0:
        pytest.fail("compiled")
    assert left == 1
    assert re.search(fault.blamed, words(capsys.readouterr().err))
    assert [p.name for p in tmp_path.iterdir()] == ["images.npz"]

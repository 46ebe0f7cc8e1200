"""The README's code does what it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyc
from tests.helpers import ROOT, run
from tinyc.ir import Builder, DType, TensorType
from tinyc.ir.ops import Clamp, Neg
from tinyc.passes.tensor.eliminate_dead import EliminateDead

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_custom_pass() -> None:
    (source,) = [b for b in blocks("python") if "class CancelNegations" in b]
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec"), names)
    b = Builder("net")
    x = b.input("x", TensorType((3,), DType.F32))
    module = b.build([b.add(Clamp(b.add(Neg(b.add(Neg(x)))), min=0.0))])
    made = names["CancelNegations"]().run(module)  # type: ignore[operator]
    assert [n.op.mnemonic for n in made.nodes] == ["clamp"]
    sample = [np.array([-1, 0, 2], np.float32)]
    np.testing.assert_array_equal(run(made, sample)[0], run(module, sample)[0])


def test_the_library_example_uses_what_there_is() -> None:
    report = tinyc.compile(ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx", verify=False).report
    assert "arena_bytes" in report["ram"]
    assert "macs" in report


def test_the_library_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (source,) = [b for b in blocks("python") if "tinyc.compile" in b]
    shutil.copy(ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx", tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "README.md", "exec"), {"image": np.zeros((1, 1, 28, 28), np.float32)})
    assert (tmp_path / "model_esp32" / "report.json").exists()
    sizes, *arrays = capsys.readouterr().out.split("\n", 1)
    assert sizes.split()[1] == "452216"
    assert "".join(arrays).count("[[") == 2


def test_the_custom_pass_at_its_place() -> None:
    assert "--after fold-batch-norm" in README
    (call,) = re.findall(r"`(extra_passes=.*?)`", README)
    names = {"tinyc": tinyc, "CancelNegations": EliminateDead}
    made = eval(f"dict({call})", names)["extra_passes"]
    tinyc.compile(ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx", verify=False, extra_passes=made)


def test_every_command_is_documented() -> None:
    from tinyc.compiler.cli import app

    for command in app.registered_commands:
        assert f"`tinyc {command.name}" in README

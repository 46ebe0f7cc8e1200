"""Misuses of the library and the command line: each raises `TinycError`, or gives status 2, with one clear line."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

import tinyc
from tests.compiler.test_cli import MODEL, refused, small_model
from tests.compiler.test_cli import tinyc as command
from tests.helpers import ROOT
from tinyc.compiler.cli import app
from tinyc.compiler.cli.flags import FLAGS, as_flags
from tinyc.compiler.data.calibration import Calibration
from tinyc.passes import Pass

X = np.zeros((1, 4), np.float32)


class Nothing(Pass):
    """Changes nothing."""

    def run(self, module: Any) -> Any:
        return module


@pytest.fixture(scope="module")
def relu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("model") / "relu.onnx")


@pytest.fixture(scope="module")
def compiled(relu: Path) -> tinyc.Compilation:
    return tinyc.compile(relu, verify=False)


def one_line(message: str, *words: str) -> None:
    assert "\n" not in message
    assert len(message) < 500
    for word in words:
        assert word in message, message


OPTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"row_from": "callback"}, ("has no option `row_from`", "did you mean `rows_from`?")),
    ({"zzz": 1}, ("has no option `zzz`", "`target`", "`ram`")),
    ({"rows_from": "x"}, ("`rows_from`", "'arena', 'argument', 'callback'", "'x'")),
    ({"rows_to": "arena"}, ("`rows_to`", "'argument', 'callback'", "'arena'")),
    ({"output_layout": "nchw"}, ("`output_layout`", "'nhwc'", "'nchw'")),
    ({"rows_from": None}, ("`rows_from`", "None")),
    ({"input_layout": "nchw"}, ("`input_layout`", "'nhwc'", "'nchw'")),
    ({"format": "zip"}, ("`format`", "'idf'", "'zip'")),
    ({"format": 3}, ("`format`", "3")),
    ({"kernels": "fast"}, ("`kernels`", "'esp-nn'", "'fast'")),
    ({"optimize": "fast"}, ("`optimize`", "'speed', 'balanced', 'size'", "'fast'")),
    ({"optimize": 2}, ("`optimize`", "2")),
    ({"optimize": None}, ("`optimize`", "None")),
    ({"arena_in": "flash"}, ("`arena_in`", "'psram'", "'flash'")),
    ({"weights_in": "psram"}, ("`weights_in=psram` is not possible",)),
    ({"weights_in": 0}, ("`weights_in`", "a text", "0")),
    ({"ram": -1}, ("`ram`", "from 1", "-1")),
    ({"ram": 0}, ("`ram`", "from 1", "0")),
    ({"ram": "64 parsecs"}, ("`ram`", "64K or 1M", "'64 parsecs'")),
    ({"ram": "9" * 400 + "K"}, ("`ram`", "64K or 1M")),
    ({"ram": 1.5}, ("`ram`", "a whole number", "1.5")),
    ({"ram": True}, ("`ram`", "True")),
    ({"cores": 3}, ("`cores`", "3")),
    ({"cores": 0}, ("`cores`", "0")),
    ({"cores": "2"}, ("`cores`", "'2'")),
    ({"target": "esp8266"}, ("unknown target 'esp8266'",)),
    ({"target": None}, ("`target`", "a text", "None")),
    ({"target": "absent.toml"}, ("absent.toml", "No such file")),
    ({"name": "a b"}, ("`name`", "not a C identifier")),
    ({"name": "n" * 300}, ("`name`", "300 characters")),
    ({"name": 7}, ("`name`", "a text")),
    ({"verify": "yes"}, ("`verify`", "True or False", "'yes'")),
    ({"force": 1}, ("`force`", "True or False")),
    ({"input_shapes": [1, 4]}, ("`input_shapes`", "a mapping")),
    ({"input_shapes": {"x": "1,4"}}, ("`input_shapes`", "a mapping")),
    ({"input_shapes": {"x": (1, -4)}}, ("`input_shapes`",)),
    ({"input_shapes": {"z": (1, 4)}}, ("z",)),
    ({"input_shapes": {"x": (1, 5)}}, ("x", "[1, 5]")),
    ({"extra_passes": Nothing()}, ("`extra_passes`", "a list")),
    ({"extra_passes": [Nothing]}, ("`extra_passes`", "the class Nothing", "instance")),
    ({"extra_passes": ["simplify"]}, ("`extra_passes`", "'simplify'")),
    ({"debug_passes": "simplify"}, ("`debug_passes`", "a list")),
    ({"debug_passes": ["nonsense"]}, ("no pass nonsense",)),
    ({"trace": "print"}, ("`trace`", "a function")),
    ({"dump_ir": 3}, ("`dump_ir`", "3")),
    ({"dump_ir": "/dev/null/ir"}, ("cannot write the IR", "/dev/null/ir")),
    ({"quantise": "int8"}, ("`quantise`", "QuantiseOptions", "'int8'")),
    ({"samples": X}, ("`samples`",)),
    ({"samples": []}, ("`samples` holds no inputs",)),
    ({"samples": [[X, X]]}, ("`samples`", "2 array(s)")),
    ({"samples": [[np.zeros((1, 5), np.float32)]]}, ("`samples`", "[1, 5]", "[1, 4]")),
    ({"samples": [[np.zeros((1, 4))]]}, ("`samples`", "float64", "float32")),
    ({"samples": ["x"]}, ("`samples`",)),
    ({"output": 5}, ("`output`", "5")),
    ({"output": "/dev/null"}, ("/dev/null", "is a file")),
    ({"output": "o" * 300}, ("cannot write", "too long")),
    ({"output": "a\0b"}, ("cannot write", "null")),
    ({"progress": "loud"}, ("`progress`", "a function")),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS, ids=[str(o)[:60] for o, _ in OPTIONS])
def test_options_of_compile(options: dict[str, Any], words: tuple[str, ...], relu: Path) -> None:
    with pytest.raises(tinyc.TinycError) as caught:
        tinyc.compile(relu, **options)
    one_line(str(caught.value), *words)


PACKING = {"output", "progress", "format", "arena_in", "weights_in"}
"""What a verification has no use for, or checks by the same types."""


@pytest.mark.parametrize(("options", "words"), [case for case in OPTIONS if not PACKING & set(case[0])][:20])
def test_options_of_verify(options: dict[str, Any], words: tuple[str, ...], relu: Path) -> None:
    with pytest.raises(tinyc.TinycError) as caught:
        tinyc.verify(relu, on=["interpreter"], **options)
    one_line(str(caught.value), *words)


SAMPLES = Calibration([[X]])
CALLS: dict[str, tuple[Callable[[Path, Any], object], tuple[str, ...]]] = {
    "no model": (lambda m, c: tinyc.compile(None), ("`model`", "None")),  # type: ignore[arg-type]
    "nothing": (lambda m, c: tinyc.compile(), ("model",)),  # type: ignore[call-arg]
    "bytes": (lambda m, c: tinyc.compile(b"m.onnx"), ("the model is not an ONNX file",)),
    "a directory": (lambda m, c: tinyc.compile(m.parent), ("is a directory",)),
    "an absent model": (lambda m, c: tinyc.compile("absent.onnx"), ("absent.onnx", "No such file")),
    "a long path": (lambda m, c: tinyc.compile("m" * 300), ("cannot be read", "too long")),
    "NUL": (lambda m, c: tinyc.compile("m\0.onnx"), (r"'m\x00.onnx'", "null")),
    "not UTF-8": (lambda m, c: tinyc.compile("\udcff.onnx"), (r"'\udcff.onnx'", "No such file")),
    "positions": (lambda m, c: tinyc.compile(m, "esp32"), ("compile",)),  # type: ignore[call-arg, arg-type]
    "load an option": (lambda m, c: tinyc.load(m, layout="nhwc"), ("`layout`", "input_layout")),  # type: ignore[call-arg]
    "load a layout": (lambda m, c: tinyc.load(m, input_layout="x"), ("`input_layout`", "'x'")),  # type: ignore[arg-type]
    "load a shape": (lambda m, c: tinyc.load(m, input_shapes=3), ("`input_shapes`", "3")),  # type: ignore[arg-type]
    "load nothing": (lambda m, c: tinyc.load(""), ("is a directory",)),
    "execute a path": (lambda m, c: tinyc.execute(m, "host", [[X]]), ("`compilation`",)),  # type: ignore[arg-type]
    "execute nowhere": (lambda m, c: tinyc.execute(c, "gpu", [[X]]), ("unknown executor 'gpu'",)),
    "execute on None": (lambda m, c: tinyc.execute(c, None, [[X]]), ("`executor`",)),  # type: ignore[arg-type]
    "execute one array": (lambda m, c: tinyc.execute(c, "interpreter", X), ("`samples`",)),  # type: ignore[arg-type]
    "execute a shape": (lambda m, c: tinyc.execute(c, "interpreter", [[X[0]]]), ("`samples`", "[4]", "[1, 4]")),
    "execute a type": (lambda m, c: tinyc.execute(c, "host", [[X.astype(int)]]), ("`samples`", "int64")),
    "execute on too much": (lambda m, c: tinyc.execute(c, "host", [[X, X]]), ("`samples`", "2 array(s)")),
    "verify on a text": (lambda m, c: tinyc.verify(m, on="host"), ("`on`", "a list", "'host'")),
    "verify on nothing": (lambda m, c: tinyc.verify(m, on=[]), ("no executor",)),
    "verify on gpu": (lambda m, c: tinyc.verify(m, on=["gpu"]), ("unknown executor 'gpu'",)),
    "verify a list": (lambda m, c: tinyc.verify(m, arrays=[X]), ("`arrays`",)),  # type: ignore[arg-type]
    "verify a shape": (lambda m, c: tinyc.verify(m, arrays={"x": X[0]}), ("'x'", "[1, 4]", "[4]")),
    "verify no name": (lambda m, c: tinyc.verify(m, arrays={"z": X}), ("'z'", "'x'")),
    "verify a file": (lambda m, c: tinyc.verify(m, arrays="absent.npy"), ("no file absent.npy",)),
    "write nowhere": (lambda m, c: c.write(None), ("`folder`", "None")),
    "write into a file": (lambda m, c: c.write("/dev/null"), ("is a file",)),
    "no calibration": (lambda m, c: tinyc.QuantiseOptions(), ("calibration",)),  # type: ignore[call-arg]
    "a number as calibration": (lambda m, c: tinyc.QuantiseOptions(3), ("`calibration`", "3")),  # type: ignore[arg-type]
    "an observer": (lambda m, c: tinyc.QuantiseOptions("x", observer="y"), ("`observer`", "'y'", "percentile")),
    "an input type": (lambda m, c: tinyc.QuantiseOptions("x", input_type="i8"), ("`input_type`", "'i8'")),  # type: ignore[arg-type]
    "keep_float": (lambda m, c: tinyc.QuantiseOptions("x", keep_float="conv"), ("`keep_float`", "a list")),  # type: ignore[arg-type]
    "quantize": (lambda m, c: tinyc.QuantiseOptions("x", normalize=1), ("`normalize`", "`normalise`")),  # type: ignore[call-arg]
    "absent calibration": (
        lambda m, c: tinyc.compile(m, quantise=tinyc.QuantiseOptions("absent.npz")),
        ("no file absent.npz",),
    ),
    "calibration of a shape": (
        lambda m, c: tinyc.compile(m, quantise=tinyc.QuantiseOptions(Calibration([[X[0]]]))),
        ("`calibration`", "[4]"),
    ),
    "no samples": (
        lambda m, c: tinyc.compile(m, quantise=tinyc.QuantiseOptions(Calibration([]))),
        ("`calibration` holds no inputs",),
    ),
    "labels": (
        lambda m, c: tinyc.compile(m, quantise=tinyc.QuantiseOptions(Calibration([[X]], (1, 2)))),
        ("2 labels for 1 inputs",),
    ),
    "Options": (lambda m, c: tinyc.Options(Ram=3), ("`Ram`", "`ram`")),  # type: ignore[call-arg]
    "replace": (lambda m, c: dataclasses.replace(tinyc.Options(), ram=-1), ("`ram`", "-1")),
}


@pytest.mark.parametrize("what", CALLS)
def test_calls(what: str, relu: Path, compiled: tinyc.Compilation) -> None:
    call, words = CALLS[what]
    with pytest.raises(tinyc.TinycError) as caught:
        call(relu, compiled)
    one_line(str(caught.value), *words)


def test_what_is_right_passes(relu: Path) -> None:
    shapes = {"x": [np.int64(1), 4]}
    found = tinyc.compile(str(relu), input_shapes=shapes, extra_passes=[Nothing()], ram=np.int64(4096), samples=[[X]])
    assert found.verdicts[0].passed
    assert tinyc.load(relu, input_shapes={"x": (1, 4)}).inputs[0].name == "x"
    assert tinyc.verify(relu, on=("interpreter",), arrays=np.ones((3, 1, 4), np.float32))[0].samples == 3


def flags() -> set[str]:
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    return {flag for c in commands for parameter in c.params for flag in parameter.opts}


def test_every_option_has_the_flag_that_the_command_line_has() -> None:
    assert set(FLAGS.values()) <= flags()
    assert as_flags("`rows_from=callback`, `ram` and `force=True`; `none` is no option") == (
        "--rows-from callback, --ram and --force; `none` is no option"
    )
    assert as_flags('`input_shapes={"a b": (1, <n>, 3)}`') == "--input-shape a b=1,<n>,3"
    assert as_flags("`quantise=QuantiseOptions(...)`") == "--quantize int8"


def test_the_library_speaks_of_options() -> None:
    """Only the files of the command line spell flags."""
    own = ROOT / "compiler" / "cli"
    known = sorted(f"{flag}" for flag in flags() if flag.startswith("--"))
    for folder in ("compiler", "passes", "ir", "backends"):
        for file in (ROOT / folder).rglob("*.py"):
            if own not in file.parents:
                text = file.read_text(encoding="utf-8")
                found = [flag for flag in known if f"{flag} " in text or f"{flag}:" in text or f"`{flag}" in text]
                assert not found, f"{file}: {found}"


USERS = '''
from tinyc.ir import Module
from tinyc.passes import Pass, rewrite


class {name}(Pass, name="{name}"):
    """A pass with a fault."""

    def run(self, module):
        {body}


def rule(node, rewriter):
    return node.nonsense
'''
FAULTS = {
    "raises": ("return {}['lost']", 1, 10, "KeyError: 'lost'"),
    "divides": ("return 1 / 0", 1, 10, "ZeroDivisionError: division by zero"),
    "rule": ("return rewrite(module, [rule])", 1, 14, "AttributeError"),
    "nothing": ("pass", 0, 0, "run gave NoneType, it has to give a Module"),
    "text": ("return 'module'", 0, 0, "run gave str"),
    "recursion": ("return self.run(module)", 1, 10, "RecursionError"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_pass_of_the_users(
    fault: str, relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, has_line, line, what = FAULTS[fault]
    (tmp_path / f"faulty_{fault}.py").write_text(USERS.format(name=f"Faulty_{fault}", body=body))
    monkeypatch.chdir(tmp_path)
    message = refused(command("compile", relu, "-o", "out", "--pass", f"faulty_{fault}:Faulty_{fault}"))
    one_line(message, f"pass Faulty_{fault}: ", what)
    assert not has_line or f"faulty_{fault}.py:{line}: " in message
    assert not (tmp_path / "out").exists()


MALFORMED = {
    "nodes": ("return Module(module.name, module.inputs, (1, 2), module.outputs)", "nodes has int where Node belongs"),
    "list": ("return Module(module.name, module.inputs, list(module.nodes), module.outputs)", "nodes is a tuple"),
    "undefined": ("return Module(module.name, (), module.nodes, module.outputs)", "used before it is defined"),
    "no_outputs": ("return Module(module.name, module.inputs, module.nodes, ())", "at least one output"),
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_pass_that_leaves_a_malformed_module(
    fault: str, relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, what = MALFORMED[fault]
    (tmp_path / f"malformed_{fault}.py").write_text(USERS.format(name=f"Malformed_{fault}", body=body))
    monkeypatch.chdir(tmp_path)
    result = command("compile", relu, "-o", "out", "--pass", f"malformed_{fault}:Malformed_{fault}", "--no-verify")
    assert result.exit_code == 1, "what a pass left is wrong: a verification says so"
    one_line(" ".join(result.stderr.split()), f"pass Malformed_{fault}: left a malformed IR", what)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("def broken(:\n", "broken_module.py:1: SyntaxError"),
        ("x = 1\nraise ValueError('no')\n", "broken_module.py:2: ValueError: no"),
        ("import absent_elsewhere\n", "broken_module.py:1: ModuleNotFoundError"),
        ("Faulty = 3\n", "not a subclass of tinyc.passes.Pass"),
        ("", "has no Faulty"),
    ],
)
def test_a_module_of_the_users_that_cannot_be_imported(
    content: str, what: str, relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_module", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    one_line(refused(command("compile", relu, "-o", "out", "--pass", "broken_module:Faulty")), what)


PLACES: dict[str, Callable[[Path, str], tuple[object, ...]]] = {
    "model": lambda m, p: ("compile", p),
    "inspect": lambda m, p: ("inspect", p),
    "-o": lambda m, p: ("compile", m, "--no-verify", "-o", p),
    "--inputs": lambda m, p: ("verify", m, "--on", "interpreter", "--inputs", p),
    "run": lambda m, p: ("run", m, "--inputs", p),
    "-o of run": lambda m, p: ("run", m, "--on", "interpreter", "--inputs", m.parent / "x.npy", "-o", p),
    "--calibration": lambda m, p: ("compile", m, "--quantize", "int8", "--calibration", p),
    "--labels": lambda m, p: (
        *("compile", m, "--quantize", "int8", "--calibration", m.parent / "x.npy"),
        *("--labels", p),
    ),
    "--target": lambda m, p: ("compile", m, "--target", f"{p}.toml"),
    "--dump-ir": lambda m, p: ("compile", m, "-o", m.parent / "o", "--no-verify", "--dump-ir", p),
    "opt": lambda m, p: ("opt", p),
    "-o of opt": lambda m, p: ("opt", m.parent / "net.tc", "-o", p),
    "-o of quantize": lambda m, p: ("quantize", m, "--calibration", m.parent / "x.npy", "-o", p),
    "log": lambda m, p: ("compare-dump", m, p),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["p" * 300, "\udcff/below", "/dev/null/below", "directory", "not_text"])
def test_paths(place: str, path: str, relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(relu.parent / "x.npy", X)
    (relu.parent / "net.tc").write_text("module @net {\n  input %x: f32[1,4]\n  return %x\n}\n")
    (tmp_path / "directory").mkdir()
    (tmp_path / "not_text").write_bytes(b"\xff\xfe\x80")
    (tmp_path / "not_text.toml").write_bytes(b"\xff\xfe\x80")
    writes = place.startswith("-o") or place == "--dump-ir"
    if (path == "directory" and place in ("-o", "--dump-ir")) or (path == "not_text" and place[:4] == "-o o"):
        pytest.skip("that is how it is meant")
    if path.startswith("\udcff") and place in ("-o", "--dump-ir"):
        assert command(*PLACES[place](relu, path)).exit_code == 0, "a name that is not UTF-8 is a name"
        return
    before = sorted(tmp_path.iterdir())
    result = command(*PLACES[place](relu, path))
    one_line(refused(result))
    assert not writes or sorted(tmp_path.iterdir()) == before


def test_interrupts_give_one_line_and_their_status(tmp_path: Path) -> None:
    """Status 130 for SIGINT and 143 for SIGTERM, whenever they come, and nothing half-written."""
    program = (
        "import os, signal, sys\n"
        "from tinyc.compiler import cli\n"
        "from tinyc.compiler.session import code\n"
        "number = int(sys.argv.pop())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "load = code.load_onnx\n"
        "def interrupted(*given, **named):\n"
        "    os.kill(os.getpid(), number)\n"
        "    return load(*given, **named)\n"
        "code.load_onnx = interrupted\n"
        "cli.main()\n"
    )
    for number, status, name in ((2, 130, "SIGINT"), (15, 143, "SIGTERM")):
        done = subprocess.run(
            [sys.executable, "-c", program, "compile", str(MODEL), "-o", str(tmp_path / "out"), str(number)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (status, "", f"error: interrupted by {name}\n")
        assert not list(tmp_path.iterdir())


def test_public_functions_are_checked() -> None:
    """Every function and class of options that `tinyc` offers is held against its annotations."""
    for name in tinyc.__all__:
        offered = getattr(tinyc, name)
        if inspect.isfunction(offered):
            assert hasattr(offered, "__wrapped__"), name
    for options in (tinyc.Options, tinyc.QuantiseOptions):
        assert hasattr(options.__init__, "__wrapped__")

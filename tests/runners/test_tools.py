"""Where the tools of a simulated machine are looked for, and what is said when there are none. These are no tools, but
scripts that answer as tools do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.compiler.test_cli import refused, tinyc
from tests.helpers import ROOT
from tinyc.backends.runners import MACHINES, MissingTool, RunnerError
from tinyc.backends.runners.families import VARIABLE, Clock
from tinyc.backends.runners.tools import tools_for

LIBRARY = "echo /usr/lib/libc.a"
CORES = "echo Available CPUs:; echo '  dc232b'; echo '  esp32'; echo '  esp32s3'"
OTHERS = "echo Available CPUs:; echo '  dc232b'; echo '  lx106'"


def script(path: Path, body: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def compiler(path: Path) -> str:
    """One that finds a library, and makes files without anything in them."""
    made = 'while [ "$#" -gt 1 ]; do [ "$1" = -o ] && /usr/bin/touch "$2"; shift; done'
    return script(path, f'case "$*" in *-print-file-name=*) {LIBRARY};; *) {made};; esac; exit 0')


def emulator(path: Path, mhz: int, cores: str = CORES) -> str:
    """One that prints the clock, whatever the program."""
    return script(path, f'case "$*" in *help*) {cores};; *) echo {mhz};; esac')


@pytest.fixture(autouse=True)
def _nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize("mhz", [40, 1000])
def test_on_path_behind_the_distributions(mhz: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    emulator(tmp_path / "usr" / "qemu-system-xtensa", 1, OTHERS)
    right = emulator(tmp_path / "idf" / "qemu-system-xtensa", mhz)
    cc = compiler(tmp_path / "idf" / "xtensa-esp32-elf-gcc")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "usr"), str(tmp_path / "idf")]))
    found = tools_for(MACHINES["esp32"])
    clock = Clock(mhz, 6 if mhz == 40 else 0)
    assert (found.compiler, found.emulator, found.clock) == ((cc,), right, clock)
    assert clock.countable == (1_677_721_600 if mhz == 40 else 2**32)
    start = found.start(MACHINES["esp32"])
    assert (start[0], start[-1]) == (right, "-kernel")
    assert start[start.index("-icount") + 1] == f"shift={clock.shift}"
    assert start[start.index("-cpu") + 1] == "esp32"


def test_in_folders_that_are_named_and_their_bin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    emulator(tmp_path / "path" / "qemu-system-xtensa", 40)
    compiler(tmp_path / "path" / "xtensa-esp32s3-elf-gcc")
    right = emulator(tmp_path / "one" / "qemu-system-xtensa", 40)
    cc = compiler(tmp_path / "other" / "bin" / "xtensa-esp32s3-elf-gcc")
    monkeypatch.setenv(VARIABLE, os.pathsep.join(str(tmp_path / name) for name in ("none", "one", "other")))
    found = tools_for(MACHINES["esp32s3"])
    assert (found.compiler, found.emulator) == ((cc,), right)


def test_the_compiler_of_all_cores_is_told_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    emulator(tmp_path / "all" / "qemu-system-xtensa", 40)
    cc = compiler(tmp_path / "all" / "xtensa-esp-elf-gcc")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "all"))
    for name in ("esp32", "esp32s3"):
        assert tools_for(MACHINES[name]).compiler == (cc, f"-mdynconfig=xtensa_{name}.so")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingTool) as nothing:
        tools_for(MACHINES["esp32s3"])
    for word in ("xtensa-esp32s3-elf-gcc or xtensa-esp-elf-gcc, qemu-system-xtensa; ESP-IDF", VARIABLE, "idf_tools.py"):
        assert word in str(nothing.value)
    folder = tmp_path / "some"
    other = emulator(folder / "qemu-system-xtensa", 40, OTHERS)
    script(folder / "xtensa-esp32s3-elf-gcc", "echo libc.a")
    monkeypatch.setenv(VARIABLE, str(folder))
    with pytest.raises(MissingTool) as some:
        tools_for(MACHINES["esp32s3"])
    for word in (f"needs qemu-system-xtensa, libc.a ({other} does not know the core esp32s3", f"names {folder})"):
        assert word in str(some.value)
    refused(tinyc("bench", ROOT / "examples/mobile_lenet/mobile_lenet.onnx", "--on", "esp32s3"), VARIABLE, "esp32s3")


def test_a_clock_that_counts_no_instructions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler(tmp_path / "idf" / "xtensa-esp32-elf-gcc")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "idf"))
    for told, words in (("240", "has a clock of 240 MHz for esp32: 40 or 1000 MHz"), ("no", "does not tell the clock")):
        script(tmp_path / "idf" / "qemu-system-xtensa", f'case "$*" in *help*) {CORES};; *) echo {told};; esac')
        tools_for.__globals__["_clock"].cache_clear()
        with pytest.raises(RunnerError, match=words):
            tools_for(MACHINES["esp32"])

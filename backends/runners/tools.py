"""What this computer has of the compilers and simulators that a machine needs, and where."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyc.backends.runners.exchange import MissingTool, RunnerError
from tinyc.backends.runners.families import Clock, Family
from tinyc.backends.runners.harness import support_files
from tinyc.backends.runners.machines import Machine

_NUMBER = re.compile(r"^\d+$", re.MULTILINE)
_KNOWN_CORE = re.compile(r"^\s*(\S+)\s*$", re.MULTILINE)
"""A line of `-cpu help`."""


@dataclass(frozen=True)
class Tools:
    """What was found for a machine.

    Attributes:
        compiler: the command, with the options that choose the core.
        emulator: the simulator's file, or its name where PATH leads to it.
        clock: what instructions are counted by; none where the core counts them itself.
    """

    compiler: tuple[str, ...]
    emulator: str
    clock: Clock | None

    def start(self, machine: Machine) -> tuple[str, ...]:
        """The command that simulates a machine, to which the program's file name is appended."""
        return _start(self.emulator, machine, self.clock.shift if self.clock else 0)


def tools_for(machine: Machine) -> Tools:
    """What makes and simulates programs for a machine.

    Raises:
        MissingTool: the compiler, its C library or a simulator that has the core is not here; the message says which,
            and how to get it.
        RunnerError: the simulator's clock is one by which instructions cannot be counted.
    """
    family = machine.family
    compiler, emulator = _compiler(machine), _emulator(machine)
    missing = []
    if compiler is None:
        missing.append(" or ".join(command[0].format(core=machine.cpu) for command in family.compilers))
    if emulator is None:
        missing.append(family.emulator)
    if not _has_library(_file(compiler), family.library) if compiler else family.packages:
        missing.append(family.library)
    if compiler is None or emulator is None or missing:
        raise MissingTool(_advice(machine, missing))
    return Tools(compiler, emulator, _clock(machine, compiler, emulator))


def _advice(machine: Machine, missing: list[str]) -> str:
    family = machine.family
    if family.packages:
        packages = " ".join(family.packages[name] for name in missing)
        return f"the simulator needs {', '.join(missing)}; install with `apt install`: {packages}"
    others = [] if family.emulator not in missing else list(_found(family, family.emulator))
    unfit = f" ({', '.join(others)} does not know the core {machine.cpu}: Espressif's does)" if others else ""
    named = os.environ.get(family.variable, "")
    looked = f" (now it names {named})" if named else ""
    return f"the simulator of {machine.name} needs {', '.join(missing)}{unfit}; {family.advice}{looked}"


def _found(family: Family, name: str) -> Iterator[str]:
    """The programs of that name: in the folders that the family's variable names and in bin/ below them, then on
    PATH."""
    own = os.environ.get(family.variable, "") if family.variable else ""
    named = [Path(folder) for folder in own.split(os.pathsep) if folder]
    folders = [str(place) for folder in named for place in (folder, folder / "bin")]
    seen = set()
    for folder in [*folders, *os.environ.get("PATH", "").split(os.pathsep)]:
        found = shutil.which(name, path=folder) if folder else None
        if found is not None and os.path.realpath(found) not in seen:
            seen.add(os.path.realpath(found))
            yield os.path.abspath(found)


def _compiler(machine: Machine) -> tuple[str, ...] | None:
    for command in machine.family.compilers:
        name, *options = (word.format(core=machine.cpu) for word in command)
        found = next(_found(machine.family, name), None)
        if found is not None:
            return (found if machine.family.variable else name, *options)
    return None


def _emulator(machine: Machine) -> str | None:
    """The first that has the core. A distribution's, which lacks some, may come first on PATH."""
    family = machine.family
    if not family.variable:
        return family.emulator if next(_found(family, family.emulator), None) else None
    return next((found for found in _found(family, family.emulator) if machine.cpu in _cores(found)), None)


@cache
def _cores(emulator: str) -> frozenset[str]:
    """The processors that a simulator has."""
    told = subprocess.run([emulator, "-cpu", "help"], capture_output=True, text=True, errors="replace", check=False)
    return frozenset(_KNOWN_CORE.findall(told.stdout))


def _file(compiler: tuple[str, ...]) -> tuple[str, ...]:
    """The command with the compiler's file in place of its name: of one name, there may be another one later."""
    return (shutil.which(compiler[0]) or compiler[0], *compiler[1:])


@cache
def _has_library(compiler: tuple[str, ...], library: str) -> bool:
    """Whether the compiler finds its C library, by a file of it."""
    command = [*compiler, f"-print-file-name={library}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Path(found).is_absolute()


def _start(emulator: str, machine: Machine, shift: int) -> tuple[str, ...]:
    return (emulator, *machine.family.options, "-icount", f"shift={shift}", "-cpu", machine.cpu, "-kernel")


@cache
def _clock(machine: Machine, compiler: tuple[str, ...], emulator: str) -> Clock | None:
    """The clock that the core has in this simulator: a program asks it, where there is a choice."""
    clocks = {clock.mhz: clock for clock in machine.family.clocks}
    if len(clocks) < 2:
        return next(iter(clocks.values()), None)
    mhz = _asked(machine, compiler, emulator)
    if mhz not in clocks:
        known = " or ".join(str(known) for known in clocks)
        raise RunnerError(f"{emulator} has a clock of {mhz} MHz for {machine.name}: {known} MHz counts instructions")
    return clocks[mhz]


def _asked(machine: Machine, compiler: tuple[str, ...], emulator: str) -> int:
    """What xtensa_clock.c prints. Raises `RunnerError` where it does not get as far."""
    with tempfile.TemporaryDirectory(prefix="tinyc-") as folder:
        for name, text in support_files().items():
            (Path(folder) / name).write_text(text, encoding="ascii")
        link = [option.format(program="clock") for option in machine.family.link]
        sources = ["harness_xtensa_clock.c", *machine.family.support]
        made = [*compiler, *machine.flags, "-std=c99", "-O2", *sources, *link, "-o", "clock"]
        output = ""
        for command in (made, [*_start(emulator, machine, 6), "clock"]):
            told = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            output = told.stdout + told.stderr
            if told.returncode:
                raise RunnerError(f"no program runs on {machine.name}: {' '.join(command)}\n{output}".rstrip())
    number = _NUMBER.search(output)
    if number is None:
        raise RunnerError(f"{emulator} does not tell the clock of {machine.name}:\n{output}".rstrip())
    return int(number[0])

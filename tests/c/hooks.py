"""Networks built with their hooks on, here and on a simulated machine, and what they print."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.runners.support import need_simulator
from tinyc.backends.c.source import CSource
from tinyc.backends.runners import MACHINES, HostRunner, Runner, SimulatorRunner
from tinyc.ir.tensor import Array

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror")


def including(source: CSource, text: str) -> CSource:
    """The network with a text before its source, as -include would put it there."""
    name = f"{source.name}.c"
    return dataclasses.replace(source, files={**source.files, name: f"{text}\n{source.files[name]}"})


def printed(
    source: CSource,
    inferences: Sequence[Sequence[Array]],
    folder: Path,
    flags: Sequence[str],
    *,
    where: str = "host",
    push: bool = False,
    include: str = "",
) -> str:
    """What a network prints during these inferences. `include` goes before its source."""
    source = including(source, include)
    options = (*STRICT, *flags)
    if where == "host":
        # What is printed here does not depend on how long it takes.
        runner: Runner = HostRunner(source, flags=(*options, "-O0"), push=push, keep=folder)
    else:
        need_simulator()
        runner = SimulatorRunner(source, MACHINES[where], options, push=push, keep=folder)
    # The runner has built the program and left its inputs behind: the same again, for what it says.
    runner.run([list(i) for i in inferences])
    command = [*runner._toolchain.start, str(folder / "run")]
    # QEMU's console is its stderr.
    pipe, joined = subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(command, cwd=folder, check=True, text=True, timeout=600, stdout=pipe, stderr=joined).stdout

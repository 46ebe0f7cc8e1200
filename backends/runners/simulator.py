"""Compiles generated C for a RISC-V machine, runs it on QEMU, and counts what it costs there.

QEMU counts instructions exactly (`minstret` with `-icount`), the same number in every run. It knows no caches, no wait
states of flash memory and no pipeline: instructions compare two versions of a network, they are not time on a board.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import exchange
from tinyc.backends.runners.exchange import MissingTool
from tinyc.backends.runners.machines import Machine
from tinyc.backends.runners.runner import FLAGS, RUN, Program, Runner, Toolchain
from tinyc.ir.tensor import Array

CC, EMULATOR, LIBRARY = "riscv64-unknown-elf-gcc", "qemu-system-riscv32", "picolibc.specs"
PACKAGES = {
    CC: "gcc-riscv64-unknown-elf",
    LIBRARY: "picolibc-riscv64-unknown-elf",
    EMULATOR: "qemu-system-misc (qemu-system-riscv in newer distributions)",
}

STACK_BYTES = 256 * 1024
"""Stack that is watched; the machine has a quarter more."""

TIMEOUT = 1800.0
"""Seconds: enough for 200,000 million instructions on a slow computer."""

_LINK = (
    "--crt0=semihost",
    "--oslib=semihost",
    "-Wl,--gc-sections",
    "-Wl,-Map={program}.map",
    "-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=0x4000000",
    "-Wl,--defsym=__ram=0x84000000,--defsym=__ram_size=0x4000000",
    f"-Wl,--defsym=__stack_size={STACK_BYTES + STACK_BYTES // 4}",
)
_START = (
    *(EMULATOR, "-M", "virt", "-m", "128M", "-nographic", "-monitor", "none", "-serial", "none", "-bios", "none"),
    *("-semihosting-config", "enable=on,target=native", "-icount", "shift=0"),
)
_MEASURE = ("-DHARNESS_MEASURE", f"-DHARNESS_STACK_BYTES={STACK_BYTES}", "-include", "riscv.h")
MEASURE = Program("measure", _MEASURE)
LAYERS = Program("layers", (*_MEASURE, "-DHARNESS_LAYERS"), ("-include", "harness_layers.h"))


@dataclass(frozen=True)
class Measurement:
    """What one inference costs.

    Attributes:
        instructions: executed from the call of the network to its return, with what it calls in the C library, without
            the function that gives it rows.
        stack_bytes: below the stack pointer of the caller, as the deepest write shows, in steps of 16 as the stack
            pointer moves. Includes the network's function itself and all that it calls.
        code_bytes: of the functions in the generated files that are linked, without constants and the C library.
        layers: instructions by stage, as in `CSource.stages`. Their sum is near `instructions` but not equal to it: it
            is another build, with a call after every part of a result.
    """

    instructions: int
    stack_bytes: int
    code_bytes: int
    layers: tuple[int, ...]


class SimulatorRunner(Runner):
    """Generated C, compiled for a simulated machine, ready to run.

    Args:
        source: what to compile.
        machine: for what.
        flags: options after the usual ones.
        push: hand rows to a network that takes its input by rows, instead of letting it ask for them.
        keep: a folder for sources and files, created if need be; a temporary one without it.
        timeout: seconds after which a run has failed.

    Raises:
        MissingTool: the compiler, its C library or the simulator is not installed.
        RunnerError: the compiler rejects the source.
    """

    def __init__(
        self,
        source: CSource,
        machine: Machine,
        flags: Sequence[str] = (),
        *,
        push: bool = False,
        keep: Path | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        require_tools()
        super().__init__(source, toolchain(machine, flags, timeout), push=push, keep=keep)

    def measure(self, inputs: Sequence[Array]) -> Measurement:
        """What one inference costs. Repeated measurements give equal numbers.

        Raises:
            RunnerError: as for `run`; or the network needs more stack than is watched.
        """
        counts = self._execute(MEASURE, [inputs], exchange.COUNTS)
        instructions, stack, _ = exchange.unpack_counts(counts, 0)
        return Measurement(instructions, stack, self._code_bytes(), self._layers(inputs))

    def _layers(self, inputs: Sequence[Array]) -> tuple[int, ...]:
        numbers = [stage.number for stage in self._source.stages]
        counts = self._execute(LAYERS, [inputs], exchange.COUNTS)
        _, _, layers = exchange.unpack_counts(counts, max(numbers, default=0) + 1)
        return tuple(layers[number] for number in numbers)

    def _code_bytes(self) -> int:
        text = (self._folder / f"{RUN.name}.map").read_text(encoding="utf-8", errors="replace")
        return code_bytes(text, {f"{name}.o" for name in self.generated})


def toolchain(machine: Machine, flags: Sequence[str] = (), timeout: float = TIMEOUT) -> Toolchain:
    """How to make programs for a machine, and how to simulate it."""
    target = (f"--specs={LIBRARY}", f"-march={machine.name}", f"-mabi={machine.abi}", "-ffunction-sections")
    start = (*_START, "-cpu", machine.cpu, "-kernel")
    return Toolchain(CC, (*target, *FLAGS, *flags), _LINK, start, timeout)


def require_tools() -> None:
    """Raises `MissingTool`, with the packages to install, when one is missing."""
    missing = [name for name in (CC, EMULATOR) if shutil.which(name) is None]
    compiler = shutil.which(CC)
    if compiler is None or not _has_library(compiler):
        missing.append(LIBRARY)
    if missing:
        packages = " ".join(PACKAGES[name] for name in missing)
        raise MissingTool(f"the simulator needs {', '.join(missing)}; install with `apt install`: {packages}")


@cache
def _has_library(compiler: str) -> bool:
    """Whether the compiler finds picolibc."""
    command = [compiler, f"-print-file-name={LIBRARY}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Path(found).is_absolute()


def code_bytes(link_map: str, objects: set[str]) -> int:
    """Bytes of code that a program has from these object files, by GNU ld's map of it.

    The map has a line for each section of each object file, `.text.name address size file`, the name on a line of its
    own when it is long; what was thrown away comes before the heading that is looked for.
    """
    _, _, kept = link_map.partition("Linker script and memory map")
    sections = re.finditer(r"^ \.text\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$", kept, re.MULTILINE)
    return sum(int(s[1], 16) for s in sections if s[2] in objects)

"""Compiles generated C for a simulated machine, runs it on QEMU, and counts what it costs there.

QEMU counts instructions exactly (with `-icount`), the same number in every run. It knows no caches, no wait
states of flash memory and no pipeline: instructions compare two versions of a network, they are not time on a board.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import exchange
from tinyc.backends.runners.exchange import RunnerError, Unsupported
from tinyc.backends.runners.families import STACK_BYTES
from tinyc.backends.runners.linked import linked, refuse_libraries
from tinyc.backends.runners.machines import MACHINES, Machine
from tinyc.backends.runners.runner import FLAGS, RUN, Program, Runner, Toolchain
from tinyc.backends.runners.tools import tools_for
from tinyc.ir.tensor import Array

TIMEOUT = 1800.0
"""Seconds: enough for 200,000 million instructions on a slow computer."""

_FLOAT_ROUTINE = re.compile(r"undefined reference to `(__\w*[sd]f\w*)'")
"""A routine of GCC's that computes in software: `__mulsf3` multiplies float32, `__floatsidf` converts to float64."""


CODE = (".text", ".literal")
CONSTANTS = (".rodata", ".srodata", ".data", ".sdata")
"""Kinds of sections: Xtensa's code loads numbers and addresses from literals before it. Constants that hold addresses
may lie with what is written."""

_ARCHIVE = re.compile(r"^(?:.*/)?lib([^/]+)\.a\(.*\)$")
"""A member of a library, in GNU ld's map."""


@dataclass(frozen=True)
class Measurement:
    """What one inference costs.

    Attributes:
        instructions: executed from the call of the network to its return, with what it calls in the C library, without
            the function that gives it rows.
        stack_bytes: below the stack pointer of the caller, as the deepest write shows, in steps of 16 as the stack
            pointer moves. Includes the network's function itself and all that it calls.
        code_bytes: of the functions that are linked from the generated files and from kernel libraries, without
            constants and the C library.
        constant_bytes: of the constants in the generated files: weights and all that stands beside them, gaps between
            arrays included.
        layers: instructions by stage, as in `CSource.stages`. Their sum is near `instructions` but not equal to it: it
            is another build, with a call after every part of a result.
    """

    instructions: int
    stack_bytes: int
    code_bytes: int
    constant_bytes: int
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
        libraries: folders of the kernel libraries that the source needs, by name, built for the machine (see
            `linked`).

    Raises:
        MissingTool: the compiler, its C library or the simulator is not installed, or a kernel library is missing.
        RunnerError: the compiler rejects the source, or the machine cannot compute with the floats in it.
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
        libraries: Mapping[str, Path] | None = None,
    ) -> None:
        if libraries is None:
            refuse_libraries(source, machine.name)
        if source.vector_layers and not machine.has_vectors:
            raise Unsupported(
                f"{source.name} has vector instructions of the ESP32-S3, which {machine.name} does not have: run it on "
                "esp32s3, or compile it for another target"
            )
        clock = tools_for(machine).clock
        found = linked(source, libraries or {})
        self.machine = machine
        self._countable = clock.countable if clock else None
        self._measuring = (
            *("-DHARNESS_MEASURE", f"-DHARNESS_STACK_BYTES={STACK_BYTES}", "-include", machine.family.header),
            *([f"-DXTENSA_MHZ={clock.mhz}"] if clock else []),
        )
        made = toolchain(machine, (*found.flags, *flags), timeout)
        super().__init__(source, replace(made, link=(*found.link, *made.link)), push=push, keep=keep)

    def measure(self, inputs: Sequence[Array]) -> Measurement:
        """What one inference costs. Repeated measurements give equal numbers.

        Raises:
            RunnerError: as for `run`; or the network needs more stack than is watched, or more instructions than the
                machine can count.
        """
        program = Program("measure", self._measuring)
        counts = self._execute(program, [inputs], exchange.COUNTS)
        instructions, stack, _ = exchange.unpack_counts(counts, 0)
        layers = self.measure_layers(inputs)
        limit = self._countable
        if limit is not None and sum(layers) > limit:
            raise RunnerError(
                f"{self._source.name} takes about {sum(layers):,} instructions, and on {self.machine.name} no more "
                f"than {limit:,} can be counted; measure it on another machine"
            )
        text = (self._folder / f"{RUN.name}.map").read_text(encoding="utf-8", errors="replace")
        objects = {f"{name}.o" for name in self.generated}
        return Measurement(
            instructions,
            stack,
            code_bytes=section_bytes(text, CODE, {*objects, *self._source.libraries}),
            constant_bytes=section_bytes(text, CONSTANTS, objects),
            layers=layers,
        )

    def measure_layers(self, inputs: Sequence[Array]) -> tuple[int, ...]:
        """What each layer takes: the instructions of `Measurement.layers`, without the rest. Raises `RunnerError`."""
        numbers = [stage.number for stage in self._source.stages]
        program = Program("layers", (*self._measuring, "-DHARNESS_LAYERS"), ("-include", "harness_layers.h"))
        counts = self._execute(program, [inputs], exchange.COUNTS)
        _, _, layers = exchange.unpack_counts(counts, max(numbers, default=0) + 1)
        return tuple(layers[number] for number in numbers)

    def _compile(self, *arguments: str) -> None:
        try:
            super()._compile(*arguments)
        except RunnerError as error:
            missing = sorted(set(_FLOAT_ROUTINE.findall(str(error))))
            if missing and not self.machine.family.runs_float:
                raise Unsupported(self._without_float(missing)) from None
            raise

    def _without_float(self, missing: Sequence[str]) -> str:
        source, machine = self._source, self.machine
        layers = [stage.label for stage in source.stages if stage.type.dtype.is_float]
        where = f" in {layers[0]}" + (f" and {len(layers) - 1} more" if layers[1:] else "") if layers else ""
        others = ", ".join(m.name for m in MACHINES.values() if m.family.runs_float)
        return (
            f"{source.name} computes with floats{where}, and {machine.name} has neither instructions nor routines for "
            f"them ({', '.join(missing)}); run it on {others}, or make all of it integers: "
            "`quantise=QuantiseOptions(...)` with `input_type=int8` and `output_type=int8`"
        )


def toolchain(machine: Machine, flags: Sequence[str] = (), timeout: float = TIMEOUT) -> Toolchain:
    """How to make programs for a machine, and how to simulate it. Raises as `tools_for` does."""
    family, tools = machine.family, tools_for(machine)
    cc, *chosen = tools.compiler
    compiler = (*chosen, *machine.flags, "-ffunction-sections", *FLAGS, *flags)
    return Toolchain(cc, compiler, family.link, tools.start(machine), timeout, family.support, "<")


def section_bytes(link_map: str, kinds: Sequence[str], parts: Set[str]) -> int:
    """Bytes of these kinds of sections that a program has from some object files and libraries, by GNU ld's map of it.

    The map has a line for each section of each object file, `.text.name address size file`, the name on a line of its
    own when it is long; what was thrown away comes before the heading that is looked for. The file is an object's, or
    `folder/libname.a(member.o)`.

    Args:
        link_map: its text.
        kinds: what the sections' names begin with, such as `.text`.
        parts: object files, and the names of libraries.
    """
    _, _, kept = link_map.partition("Linker script and memory map")
    names = "|".join(re.escape(kind) for kind in kinds)
    sections = re.finditer(rf"^ (?:{names})(?:\.\S*)?\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$", kept, re.MULTILINE)
    return sum(int(s[1], 16) for s in sections if _ARCHIVE.sub(r"\1", s[2]) in parts)

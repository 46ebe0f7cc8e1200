"""What all runners have in common: building a program around generated C, running it, and reading what it wrote."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import constants, exchange, objects
from tinyc.backends.runners.exchange import RunnerError
from tinyc.backends.runners.harness import harness_files, pushes
from tinyc.ir.tensor import Array

FLAGS = ("-std=c99", "-O2")
"""Nothing about how floats are rounded: generated C says that itself, whoever compiles it."""


@dataclass(frozen=True)
class Program:
    """A program made of generated C and the harness.

    `name` is its file, `harness` and `network` are options that the two are compiled with.
    """

    name: str
    harness: tuple[str, ...] = ()
    network: tuple[str, ...] = ()


RUN = Program("run")
TRACE = Program("trace", ("-DHARNESS_TRACE",), ("-include", "harness_trace.h"))


@dataclass(frozen=True)
class Toolchain:
    """How to make a program and how to start it.

    Attributes:
        cc: the compiler.
        flags: its options.
        link: options for linking only; `{program}` in them is the program's file name.
        start: the command that a program's file name is appended to; empty where it runs by itself.
        timeout: seconds after which a program is stopped; none for no limit.
        support: C files of the harness that programs need beside it.
        byte_order: of the machine, where the assembler takes large constants as bytes (`constants`); None where the
            compiler is to read them.
    """

    cc: str
    flags: tuple[str, ...]
    link: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    timeout: float | None = None
    support: tuple[str, ...] = ()
    byte_order: constants.ByteOrder | None = None


class Runner:
    """Generated C, compiled, ready to run.

    Args:
        source: what to compile.
        toolchain: what to compile it with, and how to run it.
        push: hand rows to a network that takes its input by rows, instead of letting it ask for them.
        keep: a folder for sources and files, created if need be; a temporary one without it.

    Raises:
        RunnerError: the compiler rejects the source, or cannot be handed rows.
    """

    def __init__(self, source: CSource, toolchain: Toolchain, *, push: bool = False, keep: Path | None = None) -> None:
        if push and not pushes(source):
            raise RunnerError(f"{source.name} cannot be handed rows: it declares no {source.name}_push_row")
        self._source = source
        self._toolchain = toolchain
        self._push = ("-DHARNESS_PUSH",) if push else ()
        self._temporary = None if keep else tempfile.TemporaryDirectory(prefix="tinyc-")
        self._folder = (keep or Path(self._temporary.name if self._temporary else "")).resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._made: set[str] = set()
        for name, text in {**source.files, **harness_files(source)}.items():
            (self._folder / name).write_text(text, encoding="ascii")
        self._build(RUN)

    def run(self, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """The outputs of many inferences, one process for all.

        Raises:
            RunnerError: the program failed, or wrote outside its arena or its outputs.
        """
        data = self._execute(RUN, inputs, exchange.OUTPUTS)
        return exchange.unpack_outputs(self._source.outputs, data, len(inputs))

    def trace(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Every stage's whole result during one inference, by stage number.

        Raises:
            RunnerError: as for `run`.
        """
        return {stage: arrays[0] for stage, arrays in self.traces([inputs]).items()}

    def traces(self, inputs: Sequence[Sequence[Array]]) -> dict[int, Array]:
        """Every stage's results by stage number, those of all inferences stacked along a new first dimension.

        Raises:
            RunnerError: as for `run`; or a stage's result did not come whole, each element once.
        """
        return exchange.unpack_traces(self._source, self._execute(TRACE, inputs, exchange.TRACE), len(inputs))

    def _build(self, program: Program) -> None:
        """Makes a program unless it is there. Equal objects are compiled once, and so are constants, however large."""
        if program.name in self._made:
            return
        parts = [self._object("harness.c", program.name, (*self._push, *program.harness))]
        parts += [self._object(name, "", ()) for name in self._toolchain.support]
        weights = f"{self._source.name}_weights.c"
        for name in self.generated:
            plain = name == weights or not program.network
            file = self._lean(name) if name == weights else name
            parts.append(self._object(name, "" if plain else program.name, () if plain else program.network, file))
        link = [option.format(program=program.name) for option in self._toolchain.link]
        self._compile("-o", program.name, *parts, *link, "-lm")
        self._made.add(program.name)

    @property
    def generated(self) -> list[str]:
        """The generated C files."""
        return sorted(name for name in self._source.files if name.endswith(".c"))

    def _lean(self, name: str) -> str:
        """The file to compile for one of constants: without the large ones where the assembler takes these."""
        order, file = self._toolchain.byte_order, f"harness_{name}"
        # Sanitisers watch the bounds of what the compiler defines.
        if order is None or any(flag.startswith(("-fsanitize", "-flto")) for flag in self._toolchain.flags):
            return name
        if file not in self._made:
            found = constants.lean(self._source.files[name], order)
            if found is None:
                return name
            (self._folder / constants.BYTES).write_bytes(found.data)
            (self._folder / file).write_text(found.text, encoding="ascii")
            self._made.add(file)
        return file

    def _object(self, name: str, variant: str, options: Sequence[str], file: str = "") -> str:
        """Compiles a file, in the form of another one if such is given, unless this variant of it is there, and gives
        the object's name."""
        made = f"{name}.{variant}.o" if variant else f"{name}.o"
        if made not in self._made:
            arguments = ("-c", *options, "-o", made, file or name)
            command = [self._toolchain.cc, *self._toolchain.flags, *arguments]
            place = objects.kept(command, file or name, self._folder)
            if place is None or not objects.fetch(place, self._folder / made):
                self._compile(*arguments)
                if place is not None:
                    objects.keep(self._folder / made, place)
            self._made.add(made)
        return made

    def _compile(self, *arguments: str) -> None:
        """Calls the compiler in the folder."""
        command = [self._toolchain.cc, *self._toolchain.flags, *arguments]
        result = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, errors="replace", check=False
        )
        if result.returncode:
            raise RunnerError(f"{self._source.name} does not compile: {' '.join(command)}\n{_tail(result.stderr)}")
        made = arguments[arguments.index("-o") + 1]
        if not (self._folder / made).exists():
            raise RunnerError(f"{self._source.name}: the compiler made no {made}: {' '.join(command)}")

    def _execute(self, program: Program, inputs: Sequence[Sequence[Array]], wanted: str) -> bytes:
        """Runs a program on the inputs and gives the contents of the file it wrote."""
        self._build(program)
        (self._folder / exchange.INPUTS).write_bytes(exchange.pack_inputs(self._source.inputs, inputs))
        try:
            result = subprocess.run(
                [*self._toolchain.start, str(self._folder / program.name)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=self._toolchain.timeout,
            )
        except subprocess.TimeoutExpired as error:
            raise RunnerError(f"{self._source.name} did not end within {error.timeout:g} seconds") from None
        if result.returncode:
            where = self._culprit(program, result.returncode)
            said = f"\n{_tail(result.stdout + result.stderr)}"
            raise RunnerError(f"{self._source.name}: {where}{_meaning(result.returncode)}{said}".rstrip())
        return (self._folder / wanted).read_bytes()

    def _culprit(self, program: Program, status: int) -> str:
        """The stage that wrote where it must not, where the program has traced that."""
        if program is not TRACE or status not in exchange.WROTE_OUTSIDE:
            return ""
        stage = exchange.last_stage((self._folder / exchange.TRACE).read_bytes())
        labels = {s.number: s.label for s in self._source.stages}
        return f"layer {stage}, {labels[stage]}: " if stage in labels else ""


def _meaning(status: int) -> str:
    """An exit status in words. Where the system has signals, one that ended the program is a negative status."""
    if status < 0:
        return f"stopped by {signal.Signals(-status).name}"
    return exchange.EXIT_MEANING.get(status, f"exit status {status}")


def _tail(text: str, lines: int = 40) -> str:
    return "\n".join(text.splitlines()[-lines:])

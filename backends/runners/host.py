"""Compiles generated C with this machine's compiler and runs it here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import harness
from tinyc.backends.runners.harness import MissingTool, RunnerError
from tinyc.ir.tensor import Array

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")
"""Without contraction, products and sums are rounded one by one, as they are on a machine that has no fused ones."""


def find_compiler(cc: str | None = None) -> str:
    """A C compiler: the one asked for, the one in the environment's CC, or else gcc, clang or cc.

    Raises:
        MissingTool: there is none.
    """
    asked = cc or os.environ.get("CC")
    for name in [asked] if asked else ["gcc", "clang", "cc"]:
        found = shutil.which(name)
        if found:
            return found
    raise MissingTool(
        f"no C compiler found ({asked or 'gcc, clang or cc'}); install one: "
        "`apt install gcc`, `dnf install gcc` or `xcode-select --install`"
    )


class HostRunner:
    """Generated C, compiled, ready to run.

    Args:
        source: what to compile.
        cc: the compiler; `find_compiler` says which without it.
        flags: options after the usual ones, for example `-fsanitize=address,undefined`.
        keep: a folder for sources and files, created if need be; a temporary one without it.

    Raises:
        MissingTool: there is no compiler.
        RunnerError: the compiler rejects the source.
    """

    def __init__(
        self, source: CSource, *, cc: str | None = None, flags: Sequence[str] = (), keep: Path | None = None
    ) -> None:
        self._source = source
        self._cc = find_compiler(cc)
        self._flags = (*FLAGS, *flags)
        self._temporary = None if keep else tempfile.TemporaryDirectory(prefix="tinyc-")
        self._folder = keep or Path(self._temporary.name if self._temporary else "")
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, text in source.files.items():
            (self._folder / name).write_text(text, encoding="ascii")
        (self._folder / "harness.c").write_text(harness.harness_c(source), encoding="ascii")
        (self._folder / "harness_trace.h").write_text(harness.TRACE_HEADER, encoding="ascii")
        self._program = self._build("run", ())
        self._tracer: Path | None = None

    def run(self, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """The outputs of many inferences, one process for all.

        Raises:
            RunnerError: the program failed, or wrote outside its arena or its outputs.
        """
        data = self._execute(self._program, inputs, harness.OUTPUTS)
        return harness.unpack_outputs(self._source.outputs, data, len(inputs))

    def trace(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Every stage's whole result during one inference, by stage number.

        Raises:
            RunnerError: as for `run`.
        """
        return {stage: arrays[0] for stage, arrays in self.traces([inputs]).items()}

    def traces(self, inputs: Sequence[Sequence[Array]]) -> dict[int, Array]:
        """Every stage's results by stage number, those of all inferences stacked along a new first dimension.

        Raises:
            RunnerError: as for `run`.
        """
        if self._tracer is None:
            self._tracer = self._build("trace", ("-DHARNESS_TRACE", "-include", "harness_trace.h"))
        data = self._execute(self._tracer, inputs, harness.TRACE)
        return harness.unpack_traces(self._source, data, len(inputs))

    def _build(self, name: str, options: Sequence[str]) -> Path:
        """Compiles all sources into the program `name`. Weights may be large: they are compiled once and shared."""
        sources = [*sorted(n for n in self._source.files if n.endswith(".c")), "harness.c"]
        objects = []
        for source in sources:
            shared = source == f"{self._source.name}_weights.c"
            objects.append(f"{source}.o" if shared else f"{source}.{name}.o")
            if not (shared and (self._folder / objects[-1]).exists()):
                self._compile(("-c", *(() if shared else options), "-o", objects[-1], source))
        self._compile(("-o", name, *objects, "-lm"))
        return self._folder / name

    def _compile(self, arguments: Sequence[str]) -> None:
        """Calls the compiler in the folder."""
        command = [self._cc, *self._flags, *arguments]
        result = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RunnerError(f"{self._source.name} does not compile: {' '.join(command)}\n{_tail(result.stderr)}")

    def _execute(self, program: Path, inputs: Sequence[Sequence[Array]], wanted: str) -> bytes:
        """Runs a program on the inputs and gives the contents of the file it wrote."""
        (self._folder / harness.INPUTS).write_bytes(harness.pack_inputs(self._source.inputs, inputs))
        result = subprocess.run(
            [str(program.resolve())], cwd=self._folder, capture_output=True, text=True, errors="replace", check=False
        )
        if result.returncode:
            meaning = harness.EXIT_MEANING.get(result.returncode, f"exit status {result.returncode}")
            raise RunnerError(f"{self._source.name}: {meaning}\n{_tail(result.stderr)}".rstrip())
        return (self._folder / wanted).read_bytes()


def _tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.splitlines()[-lines:])

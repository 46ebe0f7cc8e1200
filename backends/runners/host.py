"""Compiles generated C with this computer's compiler and runs it here."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import exchange
from tinyc.backends.runners.constants import ByteOrder
from tinyc.backends.runners.exchange import MissingTool, RunnerError
from tinyc.backends.runners.linked import linked
from tinyc.backends.runners.runner import FLAGS, Program, Runner, Toolchain
from tinyc.ir.tensor import Array

VARIABLE = "TINYC_CFLAGS"
"""The variable that names more options for programs on this computer, such as `-fsanitize=address,undefined`."""
LINK = ("-Wl,-z,now",) if platform.system() == "Linux" else ()
"""Resolves functions of the C library before the program starts: later, that would count as the network's stack."""
STACK = Program("stack", ("-DHARNESS_MEASURE", f"-DHARNESS_STACK_BYTES={64 * 1024}", "-include", "harness_host.h"))


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


def fused_options() -> tuple[str, ...]:
    """The option that makes an instruction of `fmaf` where this computer has one. The numbers are the same without:
    the C library computes them, in many times the time."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ()
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return ("-mfma",) if re.search(r"^flags\b.*\bfma\b", flags, re.MULTILINE) else ()


def _options() -> list[str]:
    """Those that the environment names. Raises `RunnerError` where they are cut off."""
    text = os.environ.get(VARIABLE, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise RunnerError(f"{VARIABLE} is no list of options ({error}): {text}") from None


class HostRunner(Runner):
    """Generated C, compiled for this computer, ready to run.

    Args:
        source: what to compile.
        cc: the compiler; `find_compiler` says which without it.
        flags: options after the usual ones, and after those in the environment's TINYC_CFLAGS.
        push: hand rows to a network that takes its input by rows, instead of letting it ask for them.
        keep: a folder for sources and files, created if need be; a temporary one without it.
        libraries: folders of the kernel libraries that the source needs, by name; those that the environment names
            without it (see `linked`).

    Raises:
        MissingTool: there is no compiler, or a kernel library is missing.
        RunnerError: the compiler rejects the source.
    """

    def __init__(
        self,
        source: CSource,
        *,
        cc: str | None = None,
        flags: Sequence[str] = (),
        push: bool = False,
        keep: Path | None = None,
        libraries: Mapping[str, Path] | None = None,
    ) -> None:
        found = linked(source, libraries)
        link = (*found.link, *LINK, *(["-pthread"] if source.cores > 1 else []))
        fused = fused_options() if source.fused else ()
        flags = (*FLAGS, *fused, *found.flags, *_options(), *flags)
        order: ByteOrder | None = "=" if platform.system() == "Linux" else None
        super().__init__(source, Toolchain(find_compiler(cc), flags, link, byte_order=order), push=push, keep=keep)

    def stack_bytes(self, inputs: Sequence[Array]) -> int | None:
        """The stack that one inference needs on this computer, found by painting it: a 64-bit machine's frames are
        larger than a microcontroller's. None on a computer whose stack pointer is not known.

        Raises:
            RunnerError: as for `run`; or the network needs more stack than is watched.
        """
        if platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"):
            return None
        _, stack, _ = exchange.unpack_counts(self._execute(STACK, [inputs], exchange.COUNTS), 0)
        return stack

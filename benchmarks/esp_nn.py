"""ESP-NN from a folder of its sources, compiled for a simulated machine. It is no part of this project.

It has several implementations of the same functions, of which ESP-IDF's configuration chooses one: its `Form`s here.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners import Machine, MissingTool, SimulatorRunner
from tinyc.backends.runners.tools import tools_for
from tinyc.ir.errors import TinycError

LIBRARY = "esp-nn"
VARIABLE = "ESP_NN_SOURCE"
"""The variable that names its sources, which has include/ and src/."""
KNOWN = "1.2.3"
"""The version whose scratch memory tinyc knows. Of one that wants more, generated code calls the ANSI C instead."""


@dataclass(frozen=True)
class Form:
    """One implementation.

    Attributes:
        name: what tables call it.
        files: which of its sources, as patterns below src/.
        macros: options of the compiler, for these and for what includes its headers: what sdkconfig.h has.
        options: more of them, for these alone.
        target: what code is generated for that calls it; the machine's own target where it is empty.
    """

    name: str
    files: tuple[str, ...]
    macros: tuple[str, ...]
    options: tuple[str, ...] = ()
    target: str = ""


_ANSI, _OPTIMISED = ("*/*_ansi.c",), ("*/*_ansi.c", "*/*_opt.c")
_XTENSA = "-DCONFIG_IDF_TARGET_ARCH_XTENSA=1"
_PLAIN, _FAST = "-UCONFIG_NN_OPTIMIZED", "-DCONFIG_NN_OPTIMIZED=1"
_S3 = Form(
    "assembly",
    (*_OPTIMISED, "*/*_esp32s3.c", "*/*_esp32s3.S"),
    (_FAST, _XTENSA, "-DCONFIG_IDF_TARGET_ESP32S3=1"),
    ("-mlongcalls", "-fno-unroll-loops"),
)
FORMS: Mapping[str, tuple[Form, ...]] = {
    "esp32": (
        Form("ANSI C", _ANSI, (_PLAIN, _XTENSA)),
        Form("optimised C", _OPTIMISED, (_FAST, _XTENSA, "-DCONFIG_IDF_TARGET_ESP32=1")),
    ),
    "esp32s3": (Form("optimised C", _OPTIMISED, (_FAST, _XTENSA), target="esp32"), _S3),
}
"""What is counted on a machine, the best last, with the options of its own build."""
PORTABLE = Form("optimised C", _OPTIMISED, (_FAST,), ("-fwrapv",))
"""What other machines have; with -fwrapv it takes fewer instructions there."""


def best_form(machine: Machine) -> Form:
    """What its user gets on a machine."""
    return FORMS[machine.name][-1] if machine.name in FORMS else PORTABLE


def add_argument(parser: argparse.ArgumentParser) -> None:
    """The option that names its sources."""
    default = os.environ.get(VARIABLE, "")
    parser.add_argument("--esp-nn", default=default, metavar="FOLDER", help=f"ESP-NN's sources ({VARIABLE})")


def version_of(folder: Path) -> str:
    """As its component file has it; empty where there is none."""
    path = folder / "idf_component.yml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r'^version: *"?([^"\n]+)', text, re.MULTILINE)
    return found[1] if found else ""


def built(folder: Path, machine: Machine, form: Form, flags: Sequence[str], into: Path) -> Path:
    """Compiles one form of it for a machine.

    Args:
        folder: its sources.
        machine: what for.
        form: which of them.
        flags: options of the compiler behind -O2, which is what its own build has.
        into: a new folder for what is made.

    Returns:
        The folder, with include/ and libesp-nn.a.

    Raises:
        MissingTool: it has no sources, or there is no compiler.
        TinycError: they do not compile.
    """
    sources = sorted(path for files in form.files for path in folder.resolve().glob(f"src/{files}"))
    if not sources or not (folder / "include" / "esp_nn.h").exists():
        raise MissingTool(f"{folder} has no sources of ESP-NN: no src/{form.files[0]}, or no include/esp_nn.h")
    cc = tools_for(machine).compiler
    shutil.copytree(folder / "include", into / "include")
    includes = [f"-I{into.resolve() / 'include'}", f"-I{folder.resolve() / 'src' / 'common'}"]
    options = ["-std=gnu11", "-O2", *flags, "-ffunction-sections", *form.options, *form.macros]
    command = [*cc, *machine.flags, *options, *includes, "-c"]
    for kind in sorted({path.suffix for path in sources}):
        _called([*command, *(str(path) for path in sources if path.suffix == kind)], into)
        for path in (path for path in sources if path.suffix == kind):
            (into / f"{path.stem}.o").rename(into / _object(path))
    archiver = _called([*cc, "-print-prog-name=ar"], into).strip()
    _called([archiver, "rcs", f"lib{LIBRARY}.a", *map(_object, sources)], into)
    return into


def _object(source: Path) -> str:
    """The file that a source is compiled to: of one in C and one in assembly the names may be the same else."""
    return f"{source.suffix[1:]}_{source.stem}.o"


def runner(source: CSource, machine: Machine, form: Form, flags: Sequence[str], library: Path) -> SimulatorRunner:
    """Generated C that calls a form of the library, which `built` has made with the same options. Raises as
    `SimulatorRunner` does."""
    return SimulatorRunner(source, machine, [*flags, *form.macros], libraries={LIBRARY: library})


def _called(command: Sequence[str], folder: Path) -> str:
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode:
        raise TinycError(f"{' '.join(command[:3])} ... fails: {found.stderr[-2000:]}")
    return found.stdout

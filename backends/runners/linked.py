"""Kernel libraries that were built for this computer, to link generated code with.

They are never part of this project. An environment variable names a folder with the library's headers, in `include/`,
and its portable C as a static library for this computer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyc.backends.c.source import CSource
from tinyc.backends.runners.exchange import MissingTool

VARIABLES = {"esp-nn": "ESP_NN_PATH", "esp-dsp": "ESP_DSP_PATH"}
"""The variable that names the folder of each library."""
OPTIMISED = {"esp-nn": ("-DCONFIG_NN_OPTIMIZED=1",), "esp-dsp": ("-DCONFIG_DSP_OPTIMIZED=1",)}
"""What sdkconfig.h has unless a project chooses otherwise."""


@dataclass(frozen=True)
class Linked:
    """Options for the compiler, and what is linked."""

    flags: tuple[str, ...] = ()
    link: tuple[str, ...] = ()


def linked(source: CSource, folders: Mapping[str, Path] | None = None) -> Linked:
    """The options for the kernel libraries that a source needs: from these folders, built for the machine that runs it,
    or from those that the environment names, built for this computer.

    Raises:
        MissingTool: a library is missing; the message says which, and where it is looked for.
    """
    flags: list[str] = []
    link: list[str] = []
    for name in source.libraries:
        variable = VARIABLES[name]
        path = os.environ.get(variable) if folders is None else folders.get(name)
        if not path:
            raise MissingTool(
                f"{source.name} is linked with {name}: let {variable} name a folder with its headers in include/ and "
                f"with lib{name}.a, its portable C built for this computer"
            )
        folder = Path(path).resolve()
        archive = folder / f"lib{name}.a"
        if not archive.exists() or not (folder / "include").is_dir():
            raise MissingTool(f"{variable}: {folder} has no include/ or no {archive.name} built for this computer")
        flags += ["-isystem", str(folder / "include"), *OPTIMISED[name]]
        link.append(str(archive))
    return Linked(tuple(flags), tuple(link))


def refuse_libraries(source: CSource, machine: str) -> None:
    """Raises `MissingTool` when a source needs kernel libraries: for simulated machines the environment names none."""
    if source.libraries:
        raise MissingTool(
            f"{source.name} is linked with {', '.join(source.libraries)}, which {machine} does not have: run it on "
            "host, or compile it with `kernels=generic`"
        )

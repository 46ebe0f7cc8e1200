"""What all packages say about themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tinyc.backends.c import CSource
from tinyc.backends.packages.camera import HEADER
from tinyc.backends.packages.example import has_pictures, read_data
from tinyc.backends.packages.packing import Packing

LICENSE = "Apache-2.0"
"""Of the generated code, whose kernels are tinyc's."""
URL = "https://example.com"
"""Package managers want one; this stands for the user's."""


def metadata(source: CSource, packing: Packing, version: str) -> dict[str, str]:
    """Values for the templates of all packages."""
    ram = f"{source.arena_bytes} bytes of RAM" + (f", {source.psram_bytes} of PSRAM" if source.psram_bytes else "")
    return {
        "name": source.name,
        "version": version,
        "package_version": semantic(version),
        "description": f"The neural network {source.name} as plain C, compiled by tinyc",
        "about": f"{ram}, {source.weights_bytes} of constants; no runtime, no allocation.",
        "url": f"{URL}/{source.name}",
        "license": LICENSE,
        "target": packing.idf_target,
        "chip": f"the {packing.idf_target.upper()}",
        "publish": (
            f"Before you publish it: url, author and version are placeholders. {LICENSE} is the licence of the code,\n"
            "whose kernels are tinyc's; the constants are your model."
        ),
    }


def semantic(version: str) -> str:
    """A version of Python's kind as one of three numbers, which all package managers take."""
    found = re.match(r"\d+(?:\.\d+){0,2}", version)
    numbers = [str(int(n)) for n in found[0].split(".")] if found else []
    return ".".join([*numbers, "0", "0", "0"][:3])


def headers(source: CSource) -> list[str]:
    """The files that users of the package include: all headers but that of the constants."""
    return [name for name in source.files if name.endswith(".h") and name != f"{source.name}_weights.h"]


def split_files(source: CSource) -> Mapping[str, str]:
    """The generated files with the public headers in include/ and the rest in src/."""
    public = headers(source)
    return {f"{'include' if name in public else 'src'}/{name}": text for name, text in source.files.items()}


def camera_rows(folder: str, source: CSource) -> Mapping[str, str]:
    """The header of the converters, where an example's main file includes it."""
    return {f"{folder}/{HEADER}": read_data(HEADER)} if has_pictures(source) else {}

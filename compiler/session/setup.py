"""What options amount to before a model is read: what they name exists, and goes together."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinyc.backends.c.tuning import Tuning
from tinyc.backends.packages import Packing, choose
from tinyc.backends.targets import Target, find, on_machine
from tinyc.compiler.lowering.cores import check_cores
from tinyc.compiler.lowering.kernels import kernel_libraries
from tinyc.compiler.lowering.tuning import tuning_of
from tinyc.compiler.options import Options
from tinyc.ir.errors import TinycError

LONGEST_NAME = 100
"""Of the generated code: the names of its files are longer by some endings, and file systems stop at 255."""


@dataclass(frozen=True)
class Setup:
    """The target, what the generated functions and files are called, how the code is packed, and what it is tuned
    for."""

    target: Target
    name: str
    packing: Packing
    tuning: Tuning


def set_up(options: Options, stem: str, machine: str = "") -> Setup:
    """What the options amount to, for a model whose file has this name; for a simulated machine, if one is named and
    the target is any computer. Raises `TinycError` for what is not there, or does not go together."""
    target = on_machine(find(options.target), machine)
    check_cores(options.cores, target)
    kernel_libraries(options)
    name = identifier(options.name or stem, strict=bool(options.name))
    packing = choose(
        target,
        name,
        format=options.format,
        arena_in=options.arena_in,
        weights_in=options.weights_in,
        pixels=options.port_types.pixels.pixel_scale,
        both=options.external_bytes is not None,
    )
    return Setup(target, name, packing, tuning_of(options.optimize, target, options.tuned))


def identifier(name: str, *, strict: bool) -> str:
    """A C identifier for the generated code. A name the user chose must be one already; a file's name is made one."""
    if strict:
        if len(name) > LONGEST_NAME:
            raise TinycError(f"`name` has {len(name)} characters; take at most {LONGEST_NAME}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise TinycError(
                f"`name` {name!r} is not a C identifier: use letters, digits and _, and start with a letter"
            )
        return name
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return (cleaned if re.match(r"[a-z]", cleaned) else f"model_{cleaned}")[:LONGEST_NAME].rstrip("_")

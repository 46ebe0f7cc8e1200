"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

from tinyc.compiler.base.checked import OptionError

_UNITS = {"": 1, "K": 1024, "M": 1024**2}


def parse_bytes(text: str, option: str = "ram") -> int:
    """`65536`, `64K` or `1M` (of 1,024) in bytes. Raises `OptionError` for anything else, which names the option; only
    `system_ram` may be 0."""
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([KM]?)(?:i?B)?", text, re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else -1
    if size < (option != "system_ram"):
        two = ", or two as in 160K+2M" if option == "ram" else ""
        raise OptionError(f"`{option}` takes a number of bytes, as in 65536, 64K or 1M{two}; not {text!r}")
    return size


def parse_memories(text: str) -> tuple[int, int | None]:
    """`64K` or `160K+2M` in bytes, the second None where there is none. Raises `OptionError` for anything else."""
    internal, plus, external = (part.strip() for part in text.partition("+"))
    if plus and not (internal and external):
        raise OptionError(f"`ram` of two memories has a number on both sides of the +, as in 160K+2M; not {text!r}")
    return parse_bytes(internal), parse_bytes(external) if plus else None

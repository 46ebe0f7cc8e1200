"""What a target file may say. Every message names the file, the key, and what is allowed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tinyc.ir.errors import TinycError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ISAS = ("host", "rv32imac", "rv32imafc", "rv32imc", "xtensa-lx6", "xtensa-lx7")
PACKAGES = ("arduino", "c", "idf", "platformio")
LIBRARIES = ("esp-dsp", "esp-nn")
SIMD = {"esp32p4": "rv32imafc", "esp32s3": "xtensa-lx7"}
"""Vector instructions, and the instruction set that they extend."""
FPU = {"rv32imac": False, "rv32imafc": True, "rv32imc": False}
"""Whether an instruction set has float instructions, where its name says it."""
SIMULATED = {
    "esp32": "xtensa-lx6",
    "esp32s3": "xtensa-lx7",
    "host": "host",
    "rv32imac": "rv32imac",
    "rv32imafc": "rv32imafc",
    "rv32imc": "rv32imc",
}
"""Runners, and the instruction set that each has."""
MEASURED = ("esp32", "esp32s3", "rv32imac", "rv32imafc", "rv32imc", "xtensa-lx106")
"""Simulated machines that count instructions."""


class TargetError(TinycError):
    """A target that does not exist, or whose file is wrong."""


LARGEST_TILE = 4
"""Pixels that a register tile has at most."""


def read(text: str, source: str) -> dict[str, Any]:
    """The keys of a TOML file. Raises `TargetError` when it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"{source}: not valid TOML: {error}") from None


def at_line(key: str, text: str) -> str:
    """` (line N)`, where a key begins a line of a TOML file; empty where it is spelt otherwise."""
    place = re.compile(rf"""\s*\[*\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    lines = (number for number, line in enumerate(text.splitlines(), 1) if place.match(line))
    number = next(lines, 0)
    return f" (line {number})" if number else ""


def check_types(table: Mapping[str, Any], types: Mapping[str, str], source: str) -> None:
    """Raises `TargetError` for the first value of another type than its key takes.

    Args:
        table: the values.
        types: what each key takes: "str", "bool", "int", or else a list of texts.
        source: what the table was read from.
    """
    kinds = {"str": str, "bool": bool, "int": int}
    for key, value in table.items():
        takes = types[key]
        if takes in kinds:
            if type(value) is not kinds[takes]:
                raise TargetError(f"{source}: {key} takes a value of type {takes}, not {value!r}")
        elif not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise TargetError(f'{source}: {key} takes a list of texts, as in ["esp-nn"], not {value!r}')


def check_values(table: Mapping[str, Any], source: str) -> None:
    """Raises `TargetError` for the first value that cannot be. All required keys are there, with the right types."""
    for wrong in _impossible(table):
        raise TargetError(f"{source}: {wrong}")


_COUNTS = (
    *("clock_hz", "ram_bytes", "static_bytes", "psram_bytes", "flash_bytes", "float_registers"),
    *("system_bytes", "system_static_bytes"),
    *("cycles_per_100_instructions", "cache_bytes", "flash_line_ns", "psram_line_ns", "time_error_percent"),
)


def _impossible(table: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the values."""
    yield from _unknown_words(table)
    if not table["name"].strip():
        yield "name is empty"
    if table.get("cores", 1) < 1:
        yield f"cores is at least 1, not {table['cores']}"
    for key in _COUNTS:
        if table.get(key, 0) < 0:
            yield f"{key} is at least 0, not {table[key]}"
    for key, least in (("tile", 1), ("paired_tile", 0)):
        if not least <= table.get(key, least) <= LARGEST_TILE:
            yield f"{key} is {least} to {LARGEST_TILE}, not {table[key]}"
    if table["alignment"] < 4 or table["alignment"] & (table["alignment"] - 1):
        yield f"alignment is a power of two of at least 4, not {table['alignment']}"
    if table.get("cache_line_bytes", 1) < 1:
        yield f"cache_line_bytes is at least 1, not {table['cache_line_bytes']}"
    isa, ram, static = table["isa"], table.get("ram_bytes", 0), table.get("static_bytes", 0)
    for key in ("ram_bytes", "static_bytes", "flash_bytes"):
        if isa != "host" and not table.get(key, 0):
            yield f'{key} is missing or 0; only a target whose isa is "host" has no limits'
    if ram and static > ram:
        yield f"static_bytes is no more than ram_bytes ({ram}), not {static}"
    yield from _too_much(table)
    yield from _contradictions(table)


def _too_much(table: Mapping[str, Any]) -> Iterator[str]:
    """What takes more than there is."""
    for key, limit in (("system_bytes", "ram_bytes"), ("system_static_bytes", "system_bytes")):
        if table.get("ram_bytes", 0) and table.get(key, 0) > table.get(limit, 0):
            yield f"{key} is no more than {limit} ({table.get(limit, 0)}), not {table[key]}"


def _unknown_words(table: Mapping[str, Any]) -> Iterator[str]:
    choices = {
        "isa": ISAS,
        "package": PACKAGES,
        "simd": ("", *SIMD),
        "simulator": ("", *SIMULATED),
        "tuned_on": ("", *MEASURED),
    }
    for key, allowed in choices.items():
        if table.get(key, "") not in allowed and key in table:
            yield f"{key} is one of {_quoted(allowed)}, not {table[key]!r}"
    for name in table.get("kernels", ()):
        if name not in LIBRARIES:
            yield f"kernels has some of {_quoted(LIBRARIES)}, not {name!r}"


def _contradictions(table: Mapping[str, Any]) -> Iterator[str]:
    """Instructions that the instruction set does not have."""
    isa, fpu = table["isa"], table["fpu"]
    if FPU.get(isa, fpu) is not fpu:
        yield f"fpu is {str(FPU[isa]).lower()} for isa {isa!r}, not {str(fpu).lower()}"
    for key in ("fma", "float_registers"):
        if table.get(key, 0) and not fpu:
            yield f"{key} is {str(table[key]).lower()}, but fpu is false"
    simd = table.get("simd", "")
    if simd and SIMD[simd] != isa:
        yield f"simd {simd!r} goes with isa {SIMD[simd]!r}, not {isa!r}"
    simulator = table.get("simulator", "")
    if simulator and SIMULATED[simulator] != isa:
        yield f"simulator {simulator!r} does not have isa {isa!r}"
    if table["package"] == "idf" and not table.get("idf_target", ""):
        yield 'idf_target is missing or empty; package "idf" needs the chip as ESP-IDF spells it, as in "esp32s3"'


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{w}"' for w in words)

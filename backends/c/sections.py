"""Where arrays lie: the macros that carry an attribute of the compiler from a build's configuration to an array.

Each macro is empty unless a build defines it, or the target has an attribute for the memory that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinyc.backends.c.source import Section, Sections


@dataclass(frozen=True)
class Arenas:
    """The arena and that in external memory: their bytes, and what their addresses are multiples of."""

    bytes: int
    alignment: int
    external: int = 0


def size_lines(macro: str, arena: Arenas) -> Iterator[str]:
    """The lines of the header that say how large arenas are."""
    yield "/* The arena: bytes, and what its address is a multiple of. */"
    yield f"#define {macro}_ARENA_BYTES {arena.bytes}"
    yield f"#define {macro}_ARENA_ALIGN {arena.alignment}"
    if arena.external:
        yield "/* The second arena, for external memory, aligned like the first. */"
        yield f"#define {macro}_PSRAM_BYTES {arena.external}"
    yield ""


def arena_lines(macro: str, arena: Arenas, sections: Sections) -> Iterator[str]:
    """The lines of the header that define `<NAME>_ARENA(name)`, which makes a static arena that is right, and
    `<NAME>_PSRAM(name)` for the second one.

    There are none for a network without an arena, and for an arena that is allocated.
    """
    if arena.bytes and not sections.allocate:
        yield f"/* {macro}_ARENA(name); defines an arena: a static array of the right size, alignment and place. */"
        yield from _array_lines(macro, "ARENA", sections.arena)
    if arena.external and not sections.allocate_external:
        yield f"/* {macro}_PSRAM(name); the same for the second arena. */"
        yield from _array_lines(macro, "PSRAM", sections.external)


def _array_lines(macro: str, kind: str, section: Section | None) -> Iterator[str]:
    yield from attribute_lines(f"{macro}_{kind}_ATTR", section)
    yield "#if defined(__GNUC__)"
    array = f"static {macro}_{kind}_ATTR unsigned char name[{macro}_{kind}_BYTES]"
    yield f"#define {macro}_{kind}(name) {array} __attribute__((aligned({macro}_ARENA_ALIGN)))"
    yield "#endif"
    yield ""


def arena_definitions(macro: str, arena: Arenas, sections: Sections) -> Iterator[str]:
    """The statements that make an arena called `arena` and a second one called `psram`, as far as a network has
    them."""
    if arena.bytes:
        yield f"void *arena = {sections.allocate};" if sections.allocate else f"{macro}_ARENA(arena);"
    if arena.external:
        allocated = sections.allocate_external
        yield f"void *psram = {allocated};" if allocated else f"{macro}_PSRAM(psram);"


def attribute_lines(macro: str, section: Section | None) -> Iterator[str]:
    """The lines that define a macro as the attribute of a section, if the build has not defined it already."""
    yield f"#ifndef {macro}"
    if section is None:
        yield f"#define {macro}"
    else:
        yield "#if defined(ESP_PLATFORM)"
        yield '#include "sdkconfig.h"'
        yield f'#include "{section.header}"'
        yield "#endif"
        yield f"#if defined({section.enabled})"
        if section.needs:
            yield f"#if !defined({section.needs})"
            yield f'#error "{section.advice}"'
            yield "#endif"
        yield f"#define {macro} {section.attribute}"
        yield "#else"
        yield f"#define {macro}"
        yield "#endif"
    yield "#endif"

"""Where arrays lie: the macros that carry an attribute of the compiler from a build's configuration to an array.

Each macro is empty unless a build defines it, or the target has an attribute for the memory that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyc.backends.c.source import Section, Sections


def arena_lines(macro: str, bytes: int, sections: Sections) -> Iterator[str]:
    """The lines of the header that define `<NAME>_ARENA(name)`, which makes a static arena that is right.

    There are none for a network without an arena, and for an arena that is allocated.
    """
    if bytes == 0 or sections.allocate:
        return
    yield f"/* {macro}_ARENA(name); defines an arena: a static array of the right size, alignment and place. */"
    yield from attribute_lines(f"{macro}_ARENA_ATTR", sections.arena)
    yield "#if defined(__GNUC__)"
    array = f"static {macro}_ARENA_ATTR unsigned char name[{macro}_ARENA_BYTES]"
    yield f"#define {macro}_ARENA(name) {array} __attribute__((aligned({macro}_ARENA_ALIGN)))"
    yield "#endif"
    yield ""


def arena_definition(macro: str, bytes: int, sections: Sections) -> str:
    """The statement that makes an arena called `arena`; nothing for a network that needs none."""
    if bytes == 0:
        return ""
    return f"void *arena = {sections.allocate};" if sections.allocate else f"{macro}_ARENA(arena);"


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

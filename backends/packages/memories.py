"""The memories of the ESP32 family as data: which attribute puts an array there, and what a build must have for it.

From ESP-IDF's programming guide, "Memory Types" (DRAM_ATTR puts constants into internal RAM) and "Support for External
RAM" (EXT_RAM_BSS_ATTR puts zero-initialised variables into PSRAM, if the configuration allows that section). The
libraries that Arduino is linked with are built without that section, and start PSRAM only before setup(): there, an
arena in PSRAM must be allocated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from tinyc.backends.c import Section, Sections

Format = Literal["c", "idf", "arduino", "platformio"]

ARENAS = ("internal", "psram")
WEIGHTS = ("flash", "internal")

BSS_IN_PSRAM = "CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY"

PSRAM = Section(
    "EXT_RAM_BSS_ATTR",
    "esp_attr.h",
    needs=BSS_IN_PSRAM,
    advice=f"the arena is to lie in PSRAM: set CONFIG_SPIRAM=y and {BSS_IN_PSRAM}=y in sdkconfig",
)
INTERNAL_CONSTANTS = Section("DRAM_ATTR", "esp_attr.h")

ALLOCATED: frozenset[Format] = frozenset({"arduino", "platformio"})
"""Where an arena in PSRAM is allocated."""
CONFIGURED: frozenset[Format] = frozenset({"idf"})
"""Where a build's configuration (Kconfig) chooses, and the options of tinyc are its defaults."""


def sections_of(
    macro: str, format: Format, psram: bool, known: bool, arena_in: str, weights_in: str, both: bool = False
) -> Sections:
    """What the chosen memories mean for the C of a network.

    Args:
        macro: what the network's macros begin with.
        format: the form of the output.
        psram: whether the target can have PSRAM.
        known: whether the sections of the target are known at all.
        arena_in: one of `ARENAS`.
        weights_in: one of `WEIGHTS`.
        both: whether there is an arena in each memory.
    """
    if not known:
        return Sections()
    if both:
        constants = replace(INTERNAL_CONSTANTS, enabled=f"CONFIG_{macro}_WEIGHTS_IN_INTERNAL")
        weights = constants if format in CONFIGURED else INTERNAL_CONSTANTS if weights_in == "internal" else None
        allocated = format in ALLOCATED
        size = f"{macro}_ARENA_ALIGN, {macro}_PSRAM_BYTES"
        expression = f"heap_caps_aligned_alloc({size}, MALLOC_CAP_SPIRAM)" if allocated else ""
        return Sections(None, weights, "", None if allocated else PSRAM, expression)
    if format in CONFIGURED:
        arena = replace(PSRAM, enabled=f"CONFIG_{macro}_ARENA_IN_PSRAM") if psram else None
        return Sections(arena, replace(INTERNAL_CONSTANTS, enabled=f"CONFIG_{macro}_WEIGHTS_IN_INTERNAL"))
    weights = INTERNAL_CONSTANTS if weights_in == "internal" else None
    if arena_in != "psram":
        return Sections(None, weights)
    if format in ALLOCATED:
        size = f"{macro}_ARENA_ALIGN, {macro}_ARENA_BYTES"
        return Sections(None, weights, f"heap_caps_aligned_alloc({size}, MALLOC_CAP_SPIRAM)")
    return Sections(PSRAM, weights)

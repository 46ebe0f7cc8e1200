"""How a network is packed: the form of the output and the memories of its arrays, and what does not go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from tinyc.backends.c import CSource, PixelScale, Sections
from tinyc.backends.packages.memories import ARENAS, WEIGHTS, Format, sections_of
from tinyc.backends.targets import Target
from tinyc.ir.errors import TinycError

FORMATS: tuple[Format, ...] = get_args(Format)

LONGEST_ARDUINO_NAME = 63

# Headers that the generated C or an example includes, in lower case, as some file systems compare names. Arduino and
# PlatformIO put libraries before the system in the search path.
_HEADERS = frozenset(
    {"assert", "ctype", "errno", "float", "limits", "math", "pthread", "stdbool", "stddef", "stdint", "stdio", "stdlib"}
    | {"string", "time"}
    | {"arduino", "camera_rows", "sdkconfig"}
    | {f"esp_{name}" for name in ("attr", "camera", "cpu", "err", "heap_caps", "nn", "system", "timer")}
)


PIXELS = PixelScale()
"""What pixels stand for if nothing else is said."""


class PackageError(TinycError):
    """A form of output, a place of an array or a name that a target or a form does not allow."""


@dataclass(frozen=True)
class Packing:
    """How a network is packed.

    Attributes:
        format: one of `FORMATS`.
        idf_target: the chip as ESP-IDF spells it; empty for none.
        arena_in: the memory of the arena.
        weights_in: the memory of the constants.
        psram: whether the target can have PSRAM.
        sections: what the memories mean for the generated C.
        pixels: what pixels of an image stand for.
        both: whether there is an arena in internal RAM and one in PSRAM.
    """

    format: Format
    idf_target: str
    arena_in: str
    weights_in: str
    psram: bool
    sections: Sections
    pixels: PixelScale = PIXELS
    both: bool = False

    @property
    def as_dict(self) -> dict[str, str]:
        """What was chosen, as the report says it."""
        return {"format": self.format, "arena_in": self.arena_in, "weights_in": self.weights_in}

    def needs_psram(self, source: CSource) -> bool:
        """Whether an arena of a network lies in PSRAM."""
        return source.psram_bytes > 0 or self.arena_in == "psram"


def choose(
    target: Target,
    name: str,
    *,
    format: str = "",
    arena_in: str = "internal",
    weights_in: str = "flash",
    pixels: PixelScale = PIXELS,
    both: bool = False,
) -> Packing:
    """How to pack a network called `name` for a target.

    Args:
        target: its own form is taken where `format` is empty.
        name: of the network: its files and functions.
        format: one of `FORMATS`.
        arena_in: "internal" or "psram".
        weights_in: "flash" or "internal".
        pixels: as in `Packing`.
        both: as in `Packing`; any computer may have two memories, whose attributes a build defines.

    Raises:
        PackageError: there is no such form or memory, the target or the form does not have it, or the name will not do.
    """
    known: dict[str, Format] = {f: f for f in FORMATS}
    form = known.get(format or target.package)
    if form is None:
        raise PackageError(f"unknown format {format or target.package!r}; the formats are {', '.join(FORMATS)}")
    if form != "c" and not target.idf_target:
        raise PackageError(
            f"`format={form}` is for chips of the ESP32 family, and target {target.name} is none: give such a target "
            "(`target=esp32`; the command `tinyc targets` lists them), or take `format=c`, whose files any C "
            "compiler takes"
        )
    _check_memories(target, arena_in, weights_in, both)
    _check_name(name, form)
    psram = target.psram_bytes > 0
    sections = sections_of(name.upper(), form, psram, bool(target.idf_target), arena_in, weights_in, both)
    return Packing(form, target.idf_target, arena_in, weights_in, psram, sections, pixels, both)


def _check_memories(target: Target, arena_in: str, weights_in: str, both: bool) -> None:
    if arena_in not in ARENAS:
        raise PackageError(f"`arena_in` takes {' or '.join(ARENAS)}, not {arena_in!r}")
    if weights_in == "psram":
        raise PackageError(
            "`weights_in=psram` is not possible: nothing loads constants into PSRAM at a start, no section of a linker "
            "script does. With CONFIG_SPIRAM_RODATA=y, where a chip has it, ESP-IDF itself copies all constants of a "
            "program there; the code for that is the one of `weights_in=flash`"
        )
    if weights_in not in WEIGHTS:
        raise PackageError(f"`weights_in` takes {' or '.join(WEIGHTS)}, not {weights_in!r}")
    if arena_in == "psram" and not target.psram_bytes:
        raise PackageError(
            f"`arena_in=psram`: target {target.name} has no PSRAM (psram_bytes = 0). Give a target that has, or leave "
            "the arena in internal RAM; `ram`, `rows_from=callback` and `quantise=QuantiseOptions(...)` make it smaller"
        )
    if both and target.idf_target and not target.psram_bytes:
        raise PackageError(
            f"`ram` of two memories: target {target.name} has no PSRAM (psram_bytes = 0). Give a target that has, or "
            "one number"
        )
    elsewhere = ["`arena_in=psram`"] * (arena_in == "psram") + ["`weights_in=internal`"] * (weights_in == "internal")
    if elsewhere and not target.idf_target:
        raise PackageError(
            f"{' and '.join(elsewhere)}: the sections of the ESP32 family are known, those of target {target.name} are "
            "not. Define <NAME>_ARENA_ATTR and <NAME>_WEIGHTS_ATTR as your compiler's attributes in the build"
        )


def _check_name(name: str, form: Format) -> None:
    if name.lower() in _HEADERS:
        raise PackageError(
            f"a network cannot be called {name}: its header {name}.h would stand before another of that name; "
            "choose a name by `name`"
        )
    if form == "arduino" and len(name) > LONGEST_ARDUINO_NAME:
        raise PackageError(
            f"{name} has {len(name)} characters, and the name of an Arduino library at most {LONGEST_ARDUINO_NAME}; "
            "choose a shorter one by `name`"
        )


def check_libraries(format: str, source: CSource) -> None:
    """Raises `PackageError` when a package would lack a library that its C calls."""
    if source.libraries and format in ("arduino", "platformio"):
        raise PackageError(
            f"`format={format}` cannot bring {', '.join(source.libraries)}, which are components of ESP-IDF only; take "
            "`kernels=generic`, or `format=idf`"
        )

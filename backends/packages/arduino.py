"""An Arduino library of the format 1.5: the generated C and example sketches, for boards of the ESP32 family."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.backends.c import CSource
from tinyc.backends.c.functions import pushed_port
from tinyc.backends.packages.camera import BOARDS
from tinyc.backends.packages.example import ARDUINO, has_pictures, main_file, read_template
from tinyc.backends.packages.metadata import camera_rows, metadata
from tinyc.backends.packages.packing import Packing


def arduino_library(source: CSource, packing: Packing, version: str) -> Mapping[str, str]:
    """The files of a library, by path relative to the library's folder."""
    name = source.name
    board = BOARDS.get(packing.idf_target) if has_pictures(source) else None
    arena = "The second arena" if packing.both else "The arena"
    psram = f"\n- {arena} lies in PSRAM: enable it, *Tools > PSRAM*. The sketch allocates it once, in `setup`."
    values = metadata(source, packing, version)
    values |= {
        "headers": f"{name}.h",
        "camera": f"\n- With the camera of an {board.name}: *{name}_camera*." if board else "",
        "psram": psram if packing.needs_psram(source) else "",
    }
    files = {f"src/{file}": text for file, text in source.files.items()}
    files["library.properties"] = read_template("library.properties").substitute(values)
    files["README.md"] = read_template("arduino_README.md").substitute(values)
    files["keywords.txt"] = _keywords(source)
    for kind, of in {"example": None, "camera": board}.items():
        if kind == "example" or of:
            folder = f"examples/{name}_{kind}"
            files[f"{folder}/{name}_{kind}.ino"] = main_file("sketch.ino", source, packing, version, ARDUINO, of)
            files |= camera_rows(folder, source)
    return files


def _keywords(source: CSource) -> str:
    """What the editor highlights: a word, a tab, its kind."""
    names = [source.function, *([f"{source.name}_reset"] if source.calls else [])]
    names += [f"{source.name}_{p.name}" for p in source.inputs if p.place == "arena"]
    names += [f"{source.name}_{f}" for f in ("push_row", "finish") if pushed_port(source.inputs)]
    constants = [f"{source.macro}_ARENA_BYTES", f"{source.macro}_ARENA_ALIGN"]
    constants += [f"{source.macro}_PSRAM_BYTES"] if source.psram_bytes else []
    constants += [f"{p.macro}_{kind}" for p in (*source.inputs, *source.outputs) for kind in ("SIZE", "BYTES")]
    lines = [*(f"{n}\tKEYWORD2" for n in names), *(f"{n}\tLITERAL1" for n in constants)]
    return "\n".join(lines) + "\n"

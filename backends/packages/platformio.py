"""A PlatformIO library for the platform espressif32, with examples for both of its frameworks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from tinyc.backends.c import CSource
from tinyc.backends.packages.camera import BOARDS as CAMERAS
from tinyc.backends.packages.example import ARDUINO, ESP_IDF, has_pictures, main_file, read_template
from tinyc.backends.packages.idf import sdkconfig
from tinyc.backends.packages.metadata import camera_rows, headers, metadata, split_files
from tinyc.backends.packages.packing import Packing

BOARDS: Mapping[str, str] = MappingProxyType(
    {
        "esp32": "esp32dev",
        "esp32s2": "esp32-s2-saola-1",
        "esp32s3": "esp32-s3-devkitc-1",
        "esp32c3": "esp32-c3-devkitm-1",
        "esp32c6": "esp32-c6-devkitc-1",
        "esp32h2": "esp32-h2-devkitm-1",
        "esp32p4": "esp32-p4-evboard",
    }
)
"""A board for each chip, as PlatformIO calls it; users put theirs into platformio.ini."""


def platformio_library(source: CSource, packing: Packing, version: str) -> Mapping[str, str]:
    """The files of a library, by path relative to the library's folder."""
    name, values = source.name, metadata(source, packing, version)
    camera = CAMERAS.get(packing.idf_target) if has_pictures(source) else None
    arena = "The second arena" if packing.both else "The arena"
    psram = (
        f"\n- {arena} lies in PSRAM, which the board must have: `build_flags = -DBOARD_HAS_PSRAM` with Arduino,\n"
        "  `CONFIG_SPIRAM=y` with ESP-IDF. The examples allocate it once."
    )
    values |= {
        "camera": f"\n- With the camera of an {camera.name}: `examples/{name}_camera`." if camera else "",
        "psram": psram if packing.needs_psram(source) else "",
    }
    files = {**split_files(source), "README.md": read_template("platformio_README.md").substitute(values)}
    files["library.json"] = _manifest(source, values)
    espidf, arduino, cameras = (f"examples/{name}_{kind}" for kind in ("espidf", "arduino", "camera"))
    files |= _project(espidf, source, packing, "espidf")
    files[f"{espidf}/src/main.c"] = main_file("main.c", source, packing, version, ESP_IDF)
    files[f"{espidf}/sdkconfig.defaults"] = sdkconfig(source, packing)
    files |= _project(arduino, source, packing, "arduino")
    files[f"{arduino}/src/main.cpp"] = _sketch(main_file("sketch.ino", source, packing, version, ARDUINO))
    if camera:
        files |= _project(cameras, source, packing, "arduino")
        files[f"{cameras}/src/main.cpp"] = _sketch(main_file("sketch.ino", source, packing, version, ARDUINO, camera))
    return files


def _sketch(text: str) -> str:
    """A sketch as C++, which includes what the Arduino IDE adds by itself."""
    return text.replace("#include <stdint.h>", "#include <Arduino.h>\n#include <stdint.h>", 1)


def _project(folder: str, source: CSource, packing: Packing, framework: str) -> Mapping[str, str]:
    board = BOARDS.get(packing.idf_target, packing.idf_target)
    psram = "build_flags = -DBOARD_HAS_PSRAM\n" if packing.needs_psram(source) and framework == "arduino" else ""
    ini = read_template("platformio.ini").substitute(board=board, framework=framework)
    return {f"{folder}/platformio.ini": ini + psram, **camera_rows(f"{folder}/src", source)}


def _manifest(source: CSource, values: Mapping[str, str]) -> str:
    document = {
        "name": source.name,
        "version": values["package_version"],
        "description": values["description"],
        "keywords": ["tinyml", "neural-network", "inference"],
        "authors": [{"name": "tinyc"}],
        "homepage": values["url"],
        "license": values["license"],
        "frameworks": ["arduino", "espidf"],
        "platforms": ["espressif32"],
        "headers": headers(source),
        "build": {"unflags": "-Os", "flags": "-O2"},
    }
    return json.dumps(document, indent=2) + "\n"

"""An ESP-IDF component: the generated C, its build files, its configuration, and example applications."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.backends.c import CSource
from tinyc.backends.packages.camera import BOARDS, Board
from tinyc.backends.packages.example import ESP_IDF, has_pictures, main_file, read_template
from tinyc.backends.packages.memories import BSS_IN_PSRAM
from tinyc.backends.packages.metadata import camera_rows, metadata, split_files
from tinyc.backends.packages.packing import Packing

LIBRARIES = {"esp-nn": ("espressif/esp-nn", ">=1.2.6,<2.0.0"), "esp-dsp": ("espressif/esp-dsp", "^1.8.2")}
"""The components that generated C may call, by the name of the library, and their versions."""
CAMERA = ("espressif/esp32-camera", "^2.0.4")

LARGE_APP = 700_000
"""Bytes of constants from which a program does not fit ESP-IDF's default partition of 1 MiB, with some 300 KB of its
own."""


def idf_component(source: CSource, packing: Packing, version: str) -> Mapping[str, str]:
    """The files of a component, by path relative to the component's folder."""
    libraries = [LIBRARIES[name] for name in source.libraries]
    board = BOARDS.get(packing.idf_target) if has_pictures(source) else None
    values = metadata(source, packing, version)
    values |= {
        "sources": " ".join(f'"src/{n}"' for n in source.files if n.endswith(".c")),
        "requires": f" PRIV_REQUIRES {' '.join(n.rpartition('/')[2] for n, _ in libraries)}" if libraries else "",
        "dependencies": "".join(f'  {name}:\n    version: "{spec}"\n' for name, spec in libraries),
        "choices": _choices(source, packing),
        "camera": f"\n- With the camera of an {board.name}: `examples/{source.name}_camera`." if board else "",
        "memory": _memory(source, packing),
    }
    files = dict(split_files(source))
    files["CMakeLists.txt"] = read_template("idf_CMakeLists.txt").substitute(values)
    files["idf_component.yml"] = read_template("idf_component.yml").substitute(values)
    if values["choices"]:
        files["Kconfig"] = read_template("idf_Kconfig").substitute(values)
    files["README.md"] = read_template("idf_README.md").substitute(values)
    files |= _example(source, packing, version, None)
    if board:
        files |= _example(source, packing, version, board)
    return files


def _example(source: CSource, packing: Packing, version: str, board: Board | None) -> Mapping[str, str]:
    """An application around the network; with a board, one around its camera."""
    project = f"{source.name}_{'camera' if board else 'example'}"
    folder, template = f"examples/{project}", "camera_main.c" if board else "main.c"
    files = {
        f"{folder}/CMakeLists.txt": read_template("idf_example_CMakeLists.txt").substitute(project=project),
        f"{folder}/sdkconfig.defaults": sdkconfig(source, packing),
        f"{folder}/main/CMakeLists.txt": read_template("idf_main_CMakeLists.txt").substitute(),
        f"{folder}/main/main.c": main_file(template, source, packing, version, ESP_IDF, board),
        **camera_rows(f"{folder}/main", source),
    }
    if board:
        files[f"{folder}/main/idf_component.yml"] = f'dependencies:\n  {CAMERA[0]}: "{CAMERA[1]}"\n'
    return files


def sdkconfig(source: CSource, packing: Packing) -> str:
    """What an example configures."""
    lines = [f'CONFIG_IDF_TARGET="{packing.idf_target}"', "CONFIG_ESP_MAIN_TASK_STACK_SIZE=8192"]
    if packing.needs_psram(source):
        lines += ["CONFIG_SPIRAM=y", f"{BSS_IN_PSRAM}=y"]
    if source.weights_bytes > LARGE_APP:
        lines += ["CONFIG_ESPTOOLPY_FLASHSIZE_4MB=y", "CONFIG_PARTITION_TABLE_SINGLE_APP_LARGE=y"]
    return "\n".join(lines) + "\n"


def _memory(source: CSource, packing: Packing) -> str:
    """What the README says of the choices."""
    if not _choices(source, packing):
        return ""
    possible = source.psram_bytes if packing.both else packing.psram
    arena = "the second arena" if packing.both else "the arena"
    psram = f"\n  PSRAM for {arena} needs `CONFIG_SPIRAM=y` and `{BSS_IN_PSRAM}=y`." if possible else ""
    return f"\n- Memory: `idf.py menuconfig`, *Component config > Neural network {source.name}*.{psram}"


def _choices(source: CSource, packing: Packing) -> str:
    """The memories as choices of Kconfig, of what the network has; the options of tinyc are the defaults."""
    choices, macro = [], source.macro
    if packing.psram and source.arena_bytes and not packing.both:
        advice = f"PSRAM is large and slow. It needs SPIRAM and {BSS_IN_PSRAM.removeprefix('CONFIG_')}."
        options = {"INTERNAL": "internal RAM", "PSRAM": "PSRAM"}
        choices.append(_choice(f"{macro}_ARENA", "Memory of the arena", options, packing.arena_in, advice))
    if source.weights_bytes:
        advice = "Constants in internal RAM are read without waiting for the flash cache, and take their size of it."
        options = {"FLASH": "flash", "INTERNAL": "internal RAM"}
        choices.append(_choice(f"{macro}_WEIGHTS", "Memory of the constants", options, packing.weights_in, advice))
    return "\n".join(choices)


def _choice(symbol: str, prompt: str, options: Mapping[str, str], default: str, advice: str) -> str:
    lines = [
        f"    choice {symbol}_MEMORY",
        f'        prompt "{prompt}"',
        f"        default {symbol}_IN_{default.upper()}",
        "        help",
        f"            {advice}",
        "",
    ]
    for name, text in options.items():
        lines += [f"        config {symbol}_IN_{name}", f'            bool "{text}"']
    return "\n".join([*lines, "    endchoice"]) + "\n"

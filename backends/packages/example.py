"""What the examples of all packages have in common: how to give a network its memory and its inputs, and how to print
what it gives. The texts are C and C++ alike; the names of ports begin with input or output, so no other name of an
example does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template

from tinyc.backends.c import CPort, CSource
from tinyc.backends.packages.camera import Board, Pixels, empty_rows, pixels_of, start_camera, test_picture
from tinyc.backends.packages.packing import Packing

SHOWN = 10
"""Of an output, so many elements are printed."""


@dataclass(frozen=True)
class Dialect:
    """How the main file of an example says what differs between ESP-IDF and Arduino.

    Attributes:
        stop: the statements that end the program with a message.
        show: the statement that prints an element: `$port` is the output's name, `$value` a double.
    """

    stop: Callable[[str], Sequence[str]]
    show: str


ESP_IDF = Dialect(lambda why: [f'printf("{why}\\n");', "return;"], 'printf("  $port[%d] = %g\\n", k, $value);')
ARDUINO = Dialect(
    lambda why: [f'Serial.println("{why}");', "for (;;) {", "    delay(1000);", "}"],
    "Serial.println($value, 6);",
)


def main_file(
    template: str, source: CSource, packing: Packing, version: str, dialect: Dialect, board: Board | None = None
) -> str:
    """The main file of an example by a template of this package.

    Inputs are zeros and rows those of a test picture; with a board, they are those of its camera.
    """
    rows = rows_of(source)
    pixels = pixels_of(rows, packing.pixels) if rows else None
    calls = _Calls(source, packing, rows, pixels, board, dialect)
    includes = ['#include "esp_heap_caps.h"'] * calls.allocates + ['#include "camera_rows.h"'] * (pixels is not None)
    includes += ['#include "esp_camera.h"'] * (board is not None)
    values = {
        "name": source.name,
        "version": version,
        "includes": "".join(f"{line}\n" for line in includes),
        "definitions": "\n\n".join("\n".join(part) for part in calls.definitions() if part),
        "prepare": _block(calls.prepare()),
        "before": _block(calls.before()),
        "call": calls.call(),
        "after": _block(["esp_camera_fb_return(frame);"] if board else []),
        "show": _block(list(_shown(source, dialect))),
        "does": "on what a camera sees, again and again" if board else "once" if dialect is ESP_IDF else "every second",
    }
    return read_template(template).substitute(values)


@dataclass(frozen=True)
class _Calls:
    """The statements of an example."""

    source: CSource
    packing: Packing
    rows: CPort | None
    pixels: Pixels | None
    board: Board | None
    dialect: Dialect

    @property
    def passed(self) -> list[CPort]:
        """What the function takes by a pointer."""
        return [p for p in (*self.source.inputs, *self.source.outputs) if p.place == "argument"]

    @property
    def arenas(self) -> dict[str, str]:
        """The arenas that the network needs, each with the expression by which it is allocated, if it is."""
        sections, source = self.packing.sections, self.source
        found = {"arena": sections.allocate} if source.arena_bytes else {}
        return found | ({"psram": sections.allocate_external} if source.psram_bytes else {})

    @property
    def allocates(self) -> bool:
        """Whether an arena is allocated."""
        return any(self.arenas.values())

    def definitions(self) -> Iterator[Sequence[str]]:
        """Groups of definitions."""
        macro = self.source.macro
        yield [
            *(f"static void *{n};" if made else f"{macro}_{n.upper()}({n});" for n, made in self.arenas.items()),
            *(f"static {p.c_type} {p.name}[{max(p.type.size, 1)}];" for p in self.passed),
            *([self.pixels.table] if self.pixels and self.pixels.table else []),
        ]
        if self.rows is not None and self.pixels is not None:
            yield start_camera(self.board, self.rows) if self.board else test_picture(self.rows)
            yield list(self.pixels.next_row(self.board is not None))
        elif self.rows is not None:
            yield empty_rows(self.rows)

    def prepare(self) -> list[str]:
        """What is done once."""
        lines = []
        for name, made in ((n, made) for n, made in self.arenas.items() if made):
            lines.append(f"{name} = {made};")
            lines += self._stop_if(f"{name} == NULL", "there is no PSRAM, or it is not enabled for this board")
        if self.source.cores > 1:
            lines.append(f"{self.source.name}_cores_start();")
        lines += self.pixels.fill if self.pixels else []
        if self.board:
            lines += self._stop_if("start_camera() != ESP_OK", "the camera does not start")
        return lines

    def _stop_if(self, condition: str, why: str) -> list[str]:
        stop = (f"    {line}" for line in self.dialect.stop(f"{self.source.name}: {why}"))
        return [f"if ({condition}) {{", *stop, "}"]

    def before(self) -> list[str]:
        """What is done before each inference: its inputs."""
        name = self.source.name
        lines = []
        if self.board:
            lines += ["camera_fb_t *const frame = esp_camera_fb_get();", "if (frame == NULL) {", "    return;", "}"]
        for port in self.source.inputs:
            if port.place == "arena":
                lines.append(f"{port.c_type} *const {port.name} = {name}_{port.name}({port.arena});")
        for port in self.source.inputs:
            if port.place != "rows":
                lines.append(f"memset({port.name}, 0, {port.macro}_BYTES); /* Your data goes here: see {name}.h. */")
        return lines

    def call(self) -> str:
        """The inference."""
        rows = ["next_row", "frame" if self.board else "NULL"] if self.rows else []
        memory = ["arena" if self.source.arena_bytes else "NULL", *self.source.arenas[1:]]
        return f"{self.source.name}_run({', '.join([*memory, *rows, *(p.name for p in self.passed)])});"


def rows_of(source: CSource) -> CPort | None:
    """The input that comes by rows."""
    return next((p for p in source.inputs if p.place == "rows"), None)


def has_pictures(source: CSource) -> bool:
    """Whether examples make the rows of the input by camera_rows.h."""
    rows = rows_of(source)
    return rows is not None and pixels_of(rows, (0.0, 1.0)) is not None


def _shown(source: CSource, dialect: Dialect) -> Iterator[str]:
    for port in source.outputs:
        value = f"(double){port.name}[k]"
        if port.scale is not None:
            value = f"(double){port.macro}_TO_FLOAT({port.name}[k])"
        yield f"for (int k = 0; k < {min(port.type.size, SHOWN)}; ++k) {{"
        yield f"    {Template(dialect.show).substitute(port=port.name, value=value)}"
        yield "}"


def _block(lines: Sequence[str]) -> str:
    """Statements within a function, each with its line end."""
    return "".join(f"    {line}\n" for line in lines)


def read_template(name: str) -> Template:
    """A template of this package."""
    return Template(read_data(f"templates/{name}.in"))


def read_data(name: str) -> str:
    """A file of this package."""
    return resources.files("tinyc.backends.packages").joinpath(name).read_text(encoding="utf-8")

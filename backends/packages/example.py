"""What the examples of all packages have in common: how to give a network its memory and its inputs, and how to print
what it gives. The texts are C and C++ alike; the names of ports begin with input or output, so no other name of an
example does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template

from tinyc.backends.c import CPort, CSource, PixelScale
from tinyc.backends.c.functions import pushed_port
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
    calls = _Calls(source, packing, board, dialect)
    pixels = calls.pixels
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
        "show": _block([line for p in source.outputs if p.place == "argument" for line in _shown(p, dialect, "")]),
        "does": "on what a camera sees, again and again" if board else "once" if dialect is ESP_IDF else "every second",
    }
    return read_template(template).substitute(values)


@dataclass(frozen=True)
class _Calls:
    """The statements of an example."""

    source: CSource
    packing: Packing
    board: Board | None
    dialect: Dialect

    @property
    def rows(self) -> list[CPort]:
        """The inputs that come by rows."""
        return [p for p in self.source.inputs if p.place == "rows"]

    @property
    def pixels(self) -> Pixels | None:
        """How rows are made of pixels, where examples make them so."""
        return _pixels(self.source, self.packing.pixels)

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
        if self.pixels is not None:
            yield start_camera(self.board, self.pixels.port) if self.board else test_picture(self.pixels.port)
            yield list(self.pixels.next_row(self.board is not None))
        else:
            yield from map(empty_rows, self.rows)
        for port in self.source.outputs:
            if port.place == "rows":
                yield self._on_row(port)

    def _on_row(self, port: CPort) -> list[str]:
        """The function that the network hands rows to: it prints the beginning of the first one."""
        return [
            f"/* The network hands over row y of {port.name}: 0, 1, ... in order, each once. The row is there until",
            " * this returns. */",
            f"static void {port.callback}(void *user, int y, const {port.c_type} *row)",
            "{",
            "    (void)user;",
            *(f"    {line}" for line in _shown(port, self.dialect, "y == 0 && ")),
            "}",
        ]

    def prepare(self) -> list[str]:
        """What is done once."""
        lines = []
        for name, made in ((n, made) for n, made in self.arenas.items() if made):
            lines.append(f"{name} = {made};")
            lines += self._stop_if(f"{name} == NULL", "there is no PSRAM, or it is not enabled for this board")
        if self.source.cores > 1:
            lines.append(f"{self.source.name}_cores_start();")
        if self.source.calls:
            lines.append(f"{self.source.name}_reset({', '.join(self.source.arenas)});")
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
        called = [p.callback for p in (*self.source.inputs, *self.source.outputs) if p.place == "rows"]
        user = ["frame" if self.board else "NULL"] if called else []
        memory = ["arena" if self.source.arena_bytes else "NULL", *self.source.arenas[1:]]
        return f"{self.source.function}({', '.join([*memory, *called, *user, *(p.name for p in self.passed)])});"


def has_pictures(source: CSource) -> bool:
    """Whether examples make the rows of the input by camera_rows.h."""
    return _pixels(source, PixelScale()) is not None


def _pixels(source: CSource, trained: PixelScale) -> Pixels | None:
    """How pixels become the rows of the one input that comes so; None where several do, or camera_rows.h cannot."""
    rows = pushed_port(source.inputs)
    return None if rows is None else pixels_of(rows, trained)


def _shown(port: CPort, dialect: Dialect, condition: str) -> Iterator[str]:
    """Prints the beginning of an output, or of its first row."""
    by_rows = port.place == "rows"
    element = "row[k]" if by_rows else f"{port.name}[k]"
    value = f"(double){element}" if port.scale is None else f"(double){port.macro}_TO_FLOAT({element})"
    size = port.type.size // port.type.shape[1] if by_rows else port.type.size
    yield f"for (int k = 0; {condition}k < {min(size, SHOWN)}; ++k) {{"
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

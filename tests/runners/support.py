"""Networks written by hand, in every form that a generated one may have, for tests of the runners themselves."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Literal

import numpy as np
import pytest

from tinyc.backends.c.source import CPort, CSource, CStage
from tinyc.backends.runners import MACHINES, HostRunner, MissingTool, Runner, SimulatorRunner
from tinyc.backends.runners.tools import tools_for
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

Place = Literal["argument", "arena", "rows"]
IMAGE = TensorType((1, 5, 3, 2), DType.I8)
ROW = 6
STRICT = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror")

ANYWHERE = ["host", *(pytest.param(name, marks=pytest.mark.simulator) for name in ("rv32imc", "esp32"))]

DECLARED = {
    "argument": "void net_run(void *arena, const int8_t *input, int8_t *output);",
    "arena": "int8_t *net_input(void *arena);\nvoid net_run(void *arena, int8_t *output);",
    "rows": """typedef void (*net_row_fn)(void *user, int row, int8_t *to);
void net_run(void *arena, net_row_fn next_row, void *user, int8_t *output);
void net_start(void *arena);
void net_push_row(void *arena, const int8_t *row);
void net_finish(void *arena, int8_t *output);""",
}

ARGUMENT = """
void net_run(void *arena, const int8_t *input, int8_t *output)
{
    int k;
    (void)arena;
    for (k = 0; k < 30; ++k) {
        output[k] = (int8_t)(input[k] / 2);
    }
    TINYC_TRACE(0, 0, output, 30);
}
"""

# The first byte of the arena is not part of the input. The input is destroyed.
ARENA = """
int8_t *net_input(void *arena)
{
    return (int8_t *)arena + 1;
}

void net_run(void *arena, int8_t *output)
{
    int8_t *input = (int8_t *)arena + 1;
    int k;
    for (k = 0; k < 30; ++k) {
        output[k] = (int8_t)(input[k] / 2);
        input[k] = 0;
    }
    TINYC_TRACE(0, 0, output, 30);
}
"""

# Two stages that advance together: the rows of the first one lie in a ring of one row.
ROWS = """
static void step(int row, int8_t *ring, int8_t *results)
{
    int k;
    TINYC_TRACE(0, row * 6, ring, 6);
    for (k = 0; k < 6; ++k) {
        results[row * 6 + k] = (int8_t)(ring[k] / 2);
    }
    TINYC_TRACE(1, row * 6, results + row * 6, 6);
}

void net_run(void *arena, net_row_fn next_row, void *user, int8_t *output)
{
    int row;
    for (row = 0; row < 5; ++row) {
        next_row(user, row, arena);
        step(row, arena, output);
    }
}

void net_start(void *arena)
{
    ((int8_t *)arena)[6] = 0;
}

void net_push_row(void *arena, const int8_t *row)
{
    int8_t *bytes = arena;
    memcpy(bytes, row, 6);
    step(bytes[6]++, bytes, bytes + 7);
}

void net_finish(void *arena, int8_t *output)
{
    memcpy(output, (int8_t *)arena + 7, 30);
}
"""

GIVEN = """
void net_run(void *arena, net_on_row_fn on_row, void *user, const int8_t *input)
{
    int8_t *bytes = arena;
    int row, k;
    for (row = 0; row < 5; ++row) {
        for (k = 0; k < 6; ++k) {
            bytes[k] = (int8_t)(input[row * 6 + k] / 2);
        }
        on_row(user, row, bytes);
        TINYC_TRACE(0, row * 6, bytes, 6);
    }
}
"""
"""An output of which one row at a time is in the arena."""

TEXT = {"argument": ARGUMENT, "arena": ARENA, "rows": ROWS}

HEADER = """#include <stdint.h>
#include <string.h>
#define NET_ARENA_BYTES 37
#define NET_ARENA_ALIGN 1
#define NET_INPUT_SIZE 30
#define NET_INPUT_BYTES 30
#define NET_OUTPUT_SIZE 30
#define NET_OUTPUT_BYTES 30
#ifndef TINYC_TRACE
#define TINYC_TRACE(stage, first, data, count) ((void)0)
#endif
"""


def network(place: Place = "argument", text: str = "", *, replace: tuple[str, str] = ("", "")) -> CSource:
    """A network that halves 30 int8, its input in that place: a text of its own, or with a part of it replaced."""
    body = text or TEXT[place]
    assert replace[0] in body
    called = "next_row" if place == "rows" else ""
    stages = tuple(CStage(k, f"stage {k}", IMAGE) for k in range(2 if place == "rows" else 1))
    return CSource(
        name="net",
        files={
            "net.h": HEADER + DECLARED[place] + "\n",
            "net.c": '#include "net.h"\n' + (body.replace(*replace, 1) if replace[0] else body),
        },
        arena_bytes=37,
        arena_align=1,
        weights_bytes=0,
        inputs=(CPort("input", "NET_INPUT", "x", IMAGE, "", "int8_t", place=place, callback=called),),
        outputs=(CPort("output", "NET_OUTPUT", "y", IMAGE, "", "int8_t"),),
        stages=stages,
    )


def giving(*, replace: tuple[str, str] = ("", "")) -> CSource:
    """The network with its output handed over row by row; or with a part of its text replaced."""
    assert replace[0] in GIVEN
    source = network("argument")
    declared = """typedef void (*net_on_row_fn)(void *user, int row, const int8_t *from);
void net_run(void *arena, net_on_row_fn on_row, void *user, const int8_t *input);
"""
    body = GIVEN.replace(*replace, 1) if replace[0] else GIVEN
    rows = CPort("output", "NET_OUTPUT", "y", IMAGE, "", "int8_t", place="rows", callback="on_row")
    files = {"net.h": HEADER + declared, "net.c": '#include "net.h"\n' + body}
    return dataclasses.replace(source, files=files, outputs=(rows,))


@cache
def missing_tools(machine: str) -> str:
    """What is missing for a simulated machine; empty where nothing is."""
    try:
        tools_for(MACHINES[machine])
    except MissingTool as error:
        return str(error)
    return ""


def need_simulator(machine: str = "rv32imc") -> None:
    """Skips the test where the simulator is not installed."""
    if missing_tools(machine):
        pytest.skip(missing_tools(machine))


def runner(source: CSource, where: str, *, flags: tuple[str, ...] = STRICT, push: bool = False) -> Runner:
    """A runner of that name; skips the test where it cannot be had."""
    if where == "host":
        return HostRunner(source, flags=flags, push=push)
    return simulator(source, where, flags=flags, push=push)


def simulator(
    source: CSource, where: str = "rv32imc", *, flags: tuple[str, ...] = STRICT, push: bool = False
) -> SimulatorRunner:
    """A simulated machine; skips the test where it cannot be had."""
    need_simulator(where)
    return SimulatorRunner(source, MACHINES[where], flags, push=push)


def images(count: int) -> list[list[Array]]:
    """Inputs of `count` inferences."""
    rng = np.random.default_rng(count)
    return [[rng.integers(-128, 128, IMAGE.shape, np.int8)] for _ in range(count)]


def halves(image: Array) -> Array:
    """What the networks compute: halves, rounded towards zero."""
    return np.asarray(np.trunc(image / 2), np.int8)

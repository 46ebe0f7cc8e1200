"""Faults in the passes over rows: in what is read when, and in where it lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tests.planted.plant import Fault, on_call, on_result, params
from tinyc.backends.interpreter import apply
from tinyc.ir.module import Node
from tinyc.ir.rows import Pace, RowProgram
from tinyc.passes.rows import lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import Stream


def short_ring(program: RowProgram) -> RowProgram:
    """The first ring of several rows has one row less."""
    rings = [b for b in program.buffers if b.ring > 1]
    if not rings:
        return program
    buffers = tuple(dataclasses.replace(b, ring=b.ring - 1) if b is rings[0] else b for b in program.buffers)
    return dataclasses.replace(program, buffers=buffers)


def early(place: int) -> Callable[[RowProgram], RowProgram]:
    """The first stage, or the last (-1), that waits for others waits one sweep less."""

    def run(program: RowProgram) -> RowProgram:
        for number, segment in enumerate(program.segments):
            waiting = [k for k, pace in enumerate(segment.paces) if segment.streams and pace.delay]
            if waiting:
                paces = tuple(Pace(p.delay - (k == waiting[place]), p.period) for k, p in enumerate(segment.paces))
                segments = list(program.segments)
                segments[number] = dataclasses.replace(segment, paces=paces)
                return dataclasses.replace(program, segments=tuple(segments))
        return program

    return run


def closer(count: int) -> Callable[[RowProgram], RowProgram]:
    """Moves a buffer down over the last bytes of another one that is alive at the same time."""

    def run(program: RowProgram) -> RowProgram:
        assert program.plan is not None
        slots = program.plan.slots
        for upper in slots:
            for below in slots:
                together = below.first <= upper.last and upper.first <= below.last
                if together and upper.offset == below.offset + below.bytes:
                    moved = dataclasses.replace(upper, offset=upper.offset - count)
                    plan = dataclasses.replace(program.plan, slots=tuple(moved if s is upper else s for s in slots))
                    return dataclasses.replace(program, plan=plan)
        return program

    return run


def row_below(original: Any, node: Node, *given: Any) -> Any:
    """Every window begins one row further down."""
    stage = original(node, *given)
    windows = tuple(w and dataclasses.replace(w, pad=w.pad - 1) if w and w.size > 1 else w for w in stage.windows)
    return dataclasses.replace(stage, windows=windows)


def fill_of_one(original: Any, memory: Any, value: Any, rows: Any, fill: float | None, *given: Any) -> Any:
    return original(memory, value, rows, None if fill is None else fill + 1, *given)


CALLBACK = {"rows_from": "callback"}
FAULTS = [
    Fault("ring one row short", on_result(Stream, short_ring), "pass stream-rows"),
    Fault("ring one row short, rows from a callback", on_result(Stream, short_ring), "pass stream-rows", CALLBACK),
    Fault("delay one less", on_result(Stream, early(0)), "pass stream-rows"),
    Fault("last delay one less", on_result(Stream, early(-1)), "pass stream-rows"),
    Fault("delay one less, rows from a callback", on_result(Stream, early(0)), "pass stream-rows", CALLBACK),
    Fault("last delay one less, rows from a callback", on_result(Stream, early(-1)), "pass stream-rows", CALLBACK),
    Fault("overlap of 4 bytes", on_result(PlanArena, closer(4)), "pass plan-arena"),
    Fault("overlap of 4 bytes, rows from a callback", on_result(PlanArena, closer(4)), "pass plan-arena", CALLBACK),
    Fault("overlap of 4 bytes", on_result(PlanArena, closer(4)), "pass plan-arena", int8=True),
    Fault("overlap of 1 byte", on_result(PlanArena, closer(1)), "pass plan-arena", int8=True),
    Fault("row index + 1", on_call(lower, "_stage", row_below), "pass lower-to-rows"),
    Fault("row index + 1, rows from a callback", on_call(lower, "_stage", row_below), "pass lower-to-rows", CALLBACK),
    Fault("interpreter pads with 1", on_call(apply, "_window", fill_of_one), "pass lower-to-rows"),
]


@pytest.mark.parametrize("fault", params(FAULTS))
def test_it_is_caught(fault: Fault, must_catch: Callable[[Fault], None]) -> None:
    must_catch(fault)

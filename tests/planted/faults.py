"""Faults as they happen, one small change each, planted into the compiler for the length of a test."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tinyc.backends.c import CSource
from tinyc.compiler import driver
from tinyc.compiler.frontend import activation, elementwise, normalise
from tinyc.compiler.frontend.window import Geometry
from tinyc.ir import fixed_point
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Op, Window
from tinyc.ir.ops import BatchNorm, Clamp, QConv2d
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.rows import Pace, RowProgram
from tinyc.passes import fuse_activation, fuse_pad, lower
from tinyc.passes.base import AnyPass
from tinyc.passes.fold_batch_norm import FoldBatchNorm
from tinyc.passes.fuse_activation import FuseActivation
from tinyc.passes.fuse_pad import FusePad
from tinyc.passes.integerise import Integerise
from tinyc.passes.plan import PlanArena
from tinyc.passes.stream import Stream

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """A fault, the options that it shows with, and what the message must match: the pass or layer it is blamed on."""

    name: str
    plant: Plant
    blamed: str
    options: dict[str, Any] = field(default_factory=dict)
    int8: bool = False


class Planted:
    """Whether a change has found its place: a fault that changes nothing proves nothing."""

    def __init__(self) -> None:
        self.times = 0


PLANTED = Planted()


def in_c(pattern: str, replacement: str | Callable[[re.Match[str]], str], count: int = 0) -> Plant:
    """Changes the generated C or header wherever the pattern stands, or the first `count` places."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        generate = driver.generate

        def faulty(*arguments: Any, **options: Any) -> CSource:
            source = generate(*arguments, **options)
            files = {}
            for name, text in source.files.items():
                files[name], times = re.subn(pattern, replacement, text, count=count)
                PLANTED.times += times
            return dataclasses.replace(source, files=files)

        monkeypatch.setattr(driver, "generate", faulty)

    return plant


def on_result(step: type[AnyPass], change: Callable[[Any], Any]) -> Plant:
    """Changes what a pass leaves."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        run = step.run  # type: ignore[attr-defined]

        def faulty(self: AnyPass, ir: Any) -> Any:
            result = run(self, ir)
            changed = change(result)
            PLANTED.times += changed is not result
            return changed

        monkeypatch.setattr(step, "run", faulty)

    return plant


def on_call(owner: Any, name: str, change: Callable[..., Any]) -> Plant:
    """Calls `change(original, *arguments)` in place of a function."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)

        def faulty(*arguments: Any, **options: Any) -> Any:
            PLANTED.times += 1
            return change(original, *arguments, **options)

        monkeypatch.setattr(owner, name, faulty)

    return plant


def ops_where(fits: Callable[[Op], bool], change: Callable[[Any], Op]) -> Callable[[Module], Module]:
    """The module with some of its operators changed."""

    def run(module: Module) -> Module:
        def one(node: Node) -> Node:
            return dataclasses.replace(node, op=change(node.op)) if fits(node.op) else node

        nodes = tuple(one(n) for n in module.nodes)
        same = all(a is b for a, b in zip(nodes, module.nodes, strict=True))
        return module if same else Module(module.name, module.inputs, nodes, module.outputs)

    return run


# Batch norm


def _without_epsilon(original: Any, node: Node, rewriter: Any) -> Any:
    op = node.op
    return original(dataclasses.replace(node, op=dataclasses.replace(op, epsilon=1e-5)), rewriter) if isinstance(op, BatchNorm) else original(node, rewriter)


def _epsilon_at_import(original: Any, *arguments: Any, **options: Any) -> Any:
    *given, _ = arguments
    return original(*given, 1e-5)


# Pads


def _swapped_rows(original: Any, window: Geometry) -> Any:
    return (*original(window)[2:], *original(window)[:2])


def _absorb_swapped(original: Any, op: Any, pad: Any, rewriter: Any) -> Any:
    return original(op, dataclasses.replace(pad, before=pad.after, after=pad.before), rewriter)


# Activations


def _limit_8(original: Any, *limits: float) -> tuple[float, float]:
    low, high = original(*limits)
    return low, 8.0 if high == 6.0 else high


def _is_six(op: Op) -> bool:
    return isinstance(op, (Clamp, Convolution)) and op.max == 6.0


# Rows


def _short_ring(program: RowProgram) -> RowProgram:
    rings = [b for b in program.buffers if b.ring > 1]
    if not rings:
        return program
    buffers = tuple(dataclasses.replace(b, ring=b.ring - 1) if b is rings[0] else b for b in program.buffers)
    return dataclasses.replace(program, buffers=buffers)


def _early(program: RowProgram) -> RowProgram:
    for number, segment in enumerate(program.segments):
        late = [k for k, pace in enumerate(segment.paces) if segment.streams and pace.delay]
        if late:
            paces = tuple(Pace(p.delay - (k == late[-1]), p.period) for k, p in enumerate(segment.paces))
            segments = list(program.segments)
            segments[number] = dataclasses.replace(segment, paces=paces)
            return dataclasses.replace(program, segments=tuple(segments))
    return program


def closer(bytes: int) -> Callable[[RowProgram], RowProgram]:
    """Moves a buffer down over the end of another one that is alive at the same time."""

    def run(program: RowProgram) -> RowProgram:
        assert program.plan is not None
        slots = program.plan.slots
        for upper in slots:
            for lower_ in slots:
                both = lower_.first <= upper.last and upper.first <= lower_.last
                if both and upper.offset == lower_.offset + lower_.bytes and upper.offset % 4 == 0:
                    moved = tuple(dataclasses.replace(s, offset=s.offset - bytes) if s is upper else s for s in slots)
                    return dataclasses.replace(program, plan=dataclasses.replace(program.plan, slots=moved))
        raise AssertionError("no two live buffers touch")

    return run


def _window_below(original: Any, node: Node) -> Any:
    stage = original(node)
    moved = tuple(
        dataclasses.replace(w, pad=w.pad - 1) if w is not None and w.size > 1 else w for w in stage.windows
    )
    return dataclasses.replace(stage, windows=moved)


# Integers


def _ties_up(x: Any, right: Any) -> Any:
    wide = np.asarray(x).astype(np.int64)
    places = np.asarray(right, np.int64)
    return np.where(places > 0, (wide + (np.int64(1) << np.maximum(places - 1, 0))) >> places, wide)


def more_arena(text: re.Match[str]) -> str:
    """The arena's size less 64 bytes."""
    return f"{text[1]}{int(text[2]) - 64}"


SIX = r"0x1\.8p\+2f|\b6\.0f|\b6f"
CALLBACK = {"rows_from": "callback"}

FAULTS = [
    Fault("batch-norm-epsilon-when-folded", on_call(__import__("tinyc.passes.fold_batch_norm", fromlist=["x"]), "affine", _without_epsilon), "pass fold-batch-norm"),
    Fault("batch-norm-epsilon-at-import", on_call(normalise, "BatchNorm", _epsilon_at_import), "import differs.*stem_bn"),
    Fault("swapped-pads-at-import", on_call(Geometry, "pads4", _swapped_rows), "import differs.*stem"),
    Fault("swapped-pads-when-fused", on_call(fuse_pad, "absorb", _absorb_swapped), "pass fuse-pad"),
    Fault("relu-skipped-at-import", on_call(activation, "Clamp", lambda original, x, **limits: original(x, min=-1e30)), "import differs.*depthwise_relu|import differs.*stem_relu6"),
    Fault("relu-skipped-when-fused", on_result(FuseActivation, ops_where(lambda op: isinstance(op, Convolution) and op.min == 0, lambda op: dataclasses.replace(op, min=-np.inf))), "pass fuse-activation"),
    Fault("relu-skipped-in-c", in_c(r"v = v < low \? low : v;", ";"), "layer 1, .*stem"),
    Fault("relu6-of-8-at-import", on_call(elementwise, "Clamp", lambda original, x, *limits: original(x, *(8.0 if v == 6 else v for v in limits))), "import differs.*stem_relu6"),
    Fault("relu6-of-8-when-fused", on_call(fuse_activation, "intersect", _limit_8), "pass fuse-activation"),
    Fault("relu6-of-8-in-c", in_c(SIX, "8.0f"), "layer [12], .*(stem|expand)"),
    Fault("ring-one-row-short", on_result(Stream, _short_ring), "pass stream-rows"),
    Fault("ring-one-row-short-by-callback", on_result(Stream, _short_ring), "pass stream-rows", CALLBACK),
    Fault("delay-one-less", on_result(Stream, _early), "pass stream-rows"),
    Fault("delay-one-less-by-callback", on_result(Stream, _early), "pass stream-rows", CALLBACK),
    Fault("overlap-of-4-bytes", on_result(PlanArena, closer(4)), "pass (stream-rows|plan-arena)"),
    Fault("overlap-of-4-bytes-int8", on_result(PlanArena, closer(4)), "pass (stream-rows|plan-arena)", int8=True),
    Fault("overlap-of-1-byte-int8", on_result(PlanArena, closer(1)), "pass (stream-rows|plan-arena)", int8=True),
    Fault("row-below-when-lowered", on_call(lower, "_stage", _window_below), "pass lower-to-rows"),
    Fault("ring-one-row-short-in-c", in_c(r"% 3 \* 192", "% 2 * 192"), "layer [23], "),
    Fault("delay-one-less-in-c", in_c(r"t >= 1(.*\n.*)t - 1\b", r"t >= 0\1t - 0"), "layer 3, "),
    Fault("row-below-in-c", in_c(r"y \* 2, 3, 1", "y * 2 + 1, 3, 1"), "layer 1, "),
    Fault("row-before-in-c", in_c(r"y - 2, 3, 1", "y - 3, 3, 1"), "layer 3, "),
    Fault("overlap-in-c", in_c(r"(float \*const behind_pad_relu_out = .*mem \+ )(\d+)", lambda m: f"{m[1]}{int(m[2]) - 4}"), "layer 6, "),
    Fault("swapped-pads-in-c", in_c(r"const int first = x \* stride - left;", "const int first = x * stride - left + 1;"), "layer 1, "),
    Fault("arena-macro-64-less", in_c(r"(#define PLANTED_ARENA_BYTES )(\d+)", more_arena), "PLANTED_ARENA_BYTES_is_as_planned"),
    Fault("arena-definition-64-less", in_c(r"name\[PLANTED_ARENA_BYTES\]", "name[PLANTED_ARENA_BYTES - 64]"), "PLANTED_ARENA_is_as_planned"),
    Fault("output-macro-less", in_c(r"(#define PLANTED_OUTPUT_SIZE )(\d+)", lambda m: f"{m[1]}{int(m[2]) - 1}"), "PLANTED_OUTPUT_SIZE_is_as_planned"),
    Fault("callback-asks-for-the-next-row", in_c(r"next_row\(user, t,", "next_row(user, t + 1,"), "row", CALLBACK),
    Fault("callback-window-below", in_c(r"y \* 2, 3, 1", "y * 2 + 1, 3, 1"), "layer 1, ", CALLBACK),
    Fault("callback-row-kept-elsewhere", in_c(r"image_rows_2 \+ t % 3", "image_rows_2 + (t + 1) % 3"), "layer [01], ", CALLBACK),
    Fault("pad-zero-point", on_result(Integerise, ops_where(lambda op: isinstance(op, QConv2d) and any(op.pads), lambda op: dataclasses.replace(op, pad=op.pad + 1))), "pass integerise", int8=True),
    Fault("ties-in-python", lambda m: m.setattr(fixed_point, "rounding_shift", _ties_up), "layer", int8=True),
    Fault("truncating-shift-in-c", in_c(r"\(m \+ sign \+ moved\) >> \(1 - shift\)", "((m + sign + moved - (1 << -shift)) >> (1 - shift))"), "layer", int8=True),
    Fault("ties-in-c", in_c(r"\(m >> 31\) \* 2", "(m >> 31)"), "layer", int8=True),
]

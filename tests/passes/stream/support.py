"""Random schedules of a program, and what they are compared by."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from tests.rows import PLACES, Integers, Network, lowered, maker_of, pointwise, random_network
from tinyc.backends.interpreter import run_program
from tinyc.ir import DType, Value, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.lives import lives
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream.over import one_through_another, over_its_operand
from tinyc.passes.stream.pace import Wiring
from tinyc.passes.stream.piece import Cutter, Piece, apply, by_rows

SAME: dict[str, Any] = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}


@dataclass(frozen=True)
class Case:
    """A network and its program before the rows are scheduled."""

    name: str
    network: Network
    program: RowProgram


def small_case(
    make: Callable[[Integers, Value], Value], shape: tuple[int, ...], place: InputPlace = "argument"
) -> Case:
    """An int8 network of one input."""
    maker = Integers(np.random.default_rng(0))
    network = Network(maker.builder.build([make(maker, maker.input(shape))]), maker.arrays)
    return Case("small", network, lowered(network.module, place))


def joined(axis: int) -> Case:
    """A pointwise convolution and a 3x3 one of the same rows, joined along columns or channels before another one."""

    def make(m: Integers, x: Value) -> Value:
        y = pointwise(m, x, 3)
        near, far = pointwise(m, y, 5), m.conv(y, kernel=(3, 3), groups=1, outputs=5, **SAME)
        whole = m.add(ops.Concat((near, far, near), axis))
        return m.conv(whole, kernel=(3, 3), groups=1, outputs=2, **SAME)

    return small_case(make, (1, 14, 6, 2))


def gathering(dtype: DType, width: int) -> tuple[Network, RowProgram]:
    """A mean over all pixels of a pointwise layer behind a depthwise one, and a layer behind that."""
    maker = maker_of(3, dtype)
    wide = pointwise(maker, maker.input((1, 7, width, 3)), 5)
    narrow = maker.depthwise(wide, kernel=(3, 3), each=1, **SAME)
    last = pointwise(maker, narrow, 4)
    mean = maker.add(ops.ReduceMean(last, (1, 2))) if dtype is DType.F32 else maker.mean(last)
    network = Network(maker.builder.build([pointwise(maker, mean, 2)]), maker.arrays)
    return network, lowered(network.module)


def separable(dtype: DType, width: int, channels: int, **window: Any) -> tuple[Network, RowProgram]:
    """Depthwise layers of these windows, each with a pointwise layer behind it, between a first layer and one of stride
    2. Of two pointwise layers the second has less channels, if there are several."""
    maker = maker_of(width, dtype)
    x = maker.conv(maker.input((1, 13, width, 2)), kernel=(3, 3), groups=1, outputs=channels, **SAME)
    for less in (0, 1, 0):
        x = pointwise(maker, maker.depthwise(x, each=1, **window), max(x.shape[3] - less, 1))
    x = maker.depthwise(x, kernel=(3, 3), each=1, **{**SAME, "strides": (2, 2)})
    network = Network(maker.builder.build([pointwise(maker, x, 2)]), maker.arrays)
    return network, lowered(network.module)


def with_pixels_aside(program: RowProgram, reverse: bool) -> tuple[RowProgram, Piece]:
    """The program with all its stages but the last in one segment, in which rows are computed over those of operands
    wherever they can be; and that."""
    cutter, last = Cutter(program), len(program.stages) - 1
    whole = cutter.pieces(range(last), reverse)[0]
    wiring = Wiring(by_rows(program, range(last)))
    found = [over for k in range(last) if (over := over_its_operand(wiring, k, reverse)) is not None]
    follows = one_through_another(found, {s.result.name for s in program.stages[: last - 1]})
    rings = {name: program.buffer[name].rows for name in whole.rings.keys() - follows.keys()}
    piece = dataclasses.replace(whole, rings=rings, follows=follows, aside=True)
    rest = cutter.pieces(range(last, last + 1))[:1]
    lived = lives(apply(program, [piece, *rest]))
    piece = dataclasses.replace(piece, rings={name: lived[name].ring() for name in rings})
    return apply(program, [piece, *rest]), piece


def all_but_the_last(program: RowProgram, reverse: bool) -> tuple[RowProgram, Piece]:
    """The program with all its stages but the last in one segment, and that."""
    cutter, last = Cutter(program), len(program.stages) - 1
    piece = cutter.pieces(range(last), reverse)[0]
    return apply(program, [piece, *cutter.pieces(range(last, last + 1))[:1]]), piece


def cases(seeds: range, places: Sequence[InputPlace] = ()) -> Iterator[Case]:
    """Float and int8 networks by turns, with their inputs in these places or, without any, in one of three by turns.

    An input of a single row has none to ask for.
    """
    for seed in seeds:
        dtype = (DType.I8, DType.F32)[seed % 2]
        network = random_network(seed, dtype)
        for place in places or (PLACES[seed % 3],):
            if place != "rows" or network.module.inputs[0].shape[1] > 1:
                name = f"network {seed}, {dtype.name}, input as {place}"
                yield Case(name, network, lowered(network.module, place))


def planned(program: RowProgram, seconds: float = 0.02) -> RowProgram:
    """The program with a plan that a short search finds."""
    return PlanArena(seconds=seconds).run(program)


def random_schedule(random: Random, program: RowProgram, longest: int = 12) -> RowProgram:
    """The program divided into random segments, forward and in reverse."""
    return apply(program, random_division(random, program, longest))


def random_division(random: Random, program: RowProgram, longest: int = 12) -> list[Piece]:
    """Random segments that hold all stages. Rows come from outside, or go there, from the first to the last."""
    cutter = Cutter(program)
    chosen: list[Piece] = []
    at = 0
    while at < len(program.stages):
        stop = min(at + random.randint(1, longest), len(program.stages))
        inside = [program.stages[k] for k in range(at, stop)]
        outside = any(program.takes_rows(stage) or program.gives_rows(stage) for stage in inside)
        reverse = random.random() < 0.4 and not outside
        options: list[Piece] = []
        # From the longest to the shortest: most ranges cannot advance together.
        while not options:
            options = list(cutter.pieces(range(at, stop), reverse))
            stop -= 1
        chosen.append(random.choice(options))
        at = chosen[-1].segment.stages.stop
    return chosen


def results(program: RowProgram, arrays: Sequence[Array]) -> dict[str, Array]:
    """What all stages compute, by name, and the outputs."""
    found: dict[str, Array] = {}
    outputs = run_program(program, arrays, lambda k, a: found.update({program.stages[k].result.name: a.copy()}))
    return found | {f"output {k}": array for k, array in enumerate(outputs)}


def gathers_floats(program: RowProgram) -> bool:
    """Whether float sums are rounded after each row, where the same sum over a whole map is rounded once."""
    return any(s.gathers and s.result.dtype.is_float for s in program.stages)


def differences(before: dict[str, Array], after: dict[str, Array], rounded: bool = False) -> list[str]:
    """The names of results that are not equal bit for bit, except for the sign of zero and what NaN it is. What is
    moved row by row has two names, what is computed by parts of rows, or by several, another one, and what is computed
    some channels at a time one for each part. Floats that are `rounded` otherwise may differ by 1e-5 of the largest of
    them: some roundings of 6e-8 each, and what a layer or two make of them."""
    after = _joined(after)
    fresh = after.keys() - before.keys()
    parts = {n: whole for n in fresh if (whole := re.sub("_(parts|long_rows)$", "", n)) not in after}
    after = {parts.get(n, n): a.reshape(before[parts[n]].shape) if n in parts else a for n, a in after.items()}
    assert before.keys() <= after.keys()
    moved = {name: name.removesuffix("_row") for name in after.keys() - before.keys()}
    assert all(np.array_equal(after[a], after[b]) or after[a].dtype.kind == "f" for a, b in moved.items())
    if rounded:
        return [n for n in before if not _near(before[n], after[n])]
    return [n for n in before if not np.array_equal(before[n], after[n], equal_nan=before[n].dtype.kind == "f")]


def _joined(found: dict[str, Array]) -> dict[str, Array]:
    """Results, of which those by some channels at a time are one."""
    parts: dict[str, list[Array]] = {}
    for name, array in found.items():
        parts.setdefault(re.sub(r"_channels_\d+$", "", name), []).append(array)
    return {n: found[n] if n in found else np.concatenate(arrays, axis=-1) for n, arrays in parts.items()}


def _near(one: Array, other: Array) -> bool:
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    finite = np.abs(one[np.isfinite(one)])
    return np.allclose(one, other, rtol=0, atol=1e-5 * float(finite.max(initial=0)), equal_nan=True)

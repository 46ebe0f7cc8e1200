"""Inputs to verify with when the user gives none: seeded, reaching the corners, and the limits inside the network.

A limit that no value reaches (of a ReLU6 after small weights) could be any number, or missing, without a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.ir.module import Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.movement import Gather
from tinyc.ir.tensor import Array

SMALL_MACS = 200_000_000
"""Networks above this many multiply-accumulates are verified on one input set instead of two, to stay quick."""
LOUDER = (16.0, 256.0, 4096.0, 65536.0, 2.0**20)
"""By what floats are multiplied until they reach the limits inside a network. Trained on pixels of 0..255, a network
does on floats around 1 as good as nothing."""


def sample_inputs(module: Module, seed: int = 0) -> list[list[Array]]:
    """Input sets for a module.

    The first is ordinary: standard normal floats. The second mixes zeros, ones and values of several magnitudes and
    both signs. Integers stay within the entries of every table that they index. Where these leave limits inside the
    network unreached, half of the last set's elements are multiplied.
    """
    rng = np.random.default_rng(seed)
    mixes = (False, True) if module.macs() <= SMALL_MACS else (False,)
    sets = [[_sample(module, value, rng, mixed) for value in module.inputs] for mixed in mixes]
    limits = [clamp.op for clamp in module.made_by(Clamp)]
    if not limits or not any(v.dtype.is_float for v in module.inputs):
        return sets
    known = [_reached(module, limits, s) for s in sets]
    kept, best = known[:-1], known[-1]
    last = sets[-1]
    for factor in LOUDER:
        if not _missing(limits, [*kept, best]):
            break
        louder = [_half_louder(a, factor) for a in last]
        found = _reached(module, limits, louder)
        if found.finite >= best.finite and _missing(limits, [*kept, found]) < _missing(limits, [*kept, best]):
            sets[-1], best = louder, found
    return sets


@dataclass(frozen=True)
class _Reached:
    """Of every limited value, the least and the largest element before the limit; and whether all are finite."""

    range: dict[Value, tuple[float, float]]
    finite: bool


def _reached(module: Module, limits: Sequence[Clamp], inputs: Sequence[Array]) -> _Reached:
    limited = {op.x for op in limits}
    ranges: dict[Value, tuple[float, float]] = {}
    finite = True

    def watch(value: Value, array: Array) -> None:
        nonlocal finite
        if array.size and value.dtype.is_float:
            low, high = float(array.min()), float(array.max())
            finite = finite and bool(np.isfinite([low, high]).all())
            if value in limited:
                ranges[value] = (low, high)

    for value, array in zip(module.inputs, inputs, strict=True):
        watch(value, array)
    run_module(module, inputs, watch)
    return _Reached(ranges, finite)


def _missing(limits: Sequence[Clamp], found: Sequence[_Reached]) -> int:
    """How many limits no element lies beyond."""
    count = 0
    for op in limits:
        ranges = [f.range[op.x] for f in found if op.x in f.range]
        count += bool(ranges) and np.isfinite(op.min) and all(low >= op.min for low, _ in ranges)
        count += bool(ranges) and np.isfinite(op.max) and all(high <= op.max for _, high in ranges)
    return count


def _half_louder(array: Array, factor: float) -> Array:
    """The second half along the longest dimension multiplied: the first still shows what small numbers do."""
    if array.dtype.kind != "f" or not array.ndim:
        return array
    axis = int(np.argmax(array.shape))
    louder = array.copy()
    louder[(slice(None),) * axis + (slice(array.shape[axis] // 2, None),)] *= np.float32(factor)
    return louder


def _sample(module: Module, value: Value, rng: np.random.Generator, mixed: bool) -> Array:
    dtype = value.dtype
    if dtype.is_float:
        plain = rng.normal(size=value.shape)
        corners = rng.choice([0.0, 1.0, -1.0, 0.5, 3.0, -3.0, 6.0, 10.0, -10.0, 1e-3], size=value.shape)
        chosen = np.where(rng.random(value.shape) < 0.5, corners, plain) if mixed else plain
        return np.asarray(chosen).astype(np.float32)
    if not dtype.is_integer:
        return np.asarray(rng.random(value.shape) < 0.5)
    low, high = max(dtype.limits[0], -100), min(dtype.limits[1], 100)
    if tables := _indexed(module, value):
        low, high = 0, min(tables) - 1
    return np.asarray(rng.integers(low, high + 1, value.shape)).astype(dtype.numpy)


def _indexed(module: Module, value: Value) -> Sequence[int]:
    """Lengths of the tables that a value, or anything of its type made from it, indexes."""
    reached, found = {value}, []
    for node in module.nodes:
        table = made(node, Gather)
        if table is not None and table.op.indices in reached:
            found.append(table.op.x.shape[table.op.axis])
        elif reached.intersection(node.op.operands) and node.result.dtype.is_integer:
            reached.add(node.result)
    return found

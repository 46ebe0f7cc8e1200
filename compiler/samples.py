"""Inputs to verify with when the user gives none: seeded, and reaching the corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops.movement import Gather
from tinyc.ir.tensor import Array

SMALL_MACS = 200_000_000
"""Networks above this many multiply-accumulates are verified on one input set instead of two, to stay quick."""


def sample_inputs(module: Module, seed: int = 0) -> list[list[Array]]:
    """Input sets for a module.

    The first is ordinary: standard normal floats. The second mixes zeros, ones and values of several magnitudes and
    both signs. Integers stay within the entries of every table that they index.
    """
    rng = np.random.default_rng(seed)
    mixes = (False, True) if module.macs() <= SMALL_MACS else (False,)
    return [[_sample(module, value, rng, mixed) for value in module.inputs] for mixed in mixes]


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
        if isinstance(node.op, Gather) and node.op.indices in reached:
            found.append(node.op.x.shape[node.op.axis])
        elif reached.intersection(node.op.operands) and node.result.dtype.is_integer:
            reached.add(node.result)
    return found

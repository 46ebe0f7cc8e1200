"""Recurrent layers: C against the interpreter, and that against exact arithmetic and against the layers in float."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.c.support import PARAMETERS, Case, check, need, sampled
from tests.generate import samples
from tinyc.compiler.witness import arithmetic
from tinyc.ir import Op, Value, q15
from tinyc.ir.gates import DEFAULTS, MEANINGS, Gate
from tinyc.ir.ops import Gru, Lstm, QGru, QLstm, QRecurrent, QRnn, Rnn
from tinyc.ir.tensor import Array

KINDS: tuple[type[Op], ...] = (Rnn, Gru, Lstm, QRnn, QGru, QLstm)
INTEGERS: tuple[type[QRecurrent], ...] = (QRnn, QGru, QLstm)


def extreme(kind: type[QRecurrent], places: int, function: Gate, seed: int) -> Case:
    """Weights, operands and numbers at their limits."""
    rng = np.random.default_rng(seed)
    steps, batch, inputs, hidden = 3, 1, 7, 5
    rows = kind.gates * hidden
    x, w, r = (
        rng.choice([-128, 127, 0], s).astype(np.int8) for s in ((steps, batch, inputs), (rows, inputs), (rows, hidden))
    )
    words = np.array([-(2**31), 2**31 - 1, 0, 1, -1], np.int32)
    b, h = rng.choice(words, rows), rng.choice(words, (batch, hidden))
    wm, rm = (rng.choice(np.array([2**31 - 1, 2**30, 0, 1], np.int32), rows) for _ in range(2))
    alpha = tuple(rng.choice([q15.LIMIT, -q15.LIMIT, q15.ONE], len(kind.usual)).tolist())
    fields: dict[str, Any] = {
        "places": places,
        "functions": (function,) * len(kind.usual),
        "alpha": alpha,
        "beta": alpha[::-1],
        "zero": int(rng.choice([-128, 127, 3])),
        "multiplier": 2**31 - 1,
        "shift": int(rng.choice([0, -8, -31])),
    }
    arrays: list[Array] = [x, w, r, b, wm, rm, h]
    if kind is QLstm:
        arrays += [rng.choice(words, (batch, hidden)), rng.choice(words, 3 * hidden)]

    def make(*v: Value) -> Op:
        more = {"c": v[7], "p": v[8]} if kind is QLstm else {}
        return kind(*v[:7], **fields, **more)

    return Case(f"{kind.mnemonic}_{seed}", make, arrays, None, frozenset(range(1, len(arrays))))


def gates_of(function: Gate, kind: type[QRecurrent], coupled: bool, seed: int) -> Case:
    """Gates at their ends, by sums as large as the limits allow, and states of at most 1."""
    case = extreme(kind, 20, function, seed)
    (*arrays,) = case.arrays[:7]
    rng = np.random.default_rng(seed)
    arrays[4:6] = [rng.integers(0, 2**9, a.shape).astype(np.int32) for a in arrays[4:6]]
    arrays[3] = rng.choice(np.array([-(2**29), 2**29, 0, 40_000], np.int32), arrays[3].shape)
    arrays[6] = rng.choice(np.array([-q15.ONE, q15.ONE], np.int32), arrays[6].shape)
    none = (0,) * len(kind.usual)
    more: dict[str, Any] = {"coupled": coupled} if kind is QLstm else {"after": coupled} if kind is QGru else {}
    more |= {"places": 20, "shift": -7, "functions": (function, *kind.usual[1:]), "alpha": none, "beta": none}

    def make(*v: Value) -> Op:
        return kind(*v, **more)

    return Case(f"{kind.mnemonic}_gates_{seed}", make, arrays, None, frozenset(range(1, 7)))


@cache
def cases() -> list[Case]:
    found = [case for kind in KINDS for case in sampled(kind, 25)]
    found += [
        extreme(kind, places, function, seed)
        for seed, (kind, places, function) in enumerate(
            (k, p, f) for k in INTEGERS for p, f in zip((1, 8, 15, 23, 31, 40, 2, 30), Gate, strict=True)
        )
    ]
    return found + [
        gates_of(function, kind, coupled, seed)
        for seed, (kind, function, coupled) in enumerate(
            itertools.product(INTEGERS, (Gate.SIGMOID, Gate.TANH), (False, True))
        )
    ]


@pytest.mark.parametrize("build", PARAMETERS)
def test_c_is_the_interpreter(build: str) -> None:
    check(cases(), build)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone(kind: type[Op]) -> None:
    """Its C has no function that nothing calls: clang says so, and not where layers of another kind call it."""
    need("clang")
    for case in sampled(kind, 4):
        check([case], "clang")


@pytest.mark.parametrize("kind", INTEGERS)
def test_the_interpreter_is_exact(kind: type[QRecurrent]) -> None:
    hard = [(c.op, c.arrays) for c in cases() if isinstance(c.op, kind)]
    for op, arrays in [*hard, *((s.op, s.arrays) for s in samples(kind, 60))]:
        exact = arithmetic.compute(op, arrays)
        assert exact is not None
        np.testing.assert_array_equal(op.run(list(arrays)), exact.integers)


@pytest.mark.parametrize("function", Gate)
def test_functions_of_15_places(function: Gate) -> None:
    z = np.unique(
        np.concatenate([np.arange(-12 * q15.ONE, 12 * q15.ONE, 97), np.arange(-600, 600), [-q15.LIMIT, q15.LIMIT]])
    )
    a, b = DEFAULTS.get(function, (0.0, 0.0))
    got = q15.active(function, z, q15.fixed(a), q15.fixed(b)) / q15.ONE
    with np.errstate(over="ignore"):
        want = MEANINGS[function](z / q15.ONE, a, b)
    # tanh is linear between places 2^-5 apart, and 0.77 is its largest curvature; parameters are rounded to 2^-15.
    np.testing.assert_allclose(got, want, rtol=2e-3, atol=0.77 * 2.0**-10 / 8 + 2.0**-14)

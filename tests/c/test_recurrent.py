"""Recurrent layers: C against the interpreter, and that against exact arithmetic and against the layers in float."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.c.support import PARAMETERS, Case, check, need, program_of, sampled
from tests.generate import samples
from tinyc.backends.c import CodegenError, generate
from tinyc.compiler.witness import arithmetic
from tinyc.ir import DType, Op, Value, q15
from tinyc.ir.gates import DEFAULTS, MEANINGS, Gate
from tinyc.ir.ops import Gru, Lstm, QGru, QLstm, QRecurrent, QRnn, Rnn
from tinyc.ir.ops.qrecurrent import MOST_LEFT
from tinyc.ir.tensor import Array

KINDS: tuple[type[Op], ...] = (Rnn, Gru, Lstm, QRnn, QGru, QLstm)
INTEGERS: tuple[type[QRecurrent], ...] = (QRnn, QGru, QLstm)


TYPES = list(itertools.product((DType.I8, DType.I16), repeat=2))
"""Of the operand and of the hidden state."""
LONG = ((511, 2, DType.I16, DType.I16), (512, 1, DType.I16, DType.I8), (3, 520, DType.I8, DType.I16))
"""Inputs and units of which int32 just holds the sum of products, or just not, and their types."""


def extreme(kind: type[QRecurrent], places: int, function: Gate, seed: int) -> Case:
    """Weights, operands and numbers at their limits."""
    rng = np.random.default_rng(seed)
    steps, batch, inputs, hidden = 3, 1, 7, 5
    rows = kind.gates * hidden
    given, to = TYPES[seed % len(TYPES)]
    x = rng.choice([*given.limits, 0], (steps, batch, inputs)).astype(given.numpy)
    w, r = (rng.choice([-128, 127, 0], s).astype(np.int8) for s in ((rows, inputs), (rows, hidden)))
    words = np.array([-(2**31), 2**31 - 1, 0, 1, -1], np.int32)
    b, h = rng.choice(words, rows), rng.choice(words, (batch, hidden))
    wm, rm = (rng.choice(np.array([2**31 - 1, 2**30, 0, 1], np.int32), rows) for _ in range(2))
    alpha = tuple(rng.choice([q15.LIMIT, -q15.LIMIT, q15.ONE], len(kind.usual)).tolist())
    fields: dict[str, Any] = {
        "places": places,
        "functions": (function,) * len(kind.usual),
        "alpha": alpha,
        "beta": alpha[::-1],
        "zero": int(rng.choice([*to.limits, 3])),
        "multiplier": 2**31 - 1,
        "shift": int(rng.choice([MOST_LEFT if to is DType.I16 else 0, 0, -8, -31])),
        "to": to,
    }
    arrays: list[Array] = [x, w, r, b, wm, rm, h]
    if kind is QLstm:
        arrays += [rng.choice(words, (batch, hidden)), rng.choice(words, 3 * hidden)]

    def make(*v: Value) -> Op:
        more = {"c": v[7], "p": v[8]} if kind is QLstm else {}
        return kind(*v[:7], **fields, **more)

    return Case(f"{kind.mnemonic}_{seed}", make, arrays, None, frozenset(range(1, len(arrays))))


def long_sums(kind: type[QRecurrent], inputs: int, hidden: int, given: DType, to: DType) -> Case:
    """Sums of products as large as they can be: of the operand's last entry, and of the state at first."""
    rng = np.random.default_rng(inputs)
    rows = kind.gates * hidden
    x = rng.choice(given.limits, (2, 1, inputs)).astype(given.numpy)
    x[-1] = given.limits[0]
    w, r = (np.full((rows, n), -128, np.int8) for n in (inputs, hidden))
    wm, rm = rng.integers(0, 2**14, (2, rows))
    words = (rng.integers(-q15.ONE, q15.ONE, rows), wm, rm, np.full((1, hidden), -q15.ONE))
    none = (0,) * len(kind.usual)
    more: dict[str, Any] = {"functions": kind.usual, "alpha": none, "beta": none, "places": 31, "to": to}
    more |= {"multiplier": 2**30, "shift": 1 if to is DType.I16 else -7}
    arrays = [x, w, r, *(a.astype(np.int32) for a in words)]
    name = f"{kind.mnemonic}_long_{inputs}_{hidden}_{given.value}_{to.value}"
    return Case(name, lambda *v: kind(*v, **more), arrays, None, frozenset(range(1, 7)))


def gates_of(function: Gate, kind: type[QRecurrent], coupled: bool, seed: int) -> Case:
    """Gates at their ends, by sums as large as the limits allow, and states of at most 1."""
    case = extreme(kind, 20, function, seed)
    (*arrays,) = case.arrays[:7]
    rng = np.random.default_rng(seed)
    arrays[4:6] = [rng.integers(0, 2**9, a.shape).astype(np.int32) for a in arrays[4:6]]
    arrays[3] = rng.choice(np.array([-(2**29), 2**29, 0, 40_000], np.int32), arrays[3].shape)
    of_state = TYPES[seed % len(TYPES)][1]
    arrays[6] = rng.choice(np.array([-q15.ONE, q15.ONE], np.int32), arrays[6].shape)
    none = (0,) * len(kind.usual)
    more: dict[str, Any] = {"coupled": coupled} if kind is QLstm else {"after": coupled} if kind is QGru else {}
    more |= {"to": of_state, "places": 20, "shift": {DType.I8: -7, DType.I16: 1}[of_state]}
    more |= {"functions": (function, *kind.usual[1:]), "alpha": none, "beta": none}

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
    found += [long_sums(kind, *sizes, given, to) for kind in INTEGERS for *sizes, given, to in LONG]
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


@pytest.mark.parametrize("step", [q15.COARSE, q15.FINE])
@pytest.mark.parametrize("function", Gate)
def test_functions_of_15_places(function: Gate, step: int) -> None:
    z = np.unique(
        np.concatenate([np.arange(-12 * q15.ONE, 12 * q15.ONE, 97), np.arange(-600, 600), [-q15.LIMIT, q15.LIMIT]])
    )
    a, b = DEFAULTS.get(function, (0.0, 0.0))
    got = q15.active(function, z, q15.fixed(a), q15.fixed(b), step) / q15.ONE
    with np.errstate(over="ignore"):
        want = MEANINGS[function](z / q15.ONE, a, b)
    # tanh is linear between places so far apart, and 0.77 is its largest curvature; parameters are rounded to 2^-15.
    atol = 0.77 * 4.0 ** (step - q15.PLACES) / 8 + 2.0**-14
    np.testing.assert_allclose(got, want, rtol=2e-3, atol=atol)


def test_sums_that_int64_may_not_hold_are_refused() -> None:
    """600 products of 22 bits, times multipliers of 31 bits."""
    case = long_sums(QRnn, 600, 1, DType.I16, DType.I16)
    arrays = [*case.arrays[:4], *(np.full(1, 2**31 - 1, np.int32) for _ in range(2)), case.arrays[6]]
    program, _ = program_of([dataclasses.replace(case, arrays=arrays)])
    with pytest.raises(CodegenError, match=r"sums of products are up to 5\.41e\+18"):
        generate(program, name="cases")

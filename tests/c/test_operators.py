"""Every operator of the registry, on every element type it takes, through generated C and through the interpreter."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache

import numpy as np
import pytest

from tests.c.support import FUNCTIONS, PARAMETERS, Case, check, random, sampled
from tests.generate import runs
from tests.sampling import ALL
from tinyc.ir import ops
from tinyc.ir.draw import takes
from tinyc.ir.errors import IRError
from tinyc.ir.op import Accuracy, FieldKind, Op, Value, fields_of
from tinyc.ir.ops import registry
from tinyc.ir.ops.elementwise import Elementwise
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 1e-40, 1e30, -1e30, math.inf, -math.inf, math.nan], np.float32
)

SHAPES: list[tuple[tuple[int, ...], ...]] = [
    ((1, 4, 3, 5), (1, 4, 3, 5), (1, 4, 3, 5)),
    ((1, 4, 3, 5), (5,), (4, 1, 5)),
    ((1, 4, 1, 5), (1, 4, 3, 1), (1, 1, 1, 1)),
    ((2, 1, 4), (3, 1), (1,)),
    ((), (), ()),
    ((7,), (1,), (7,)),
    ((0, 3), (1, 3), (3,)),
]


def values(rng: np.random.Generator, shape: Sequence[int], dtype: DType) -> Array:
    """Random elements, among them those that are easily got wrong."""
    x = random(rng, shape, dtype)
    flat = x.reshape(-1)
    if dtype is DType.F32:
        flat *= 4
        flat[::3] = rng.choice(SPECIAL, flat[::3].size)
    elif dtype is not DType.BOOL:
        limits = np.iinfo(dtype.numpy)
        minus = limits.max if limits.min == 0 else -1
        flat[::3] = rng.choice(np.array([0, 1, minus, limits.min, limits.max], x.dtype), flat[::3].size)
        flat[1::3] %= 11
    return x


def types_of(op: type[Op]) -> Iterator[tuple[DType, ...]]:
    """Element types to try for the operands."""
    count = sum(f.kind is FieldKind.OPERAND for f in fields_of(op))
    for dtype in DType:
        yield (DType.BOOL, *(dtype,) * (count - 1)) if op is ops.Where else (dtype,) * count


@cache
def elementwise_cases() -> list[Case]:
    rng = np.random.default_rng(5)
    cases: list[Case] = []
    for name, op in registry().items():
        if not issubclass(op, Elementwise):
            continue
        found = 0
        for dtypes, attributes, turn in itertools.product(types_of(op), op.examples, range(2)):
            # Two of the shapes in turn: all of them with every operator and type would take minutes to compile.
            shapes = SHAPES[(2 * len(cases) + turn) % len(SHAPES)]
            arrays = [values(rng, s, d) for s, d in zip(shapes, dtypes, strict=False)]

            def make(*operands: Value, op: type[Op] = op, attributes: Mapping[str, object] = attributes) -> Op:
                return op(*operands, **attributes)

            case = Case(f"{name}_{dtypes[-1].value}_{len(cases)}", make, arrays)
            with suppress(IRError):
                found += bool(case.op)
                cases.append(case)
        assert found, f"no element type fits {name}"
    return cases


@cache
def movement_cases() -> list[Case]:
    rng = np.random.default_rng(6)
    cases: list[Case] = []

    def add(name: str, make: object, *arrays: Array) -> None:
        cases.append(Case(f"{name}_{len(cases)}", make, list(arrays)))  # type: ignore[arg-type]

    for dtype in DType:
        x = random(rng, (2, 3, 4, 5), dtype)
        add("transpose", lambda v: ops.Transpose(v, (0, 3, 1, 2)), x)
        add("transpose", lambda v: ops.Transpose(v, (3, 2, 1, 0)), x)
        add("transpose", lambda v: ops.Transpose(v, (1, 0, 2, 3)), x)
        add("broadcast", lambda v: ops.Broadcast(v, (4, 2, 3, 5)), random(rng, (2, 1, 5), dtype))
        add("broadcast", lambda v: ops.Broadcast(v, (3, 2)), random(rng, (), dtype))
        add("slice", lambda v: ops.Slice(v, (1, 2, 0, 4), (1, 3, 2, 3), (1, -1, 3, -2)), x)
        add("slice", lambda v: ops.Slice(v, (0, 1, 0, 0), (2, 1, 4, 5), (1, 1, 1, 1)), x)
        add("slice", lambda v: ops.Slice(v, (0, 0, 0, 0), (2, 0, 4, 5), (1, 1, 1, 1)), x)
        add("concat", lambda *v: ops.Concat(v, 1), x, x[:, :1], x[:, :2])
        add("concat", lambda *v: ops.Concat(v, 3), x, x[..., :1], x[..., :0])
        value = 0.0 if dtype is DType.BOOL else 3.0
        add("pad", lambda v, value=value: ops.Pad(v, (1, 0, 2, 0), (0, 2, 1, 0), value=value), x)
        add("pad", lambda v, value=value: ops.Pad(v, (0, 1), (1, 0), (2, 1), value), random(rng, (3, 2), dtype))
        add("pad", lambda v: ops.Pad(v, (0, 0), (0, 0)), random(rng, (3, 2), dtype))
        for index in (DType.I8, DType.U8, DType.I16, DType.I32, DType.I64):
            taken = np.where(rng.integers(0, 2, (2, 2)), rng.integers(0, 4, (2, 2)), random(rng, (2, 2), index))
            for axis in range(4):
                add("gather", lambda v, i, axis=axis: ops.Gather(v, i, axis), x, taken.astype(index.numpy))
        add("gather", lambda v, i: ops.Gather(v, i, 0), x, np.asarray(-1))
        add("reshape", lambda v: ops.Reshape(v, (6, 20)), x)
    return cases


@cache
def sum_cases() -> list[Case]:
    rng = np.random.default_rng(7)
    cases: list[Case] = []

    def add(
        name: str, make: object, *arrays: Array, tolerance: float | None = None, constants: tuple[int, ...] = ()
    ) -> None:
        case = Case(f"{name}_{len(cases)}", make, list(arrays), tolerance, frozenset(constants))  # type: ignore[arg-type]
        cases.append(case)

    reductions = [op for op in registry().values() if issubclass(op, ops.Reduce)]
    for op, dtype, axes in itertools.product(reductions, DType, [(0,), (3,), (1, 2), (0, 3), (0, 1, 2, 3), (1,), ()]):
        x = random(rng, (3, 5, 2, 4), dtype)
        if op.accuracy is Accuracy.EXACT and dtype is DType.F32 and axes == (1,):
            x[1, 2, 0, 3] = math.nan
            x[2, :, :, 1] = -math.inf
        if dtype in takes(lambda v, op=op, axes=axes: op(v, axes), x.shape):
            add(op.mnemonic, lambda v, op=op, axes=axes: op(v, axes), x)
    numbers = 7 * (len(DType) - 1)  # of each, and of booleans for those that choose; a mean is one of floats
    counts = Counter(case.op.mnemonic for case in cases)
    assert counts == {op.mnemonic: 7 if op is ops.ReduceMean else numbers for op in reductions} | {
        op.mnemonic: numbers + 7 for op in (ops.ReduceMax, ops.ReduceMin)
    }
    for dtype in DType:
        if dtype is DType.BOOL:
            continue
        add("matmul", ops.MatMul, random(rng, (3, 4), dtype), random(rng, (4, 5), dtype))
        add("matmul", ops.MatMul, random(rng, (2, 1, 3, 4), dtype), random(rng, (3, 4, 1), dtype))
    for count, inputs, outputs in [(1, 7, 5), (1, 64, 12), (3, 5, 8), (2, 1, 1), (5, 3, 2)]:
        for constants in [(1, 2), (), (2,)]:
            x, w, b = random(rng, (count, inputs)), random(rng, (outputs, inputs)), random(rng, (outputs,))
            add("dense", lambda *v: ops.Dense(*v, min=0.0), x, w, b, constants=constants)
            add("dense", lambda *v: ops.Dense(*v, max=0.5), x[0], w, constants=constants)
            add("dense", ops.Dense, x.reshape(1, 1, count, inputs), w, b, constants=constants)
            add("dense", ops.Dense, random(rng, (1, 3, count, inputs)), w, b, constants=constants)
    for shape in [(1, 10), (10,), (3, 4, 5), (1, 2, 3, 7), (1, 1)]:
        add("softmax", ops.Softmax, random(rng, shape) * 20, tolerance=FUNCTIONS * 4)
    for place in range(4):  # expf of more than 88 is infinite: the largest element is taken off wherever it is
        x = np.where(np.arange(4) == place, np.float32(300), np.float32(-1)).astype(np.float32).reshape(1, 4)
        add("softmax", ops.Softmax, x, tolerance=FUNCTIONS * 4)
    return cases


@cache
def sampled_cases() -> list[Case]:
    """Random ones of every operator that a program can have."""
    return [case for kind in registry().values() for case in sampled(kind, 6)]


GROUPS = {
    "elementwise": elementwise_cases,
    "movement": movement_cases,
    "sums": sum_cases,
    "sampled": sampled_cases,
}


@pytest.mark.parametrize(
    ("group", "build"),
    [*itertools.product(GROUPS, PARAMETERS), *([] if ALL else [("sampled", "gcc-Os")])],
)
def test_operators(group: str, build: str) -> None:
    check(GROUPS[group](), build)


def test_every_operator_is_covered() -> None:
    assert {case.op.mnemonic for case in sampled_cases()} == {name for name, op in registry().items() if runs(op)}

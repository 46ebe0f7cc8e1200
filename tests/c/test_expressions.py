"""Random scalar expressions: what the printer writes means in C what `ir.expr.evaluate` says, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from tests.c.support import BUILDS, EXACT, Case, check
from tests.c.test_operators import values
from tinyc.backends.c.expressions import Printer
from tinyc.backends.c.library import Kernels
from tinyc.ir.expr import Arg, Expr, Lit, call, cast, select
from tinyc.ir.op import Value
from tinyc.ir.ops.elementwise import Elementwise
from tinyc.ir.types import DType

ARITHMETIC = ["add", "sub", "mul", "div", "neg", "abs", "max", "min"]
# Functions that round as IEEE says, so that both sides agree to the bit.
FLOATS = [*ARITHMETIC, "floor", "ceil", "round", "sqrt"]
LOGIC = ["and", "or", "not"]
ONE_ARGUMENT = {"neg", "abs", "floor", "ceil", "round", "sqrt", "not"}
TYPES = list(DType)


def random_expr(random: Random, dtype: DType, depth: int) -> Expr:
    """An expression of an element type over one argument of each type, numbered as in `TYPES`."""
    kind = random.random()
    if depth == 0 or kind < 0.1:
        if random.random() < 0.7:
            return Arg(dtype, TYPES.index(dtype))
        number = (
            random.choice([0, 1, 2, 7]) if dtype in (DType.U8, DType.BOOL) else random.choice([-128, -3, 0, 1, 100])
        )
        return Lit(dtype, bool(number) if dtype is DType.BOOL else number)

    def operand(of: DType) -> Expr:
        return random_expr(random, of, depth - 1)

    if kind < 0.2:
        return cast(operand(random.choice(TYPES)), dtype)
    if kind < 0.3:
        return select(operand(DType.BOOL), operand(dtype), operand(dtype))
    if dtype is DType.BOOL:
        if kind < 0.6:
            of = random.choice([t for t in TYPES if t is not DType.BOOL])
            return call(random.choice(["lt", "le", "eq"]), operand(of), operand(of))
        fn = random.choice(LOGIC)
    else:
        fn = random.choice(FLOATS if dtype.is_float else ARITHMETIC)
    return call(fn, *(operand(dtype) for _ in range(1 if fn in ONE_ARGUMENT else 2)))


@dataclass(frozen=True)
class RandomExpression(Elementwise):
    """An operator that computes a random expression of all types."""

    xs: tuple[Value, ...]
    seed: int

    def scalar(self, *args: Expr) -> Expr:
        # A sum of all arguments' use is not needed: operands that are not read are not passed.
        random = Random(self.seed)
        return random_expr(random, random.choice(TYPES), 5)


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_random_expressions(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Such expressions compare things with themselves and unsigned numbers with 0, of which compilers warn rightly.
    quiet = ("-Wno-type-limits", "-Wno-tautological-compare", "-Wno-bool-operation")
    compiler, flags = BUILDS[build]
    if compiler == "clang":
        quiet = ("-Wno-tautological-compare", "-Wno-tautological-unsigned-zero-compare")
    monkeypatch.setitem(BUILDS, build, (compiler, (*flags, *quiet)))
    rng = np.random.default_rng(12)
    arrays = [values(rng, (23,), dtype) for dtype in TYPES]
    check(
        [
            Case(f"e{seed}", lambda *xs, seed=seed: RandomExpression(xs, seed), arrays, EXACT)  # type: ignore[misc]
            for seed in range(150)
        ],
        build,
    )


def test_parentheses() -> None:
    a, b, c = (Arg(DType.F32, k) for k in range(3))
    p, q = call("lt", a, b), call("eq", b, c)
    printer = Printer(Kernels())
    for expr, text in [
        ((a - b) - c, "a - b - c"),
        (a - (b - c), "a - (b - c)"),
        (a + (b + c), "a + (b + c)"),
        (a * b + c, "a * b + c"),
        (a / (b * c), "a / (b * c)"),
        ((a + b) * c, "(a + b) * c"),
        (-call("neg", a), "-(-a)"),
        (a - Lit(DType.F32, -1.0), "a - -1.0f"),
        (-Lit(DType.F32, -1.0), "-(-1.0f)"),
        (-(a + b), "-(a + b)"),
        (call("and", call("or", p, q), q), "(a < b || b == c) && b == c"),
        (call("or", call("and", p, q), q), "(a < b && b == c) || b == c"),
        (call("not", p), "!(a < b)"),
        (call("eq", call("not", p), q), "(!(a < b)) == (b == c)"),
        (select(p, a, b) + c, "(a < b ? a : b) + c"),
    ]:
        assert printer.code(expr, ["a", "b", "c"]) == text

"""Scalar expressions: what one element of an elementwise operator, or one step of a reduction, computes.

An operator states its arithmetic once, as an expression. Its numpy meaning (`evaluate` here) and its C (printed by
the C backend) both come from it, so the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir.errors import IRError
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

Number = int | float | bool


@dataclass(frozen=True)
class Expr:
    """Base of expression nodes. Operators `+ - * /` build calls; numbers become literals of the other side's type."""

    dtype: DType

    def __add__(self, other: Expr | Number) -> Expr:
        return call("add", self, other)

    def __sub__(self, other: Expr | Number) -> Expr:
        return call("sub", self, other)

    def __mul__(self, other: Expr | Number) -> Expr:
        return call("mul", self, other)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return call("div", self, other)

    def __neg__(self) -> Expr:
        return call("neg", self)


@dataclass(frozen=True)
class Arg(Expr):
    """The element of operand `index`."""

    index: int


@dataclass(frozen=True)
class Lit(Expr):
    """A literal of the node's element type."""

    value: Number


@dataclass(frozen=True)
class Call(Expr):
    """A scalar function applied to arguments; `fn` is a key of `FUNCTIONS`."""

    fn: str
    args: tuple[Expr, ...]


def call(fn: str, *args: Expr | Number) -> Expr:
    """Applies a scalar function. Numbers take the type of the first expression among the arguments.

    Raises `IRError` when the argument types do not agree or the function does not take them.
    """
    anchor = next(a for a in args if isinstance(a, Expr))
    exprs = tuple(a if isinstance(a, Expr) else Lit(anchor.dtype, a) for a in args)
    values = exprs[1:] if fn == "select" else exprs
    if len({e.dtype for e in values}) != 1:
        raise IRError(f"{fn} of different element types: {', '.join(e.dtype.value for e in exprs)}")
    spec = FUNCTIONS.get(fn)
    if spec is None:
        raise IRError(f"no function is called {fn}: say what it means with `define` (tinyc.ir.expr)")
    dtype = values[0].dtype
    if spec.floats_only and not dtype.is_float:
        raise IRError(f"{fn} takes floating point, not {dtype.value}")
    if dtype is DType.BOOL and not spec.takes_bool:
        raise IRError(f"{fn} does not take booleans")
    return Call(DType.BOOL if spec.gives_bool else dtype, fn, exprs)


def select(condition: Expr, yes: Expr | Number, no: Expr | Number) -> Expr:
    """`condition ? yes : no`."""
    anchor = yes if isinstance(yes, Expr) else no
    if not isinstance(anchor, Expr) or condition.dtype is not DType.BOOL:
        raise IRError("select takes a boolean and two values of one type")
    sides = tuple(s if isinstance(s, Expr) else Lit(anchor.dtype, s) for s in (yes, no))
    return call("select", condition, *sides)


def cast(x: Expr, dtype: DType) -> Expr:
    """Converts to another element type: float to integer truncates toward zero, anything to bool tests against zero."""
    return x if x.dtype is dtype else Call(dtype, "cast", (x,))


def arguments(expr: Expr) -> frozenset[int]:
    """The numbers of the operands that an expression reads."""
    if isinstance(expr, Arg):
        return frozenset({expr.index})
    return frozenset().union(*(arguments(a) for a in expr.args)) if isinstance(expr, Call) else frozenset()


def _divide(a: Array, b: Array) -> Array:
    """Floats divide; integers divide truncating toward zero, as C and ONNX do. x / 0 is 0 for integers."""
    if np.issubdtype(a.dtype, np.floating):
        return np.asarray(a / b)
    safe = np.where(b == 0, np.ones_like(b), b)
    floor = a // safe
    quotient = floor + ((floor * safe != a) & ((a < 0) != (safe < 0)))
    return np.asarray(np.where(b == 0, np.zeros_like(quotient), quotient).astype(a.dtype))


def _cast(a: Array, dtype: np.dtype[Any]) -> Array:
    """Floats become the integer they truncate to, limited to the type's range; NaN becomes 0. Integers wrap around."""
    if not (np.issubdtype(a.dtype, np.floating) and np.issubdtype(dtype, np.integer)):
        return a.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    # float(limits.max) may round up to 2^n: what is not below it is out of range.
    inside = (a >= float(limits.min)) & (a < float(limits.max))
    outside = np.where(np.isnan(a), 0, np.where(a < 0, limits.min, limits.max)).astype(dtype)
    return np.where(inside, np.where(inside, a, 0).astype(dtype), outside)


def _power(a: Array, b: Array) -> Array:
    """a to the power b. Where one exponent 1/2 serves many elements, numpy takes square roots, which differ from what C
    and ONNX define for -inf and -0.0."""
    bases, exponents = np.broadcast_arrays(a, b)
    return np.asarray(np.power(bases, np.array(exponents)))


def _erf(x: Array) -> Array:
    """The error function to float64 precision, by numpy only.

    Series for |x| < 3, continued fraction beyond (Abramowitz and Stegun 7.1.6 and 7.1.14).
    """
    v = np.abs(x.astype(np.float64))
    small = np.minimum(v, 3.0)
    term = small.copy()
    total = small.copy()
    for n in range(1, 60):
        term = term * (2.0 * small * small) / (2 * n + 1)
        total = total + term
    series = 2.0 / np.sqrt(np.pi) * np.exp(-small * small) * total
    large = np.clip(v, 3.0, 27.0)
    fraction = large.copy()
    for n in range(40, 0, -1):
        fraction = large + (n / 2.0) / fraction
    tail = 1.0 - np.exp(-large * large) / (np.sqrt(np.pi) * fraction)
    return np.asarray(np.sign(x) * np.where(v < 3.0, series, tail)).astype(x.dtype)


@dataclass(frozen=True)
class Function:
    """A scalar function: its numpy meaning and what element types it takes and gives."""

    numpy: Callable[..., Any]
    floats_only: bool = False
    takes_bool: bool = False
    gives_bool: bool = False


# max and min are comparisons, `a < b ? b : a`: a NaN in the first argument passes through, as in the C.
FUNCTIONS: dict[str, Function] = {
    "add": Function(np.add),
    "sub": Function(np.subtract),
    "mul": Function(np.multiply),
    "div": Function(_divide),
    "neg": Function(np.negative),
    "abs": Function(np.abs),
    "max": Function(lambda a, b: np.where(a < b, b, a)),
    "min": Function(lambda a, b: np.where(b < a, b, a)),
    "exp": Function(np.exp, floats_only=True),
    "log": Function(np.log, floats_only=True),
    "sqrt": Function(np.sqrt, floats_only=True),
    "tanh": Function(np.tanh, floats_only=True),
    "erf": Function(_erf, floats_only=True),
    "pow": Function(_power, floats_only=True),
    "floor": Function(np.floor, floats_only=True),
    "ceil": Function(np.ceil, floats_only=True),
    "round": Function(np.rint, floats_only=True),
    "lt": Function(np.less, gives_bool=True),
    "le": Function(np.less_equal, gives_bool=True),
    "eq": Function(np.equal, takes_bool=True, gives_bool=True),
    "and": Function(np.logical_and, takes_bool=True, gives_bool=True),
    "or": Function(np.logical_or, takes_bool=True, gives_bool=True),
    "not": Function(np.logical_not, takes_bool=True, gives_bool=True),
    "select": Function(np.where, takes_bool=True),
    "cast": Function(lambda a: a, takes_bool=True),
}


def define(name: str, meaning: Callable[..., Any]) -> None:
    """Adds a function of floats. Raises `TypeError` for a second one of its name."""
    if name in FUNCTIONS:
        raise TypeError(f"two functions are called {name}")
    FUNCTIONS[name] = Function(meaning, floats_only=True)


def evaluate(expr: Expr, args: Sequence[Array]) -> Array:
    """The value of an expression for these operand arrays, by numpy broadcasting, in the expression's element type."""
    with np.errstate(all="ignore"):
        return _evaluate(expr, args)


def _evaluate(expr: Expr, args: Sequence[Array]) -> Array:
    if isinstance(expr, Arg):
        return args[expr.index]
    if isinstance(expr, Lit):
        return np.asarray(expr.value, dtype=expr.dtype.numpy)
    assert isinstance(expr, Call)
    values = [_evaluate(a, args) for a in expr.args]
    if expr.fn == "cast":
        return _cast(values[0], expr.dtype.numpy)
    return np.asarray(FUNCTIONS[expr.fn].numpy(*values)).astype(expr.dtype.numpy, copy=False)

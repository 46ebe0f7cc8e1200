"""The one printer of scalar expressions: what each function of `ir.expr.FUNCTIONS` is in C, by element type.

Arithmetic is defined for all values. Integers wrap around, as numpy's do: sums, differences and products are computed
in unsigned arithmetic, of 32 bits or more so that no promotion makes them signed. (The conversion back is what gcc
and clang define: modulo 2^n.) A float becomes an integer by truncation, limited to the type's range, NaN becomes 0.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.backends.c.library import KernelError, Kernels, MissingKernel
from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.ir.expr import Arg, Call, Expr, Lit
from tinyc.ir.types import DType


class Level(enum.IntEnum):
    """How strongly C binds, from weak to strong."""

    CHOICE = 0
    OR = 1
    AND = 2
    NOT = 3  # binds stronger in C, but compilers warn of `!a == b`
    COMPARE = 4
    SUM = 5
    PRODUCT = 6
    UNARY = 7
    PRIMARY = 8


@dataclass(frozen=True)
class Fragment:
    """A piece of C and how strongly its outermost operator binds."""

    code: str
    level: Level = Level.PRIMARY

    def at(self, level: Level) -> str:
        """The code, in parentheses unless it binds at least as strongly as `level`."""
        return self.code if self.level >= level else f"({self.code})"


_INFIX = {"add": ("+", Level.SUM), "sub": ("-", Level.SUM), "mul": ("*", Level.PRODUCT)}
_COMPARE = {"lt": "<", "le": "<=", "eq": "=="}
_LOGIC = {"and": ("&&", Level.AND), "or": ("||", Level.OR)}
_MATH = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma "
    "fmax fmin fmod hypot lgamma log log10 log1p log2 logb nearbyint pow remainder rint sin sinh sqrt tan tanh tgamma "
    "trunc"
)
"""What C99's math.h has that gives a floating-point number and means the same here; with an f behind it for float."""
_LIBRARY = {**{name: f"{name}f" for name in _MATH.split()}, "round": "rintf"}
"""Functions of floats by our names. Ours rounds ties to even, which is C's rint."""


class Printer:
    """Prints expressions for one translation unit, to which it adds the kernels they call."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels

    def text(self, expr: Expr, args: Sequence[str]) -> Fragment:
        """The expression with these identifiers or array elements as its arguments."""
        if isinstance(expr, Arg):
            return Fragment(args[expr.index])
        if isinstance(expr, Lit):
            return self._literal(expr)
        assert isinstance(expr, Call)
        values = [self.text(a, args) for a in expr.args]
        return self._call(expr, values)

    def code(self, expr: Expr, args: Sequence[str]) -> str:
        """The expression as the right side of an assignment."""
        return self.text(expr, args).code

    def _literal(self, expr: Lit) -> Fragment:
        code = literal(expr.dtype, expr.value)
        if code.endswith(("INFINITY", "NAN")):
            self.kernels.headers.add("math.h")
        return Fragment(code, Level.UNARY if code.startswith("-") else Level.PRIMARY)

    def _call(self, expr: Call, values: Sequence[Fragment]) -> Fragment:
        fn, dtype = expr.fn, expr.args[-1].dtype
        if fn in _COMPARE:
            left, right = (v.at(Level.SUM) for v in values)
            return Fragment(f"{left} {_COMPARE[fn]} {right}", Level.COMPARE)
        if fn in _LOGIC:
            sign, level = _LOGIC[fn]
            # `||` within `&&` needs parentheses, `&&` within `||` gets them, for compilers warn without.
            return Fragment(f" {sign} ".join(v.at(level if v.level == level else Level.NOT) for v in values), level)
        if fn == "not":
            return Fragment(f"!{values[0].at(Level.PRIMARY)}", Level.NOT)
        if fn == "select":
            yes, no = (v.at(Level.OR) for v in values[1:])
            return self._narrow(Fragment(f"{values[0].at(Level.OR)} ? {yes} : {no}", Level.CHOICE), expr.dtype)
        if fn == "cast":
            return self._cast(values[0], expr.args[0].dtype, expr.dtype)
        if fn in _LIBRARY:
            self.kernels.headers.add("math.h")
            return _apply(_LIBRARY[fn], values)
        return self._float(fn, values) if dtype.is_float else self._integer(fn, values, dtype)

    def _float(self, fn: str, values: Sequence[Fragment]) -> Fragment:
        if fn in _INFIX or fn == "div":
            sign, level = _INFIX.get(fn, ("/", Level.PRODUCT))
            # The right side's operator of the same level keeps its parentheses: float sums do not re-associate.
            return Fragment(f"{values[0].at(level)} {sign} {values[1].at(Level(level + 1))}", level)
        if fn == "neg":
            code = values[0].at(Level.UNARY)
            return Fragment(f"-({code})" if code.startswith("-") else f"-{code}", Level.UNARY)
        if fn == "abs":
            self.kernels.headers.add("math.h")
            return _apply("fabsf", values)
        return _apply(self._kernel(fn, DType.F32), values)

    def _integer(self, fn: str, values: Sequence[Fragment], dtype: DType) -> Fragment:
        wide = "uint64_t" if dtype.bytes == 8 else "uint32_t"
        terms = [f"({wide}){v.at(Level.UNARY)}" for v in values]
        if fn in _INFIX:
            return Fragment(f"({C_TYPES[dtype]})({terms[0]} {_INFIX[fn][0]} {terms[1]})", Level.UNARY)
        if fn == "neg":
            return Fragment(f"({C_TYPES[dtype]})(0U - {terms[0]})", Level.UNARY)
        if fn == "abs" and dtype is DType.U8:
            return values[0]
        return _apply(self._kernel(fn, dtype), values)

    def _kernel(self, fn: str, dtype: DType) -> str:
        """The function that a file of kernels defines. Raises `KernelError` where there is none."""
        try:
            return self.kernels.use(fn, dtype)
        except MissingKernel:
            raise KernelError(
                f"the function {fn} of {dtype.value} declares no C: math.h does not have it; write it as a kernel, "
                f"backends/c/kernels/{fn}_{dtype.value}.h, or make the operator's `scalar` of other functions"
            ) from None

    def _cast(self, x: Fragment, old: DType, new: DType) -> Fragment:
        if new is DType.BOOL:
            return Fragment(f"{x.at(Level.SUM)} != {literal(old, 0)}", Level.COMPARE)
        if old.is_float:
            return _apply(self.kernels.use("to", new), [x])
        return Fragment(f"({C_TYPES[new]}){x.at(Level.UNARY)}", Level.UNARY)

    @staticmethod
    def _narrow(x: Fragment, dtype: DType) -> Fragment:
        """C's choice between two narrow integers is an int; this says that it fits."""
        if dtype.is_float or dtype.bytes >= 4:
            return x
        return Fragment(f"({C_TYPES[dtype]}){x.at(Level.UNARY)}", Level.UNARY)


def _apply(function: str, values: Sequence[Fragment]) -> Fragment:
    return Fragment(f"{function}({', '.join(v.code for v in values)})")

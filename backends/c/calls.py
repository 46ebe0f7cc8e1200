"""What the emitters of operators with kernels have in common: geometry, and functions that specialise a kernel."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import TranslationUnit
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

Literal = tuple[str, str]
"""The name and the text of a literal argument."""


def specialise(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    dtype: DType,
    parameters: Sequence[tuple[str, str]],
    literals: Sequence[Literal],
) -> str:
    """A function that calls a kernel with its own parameters and then literals.

    Args:
        unit: where the function goes.
        hint: what its name should say.
        kernel: the kernel.
        dtype: the kernel's element type.
        parameters: type and name of each parameter, `out` the last of them; an empty type leaves it out of the
            function and hands the name, then an expression, to the kernel.
        literals: the kernel's remaining arguments.
    """
    return shared(unit, hint, kernel, dtype, parameters, literals, ())[0]


def shared(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    dtype: DType,
    parameters: Sequence[tuple[str, str]],
    literals: Sequence[Literal],
    handed: Collection[str],
    local: str = "",
) -> tuple[str, tuple[str, ...]]:
    """A function as `specialise` gives, of which the `handed` ones among the literals are parameters before `out`, so
    that layers can share it; and their values, which are the arguments for these. `local` is a definition that the call
    needs."""
    *before, out = parameters
    given = [(name, text) for name, text in literals if name in handed]
    parameters = [*before, *(("int", name) for name, _ in given), out]
    own = ", ".join(f"{kind}{name}" if kind.endswith("*") else f"{kind} {name}" for kind, name in parameters if kind)
    values = [name for _, name in (*before, out)]
    values += [name if name in handed else f"/*{name}=*/{text}" for name, text in literals]
    if "NULL" in values:
        unit.kernels.headers.add("stddef.h")
    if any(text.endswith("INFINITY") for _, text in literals):
        unit.kernels.headers.add("math.h")
    call = wrapped(f"    {unit.kernels.use(kernel, dtype)}(", values, ");")
    function = unit.function(hint, own, f"    {local}\n{call}" if local else call)
    return function, tuple(text for _, text in given)


def wrapped(head: str, items: Sequence[str], tail: str, width: int = 118) -> str:
    """`head item, item, ... tail` in lines that are not too long."""
    lines, line = [], head
    for number, item in enumerate(items):
        piece = item + (tail if number == len(items) - 1 else ",")
        if len(line) + len(piece) + 1 > width and line != head:
            lines.append(line.rstrip())
            line = "        "
        line += piece + ("" if number == len(items) - 1 else " ")
    return "\n".join([*lines, line]) + "\n"


def elements(stage: Stage) -> int:
    """Elements of the result that one application computes."""
    return stage.op.type.size // stage.rows * stage.band


def limits(low: float, high: float, dtype: DType) -> list[Literal]:
    """The arguments for a fused activation."""
    return [("low", literal(dtype, low)), ("high", literal(dtype, high))]


def pointer(dtype: DType) -> str:
    """The C type of a pointer to operand elements."""
    return f"const {C_TYPES[dtype]} *"


def require_float(stage: Stage) -> None:
    """Raises `CodegenError` unless all operands are float32."""
    for value in stage.op.operands:
        if value.dtype is not DType.F32:
            raise CodegenError(f"{stage.where}: there is a C kernel for f32 only, {value} is {value.type}")

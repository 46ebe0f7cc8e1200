"""C for strided loops: every operator without a kernel of its own is printed from its `ir.loops.Loops`.

The dimensions of a nest are first made as few as they can be: those of size 1 go, and neighbours that every operand
walks through without a jump become one. An elementwise operator on whole tensors is then a single loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tinyc.backends.c.expressions import Level, Printer
from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.ir.expr import Arg, Call, arguments
from tinyc.ir.gathering import OneRow
from tinyc.ir.loops import Index, Loops, is_product
from tinyc.ir.types import DType

TOGETHER = 4
"""Elements of the innermost dimension that are moved in one iteration."""


def used_operands(nests: Sequence[Loops]) -> tuple[int, ...]:
    """The operands that the nests read, in order."""
    found: set[int] = set()
    for nest in nests:
        if 0 in nest.space:
            continue
        for number in arguments(nest.body):
            found.add(number)
            via = nest.inputs[number].via
            if via is not None:
                found.add(via.operand)
    return tuple(sorted(found))


def merged(nest: Loops) -> Loops:
    """The same nest with as few dimensions as possible; the order of its iterations is the same."""
    parallel = len(nest.space) - nest.reduced
    space: list[int] = []
    columns: list[list[int]] = []  # for each dimension, every operand's stride and then the output's
    reduced = 0
    for d, extent in enumerate(nest.space):
        column = [i.strides[d] for i in nest.inputs] + [nest.output.strides[d] if d < parallel else 0]
        if extent == 1:
            continue
        inner = d >= parallel
        joins = space and inner == bool(reduced)
        if joins and all(a == b * extent for a, b in zip(columns[-1], column, strict=True)):
            space[-1] *= extent
            columns[-1] = column
            continue
        space.append(extent)
        columns.append(column)
        reduced += inner
    inputs = tuple(
        dataclasses.replace(index, strides=tuple(column[k] for column in columns))
        for k, index in enumerate(nest.inputs)
    )
    kept = len(space) - reduced
    output = Index(nest.output.offset, tuple(column[-1] for column in columns[:kept]))
    # A reduction over one element is its body: nothing is left to combine.
    combine = nest.combine if reduced else ""
    return Loops(tuple(space), inputs, output, nest.body, reduced, combine, nest.finish)


def nest_lines(nest: Loops, printer: Printer) -> list[str]:
    """The statements of a nest, which reads the arrays x0, x1, ... and writes `out`."""
    if 0 in nest.space:
        return []
    nest = merged(nest)
    outer = len(nest.space) - nest.reduced
    inner = _body(nest, outer, printer)
    if outer and _moves(nest):
        outer -= 1
        inner = _several(nest, outer, printer)
    return _within(nest.space[:outer], inner)


def around(nest: Loops, lines: Callable[[Sequence[str], str], list[str]]) -> list[str]:
    """Loops over a nest that reduces nothing, around statements: those for the first elements of the operands and of
    the result, as C has their numbers."""
    nest = merged(nest)
    places = [_index(index) for index in nest.inputs]
    return _within(nest.space, lines(places, _index(nest.output)))


def _within(space: Sequence[int], inner: Sequence[str]) -> list[str]:
    """Statements within a loop for each dimension of a space."""
    lines = ["    " * d + _for(d, extent) for d, extent in enumerate(space)]
    lines += _indented(inner, len(space))
    return lines + ["    " * d + "}" for d in reversed(range(len(space)))]


def gathered_lines(one: OneRow, printer: Printer) -> list[str]:
    """The statements that take one more row into `out`, of which `first` and `last` say whether it is that."""
    nest = merged(one.nest)
    outer = len(nest.space) - nest.reduced
    value = [f"x{k}[{_source(nest, k, printer)}]" for k in range(len(nest.inputs))]
    dtype, target = nest.body.dtype, f"out[{_index(nest.output)}]"
    inner = _sum(nest, outer, value, printer) if nest.reduced else []
    part = "sum" if nest.reduced else printer.text(nest.body, value).code
    total = f"first ? {part} : {_joined(one.combine, dtype, target, part, printer)}"
    if one.finish is None:
        inner.append(f"{target} = {total};")
    else:
        inner += [
            f"const {C_TYPES[dtype]} total = {total};",
            f"{target} = last ? {printer.code(one.finish, ['total'])} : total;",
        ]
    return _within(nest.space[:outer], inner)


def _joined(combine: str, dtype: DType, held: str, part: str, printer: Printer) -> str:
    """What is there and what a row gives as one."""
    if combine in ("max", "min"):
        return f"{printer.kernels.use(f'reduce_{combine}', dtype)}({held}, {part})"
    return printer.code(Call(dtype, combine, (Arg(dtype, 0), Arg(dtype, 1))), [held, part])


def _moves(nest: Loops) -> bool:
    """Whether each iteration only moves an element, so that counting would take longer than that."""
    plain = isinstance(nest.body, Arg) and nest.finish is None and not nest.reduced
    return plain and all(index.via is None for index in nest.inputs)


def _several(nest: Loops, d: int, printer: Printer) -> list[str]:
    """The statements of the innermost dimension `d`, `TOGETHER` of them in each iteration of a loop, and those that are
    left over, or make no two iterations, without a loop."""

    def statements(numbers: range, counted: bool) -> list[str]:
        return [line for k in numbers for line in _body(_further(nest, d, k, counted), d + 1, printer)]

    extent = nest.space[d]
    looped = extent - extent % TOGETHER if extent >= 2 * TOGETHER else 0
    lines = statements(range(looped, extent), counted=False)
    if not looped:
        return lines
    return [_for(d, looped, TOGETHER), *_indented(statements(range(TOGETHER), counted=True), 1), "}", *lines]


def _further(nest: Loops, d: int, by: int, counted: bool) -> Loops:
    """The nest `by` places further along dimension `d`, which has a counter or counts from 0 to 0."""

    def moved(index: Index) -> Index:
        strides = tuple(s if counted or k != d else 0 for k, s in enumerate(index.strides))
        return dataclasses.replace(index, offset=index.offset + by * index.strides[d], strides=strides)

    inputs = tuple(moved(index) for index in nest.inputs)
    return dataclasses.replace(nest, inputs=inputs, output=moved(nest.output))


def _body(nest: Loops, parallel: int, printer: Printer) -> list[str]:
    target = f"out[{_index(nest.output)}]"
    value = [f"x{k}[{_source(nest, k, printer)}]" for k in range(len(nest.inputs))]
    if not nest.reduced:
        result = printer.text(nest.body, value)
        if nest.finish is not None:
            dtype = nest.body.dtype
            return [
                f"const {C_TYPES[dtype]} value = {result.code};",
                f"{target} = {printer.code(nest.finish, ['value'])};",
            ]
        return [f"{target} = {result.code};"]
    lines = _sum(nest, parallel, value, printer)
    result_code = "sum" if nest.finish is None else printer.code(nest.finish, ["sum"])
    return [*lines, f"{target} = {result_code};"]


def _sum(nest: Loops, parallel: int, value: Sequence[str], printer: Printer) -> list[str]:
    """The statements that reduce to `sum`."""
    dtype = nest.body.dtype
    lines = [f"{C_TYPES[dtype]} sum = {_start(nest.combine, dtype, printer)};"]
    for d in range(parallel, len(nest.space)):
        lines.append("    " * (d - parallel) + _for(d, nest.space[d]))
    lines += _indented([_combine(nest, value, printer)], nest.reduced)
    return lines + ["    " * d + "}" for d in reversed(range(nest.reduced))]


def _combine(nest: Loops, value: Sequence[str], printer: Printer) -> str:
    dtype = nest.body.dtype
    if nest.combine == "add" and is_product(nest.body) and printer.kernels.fused:
        x, w = (printer.code(part, value) for part in nest.body.args)
        return f"sum = {printer.kernels.use('multiply_add', dtype)}({x}, {w}, sum);"
    body = printer.text(nest.body, value)
    if nest.combine in ("max", "min"):
        return f"sum = {printer.kernels.use(f'reduce_{nest.combine}', dtype)}(sum, {body.code});"
    if dtype.is_float:
        return f"sum {'+' if nest.combine == 'add' else '*'}= {body.code};"
    step = Call(dtype, nest.combine, (Arg(dtype, 0), Arg(dtype, 1)))
    return f"sum = {printer.code(step, ['sum', body.at(Level.UNARY)])};"


def _start(combine: str, dtype: DType, printer: Printer) -> str:
    """The neutral element."""
    if combine in ("add", "mul"):
        return literal(dtype, 0 if combine == "add" else 1)
    if dtype.is_float:
        printer.kernels.headers.add("math.h")
        return "-INFINITY" if combine == "max" else "INFINITY"
    if dtype is DType.BOOL:
        return literal(dtype, combine == "min")
    signed = dtype is not DType.U8
    bits = dtype.bytes * 8
    if combine == "max":
        return f"INT{bits}_MIN" if signed else "0"
    return f"INT{bits}_MAX" if signed else f"UINT{bits}_MAX"


def _for(dimension: int, extent: int, step: int = 1) -> str:
    counter = f"i{dimension}"
    advance = f"++{counter}" if step == 1 else f"{counter} += {step}"
    return f"for (int {counter} = 0; {counter} < {extent}; {advance}) {{"


def _source(nest: Loops, operand: int, printer: Printer) -> str:
    """The index at which an operand is read."""
    index = nest.inputs[operand]
    affine = _index(index)
    if index.via is None:
        return affine
    via = index.via
    read = f"{printer.kernels.use('entry')}(x{via.operand}[{_index(nest.inputs[via.operand])}], {via.count})"
    chosen = read if via.scale == 1 else f"{read} * {via.scale}"
    return chosen if affine == "0" else f"{affine} + {chosen}"


def _index(index: Index) -> str:
    """`offset + i0 * stride + ...`, without what is zero; it never begins with a minus."""
    terms = [(s, f"i{d}" if abs(s) == 1 else f"i{d} * {abs(s)}") for d, s in enumerate(index.strides) if s]
    text = str(index.offset) if index.offset or not terms or terms[0][0] < 0 else ""
    for stride, term in terms:
        text += (f" {'-' if stride < 0 else '+'} " if text else "") + term
    return text


def _indented(lines: Sequence[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]

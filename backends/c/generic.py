"""C for whatever is strided loops, and for softmax."""

from __future__ import annotations

from tinyc.backends.c.calls import elements, pointer, require_float, specialise
from tinyc.backends.c.emitter import EMITTERS, emits
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.loops import gathered_lines, nest_lines, used_operands
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, TranslationUnit, Turn
from tinyc.ir.constant import Constant
from tinyc.ir.gathering import one_row
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.ops.movement import Reshape
from tinyc.ir.ops.normalise import BatchNorm, Softmax
from tinyc.ir.ops.take_rows import TakeRows
from tinyc.ir.rows import Stage
from tinyc.ir.types import WORD

EMITTERS.declared.refuse("it has the bytes of its operand: there is nothing to do", Reshape)
EMITTERS.declared.refuse("it is an array: no stage computes it", Constant)
EMITTERS.declared.refuse(
    "it is folded into a layer, or made of sums and products, before there is a program", BatchNorm
)


@emits(Op)
def emit_loops(unit: TranslationUnit, stage: Stage, whole: Op) -> RowCall:
    """Any operator that can be said in loops. Nothing is `restrict`: the result may lie over an operand."""
    if stage.gathers:
        return _gathered(unit, stage, whole)
    op = whole.row_op(stage.band, 0) if stage.windows else whole
    nests = op.loops()
    if nests is None:
        raise CodegenError(f"{stage.where}: {EMITTERS.declared.missing(type(op))}")
    used = used_operands(nests)
    parameters = [f"{pointer(op.operands[k].dtype)}x{k}" for k in used]
    parameters.append(f"{C_TYPES[op.type.dtype]} *out")
    lines = [line for nest in nests for line in nest_lines(nest, unit.printer)]
    body = "".join(f"    {line}\n" for line in lines)
    function = unit.function(stage.op.mnemonic, ", ".join(parameters), body)
    return RowCall(function, tuple(Pointer(k) for k in used), long_rows=True)


@emits(Copy, TakeRows)
def emit_copy(unit: TranslationUnit, stage: Stage, op: Op) -> RowCall:
    """The same bytes elsewhere: word by word where both places are known to begin with one."""
    size = elements(stage) * op.type.dtype.bytes
    if size % WORD or not all(_begins_with_word(unit, v) for v in (stage.result, *op.operands)):
        return emit_loops(unit, stage, op)
    element = C_TYPES[op.type.dtype]
    body = f"    {unit.kernels.use('move_words')}(x0, out, {size // WORD});\n"
    return RowCall(unit.function("copy", f"const {element} *x0, {element} *out", body), (Pointer(0),), long_rows=True)


def _begins_with_word(unit: TranslationUnit, value: Value) -> bool:
    """Whether a value, and each of its rows, lies in the arena at a multiple of a word."""
    root, offset = unit.program.root(value.name)
    slot = unit.program.plan.by_buffer.get(root.name) if unit.program.plan is not None else None
    return slot is not None and not any(
        n % WORD for n in (slot.offset, offset, unit.program.buffer[value.name].row_bytes)
    )


def _gathered(unit: TranslationUnit, stage: Stage, op: Op) -> RowCall:
    """An operator that takes one row more of its first operand."""
    one = one_row(op.loops_over_rows(), op.operands[0].type, op.type)
    if one is None:
        raise CodegenError(f"{stage.where}: {EMITTERS.declared.missing(type(op))}")
    used = used_operands([one.nest])
    turns: list[tuple[str, Argument]] = [("first", Turn(True))] if one.combine else []
    turns += [("last", Turn(False))] if one.finish is not None else []
    parameters = [f"{pointer(op.operands[k].dtype)}x{k}" for k in used]
    parameters += [f"int {name}" for name, _ in turns] + (["int y"] if one.step else [])
    parameters.append(f"{C_TYPES[op.type.dtype]} *out")
    lines = [f"out += y * {one.step};"] if one.step else []
    lines += gathered_lines(one, unit.printer) if one.combine else nest_lines(one.nest, unit.printer)
    function = unit.function(stage.op.mnemonic, ", ".join(parameters), "".join(f"    {line}\n" for line in lines))
    return RowCall(function, (*(Pointer(k) for k in used), *(t for _, t in turns), *(["y"] if one.step else [])))


@emits(Softmax)
def emit_softmax(unit: TranslationUnit, stage: Stage, op: Softmax) -> RowCall:
    """Softmax over the last dimension."""
    require_float(stage)
    n = op.type.shape[-1]
    function = specialise(
        unit,
        "softmax",
        "softmax",
        op.type.dtype,
        [(pointer(op.type.dtype), "x"), ("float *", "out")],
        [("count", str(elements(stage) // n)), ("n", str(n))],
    )
    return RowCall(function, (Pointer(0),), long_rows=True)

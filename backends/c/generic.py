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
from tinyc.ir.op import Op
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.ops.movement import Reshape
from tinyc.ir.ops.normalise import BatchNorm, Softmax
from tinyc.ir.rows import Stage

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


@emits(Copy)
def emit_copy(unit: TranslationUnit, stage: Stage, op: Copy) -> RowCall:
    """The same bytes elsewhere."""
    result, operand = (unit.program.root(v.name)[0] for v in (stage.result, op.x))
    if result is operand:
        return emit_loops(unit, stage, op)
    unit.kernels.headers.add("string.h")
    element = C_TYPES[op.type.dtype]
    body = f"    memcpy(out, x0, {elements(stage)} * sizeof *out);\n"
    return RowCall(unit.function("copy", f"const {element} *x0, {element} *out", body), (Pointer(0),), long_rows=True)


def _gathered(unit: TranslationUnit, stage: Stage, op: Op) -> RowCall:
    """An operator that takes one row more of its first operand."""
    one = one_row(op)
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

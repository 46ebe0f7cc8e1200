"""C for whatever is strided loops, and for softmax."""

from __future__ import annotations

from tinyc.backends.c.calls import pointer, require_float, specialise
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.loops import nest_lines, used_operands
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Pointer, RowCall, Unit
from tinyc.ir.ops.normalise import Softmax
from tinyc.ir.rows import Stage


def emit_loops(unit: Unit, stage: Stage) -> RowCall:
    """Any operator that can be said in loops. Nothing is `restrict`: the result may lie over an operand."""
    op = stage.op.row_op(stage.band, 0) if stage.windows else stage.op
    nests = op.loops()
    if nests is None:
        raise CodegenError(f"{stage.where}: the C backend has no kernel for this operator")
    used = used_operands(nests)
    parameters = [f"{pointer(op.operands[k].dtype)}x{k}" for k in used]
    parameters.append(f"{C_TYPES[op.type.dtype]} *out")
    lines = [line for nest in nests for line in nest_lines(nest, unit.printer)]
    body = "".join(f"    {line}\n" for line in lines)
    function = unit.function(stage.op.mnemonic, ", ".join(parameters), body)
    return RowCall(function, tuple(Pointer(k) for k in used), long_rows=True)


def emit_softmax(unit: Unit, stage: Stage) -> RowCall:
    """Softmax over the last dimension."""
    op = stage.op
    assert isinstance(op, Softmax)
    require_float(stage)
    n = op.type.shape[-1]
    function = specialise(
        unit,
        "softmax",
        "softmax",
        op.type.dtype,
        [(pointer(op.type.dtype), "x"), ("float *", "out")],
        [("count", str(op.type.size // n)), ("n", str(n))],
    )
    return RowCall(function, (Pointer(0),))

"""The run function: the order of work of `RowProgram.schedule`, printed as one loop over rows for each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyc.backends.c.calls import leaves_rows
from tinyc.backends.c.conv import emit_conv2d, emit_dense, emit_depthwise
from tinyc.backends.c.describe import sentence
from tinyc.backends.c.generic import emit_loops, emit_softmax
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.memory import Memory
from tinyc.backends.c.pool import emit_pool
from tinyc.backends.c.quantised import emit_qconv2d, emit_qdense, emit_qdepthwise
from tinyc.backends.c.quantised_values import (
    emit_lookup,
    emit_qadd,
    emit_qavg_pool,
    emit_qmean,
    emit_qmul,
    emit_qsoftmax,
)
from tinyc.backends.c.unit import Argument, Count, Pointer, RowCall, Rows, Unit
from tinyc.ir.op import Op, RowMode, Window
from tinyc.ir.ops import (
    Lookup,
    QAdd,
    QAvgPool2d,
    QConv2d,
    QDense,
    QDepthwiseConv2d,
    QMean,
    QMul,
    QSoftmax,
)
from tinyc.ir.ops.conv import Conv2d, DepthwiseConv2d
from tinyc.ir.ops.linear import Dense
from tinyc.ir.ops.normalise import Softmax
from tinyc.ir.ops.pool import AvgPool2d, MaxPool2d
from tinyc.ir.rows import Stage, row_count

Emitter = Callable[[Unit, Stage], RowCall]

EMITTERS: Mapping[type[Op], Emitter] = {
    Conv2d: emit_conv2d,
    DepthwiseConv2d: emit_depthwise,
    Dense: emit_dense,
    MaxPool2d: emit_pool,
    AvgPool2d: emit_pool,
    Softmax: emit_softmax,
    QConv2d: emit_qconv2d,
    QDepthwiseConv2d: emit_qdepthwise,
    QDense: emit_qdense,
    QAvgPool2d: emit_qavg_pool,
    QMean: emit_qmean,
    QAdd: emit_qadd,
    QMul: emit_qmul,
    Lookup: emit_lookup,
    QSoftmax: emit_qsoftmax,
}
"""The operators with kernels of their own; all others are printed from their loops."""


def run_lines(unit: Unit, memory: Memory) -> list[str]:
    """The statements of the run function after its declarations."""
    lines: list[str] = []
    for number, stage in enumerate(unit.program.stages):
        lines += ["", f"/* {sentence(number, stage)} */"]
        if stage.result.type.size:
            lines += _stage_lines(unit, memory, stage)
            lines.append(f"TINYC_TRACE({number}, {memory.whole(stage.result)}, {stage.result.type.size});")
    return lines


def _stage_lines(unit: Unit, memory: Memory, stage: Stage) -> list[str]:
    call = EMITTERS.get(type(stage.op), emit_loops)(unit, stage)
    if not stage.windows or (call.long_rows and stage.band == stage.rows):
        return [step_call(call, lambda a: _whole(memory, stage, a), memory.whole(stage.result))]
    return _row_loop(unit, memory, stage, call)


def step_call(call: RowCall, argument: Callable[[Argument], str], out: str) -> str:
    """The statement of one step, given how each argument reads at this step."""
    return f"{call.function}({', '.join([*(argument(a) for a in call.arguments), out])});"


def _whole(memory: Memory, stage: Stage, argument: Argument) -> str:
    if isinstance(argument, str):
        return argument
    assert isinstance(argument, Pointer)
    return memory.whole(stage.op.operands[argument.operand])


def _row_loop(unit: Unit, memory: Memory, stage: Stage, call: RowCall) -> list[str]:
    """A loop over output rows. A kernel that takes row pointers gets one row at a time whatever the band."""
    step = stage.band if call.long_rows else 1
    advance = "++y" if step == 1 else f"y += {step}"
    windows = {a.operand: f"rows{a.operand}" if a.operand else "rows" for a in call.arguments if isinstance(a, Rows)}
    counted = {a.operand: "count" for a in call.arguments if isinstance(a, Count)}
    body: list[str] = []
    for operand, name in windows.items():
        body += _window_lines(unit, memory, stage, operand, name, counted.get(operand, ""))

    def argument(a: Argument) -> str:
        if isinstance(a, str):
            return a
        if isinstance(a, Rows):
            return windows[a.operand]
        if isinstance(a, Count):
            return counted[a.operand]
        value = stage.op.operands[a.operand]
        if stage.windows[a.operand] is None:
            return memory.whole(value)
        return memory.row(value, "y", value.type.size // row_count(value))

    out = memory.row(stage.result, "y", stage.result.type.size // row_count(stage.result))
    body.append(step_call(call, argument, out))
    return [f"for (int y = 0; y < {stage.rows}; {advance}) {{", *(f"    {line}" for line in body), "}"]


def _window_lines(unit: Unit, memory: Memory, stage: Stage, operand: int, name: str, count: str) -> list[str]:
    """Fills the array `name` with the row pointers of output row y."""
    value, window = stage.op.operands[operand], stage.windows[operand]
    assert window is not None
    height, row = row_count(value), value.type.size // row_count(value)
    arguments = [name, memory.whole(value), _first_row(window), str(window.size), str(window.dilation)]
    kernel, result = "rows", ""
    if leaves_rows(stage, window, height):
        arguments.append(str(height))
        if window.mode is RowMode.FILL:
            kernel = "fill_rows"
            arguments.insert(2, unit.constants.pad_row(value.dtype, stage.op.row_fill(), row))
        else:
            kernel, result = "clip_rows", f"const int {count} = "
    function = unit.kernels.use(kernel, value.dtype)
    return [
        f"const {C_TYPES[value.dtype]} *{name}[{window.size}];",
        f"{result}{function}({', '.join([*arguments, str(row)])});",
    ]


def _first_row(window: Window) -> str:
    first = "y" if window.stride == 1 else f"y * {window.stride}"
    return f"{first} - {window.pad}" if window.pad else first

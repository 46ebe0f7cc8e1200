"""What of a run is compared between two stages of the compiler: the outputs, and what a saturating last operator took.

A softmax or sigmoid that has saturated hides almost any error before it. Where an output is computed by such an
operator, its operand is observed as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinyc.backends.interpreter.rows import run_program
from tinyc.backends.interpreter.tensor import run_module
from tinyc.ir.module import Module
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.elementwise import Sigmoid, Tanh
from tinyc.ir.ops.normalise import Softmax
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

SATURATING = (Softmax, Sigmoid, Tanh)


def observe(ir: Module | RowProgram, inputs: Sequence[Array]) -> dict[str, Array]:
    """Runs either level; the observed arrays by a description that both levels and all passes share."""
    computed: dict[str, Array] = {}
    if isinstance(ir, Module):
        ops = {n.result.name: n.op for n in ir.nodes}
        outputs = run_module(ir, inputs, lambda value, array: computed.update({value.name: array}))
    else:
        ops = {s.result.name: s.op for s in ir.stages}
        stages = ir.stages
        outputs = run_program(ir, inputs, lambda n, array: computed.update({stages[n].result.name: array}))
    found = {f"output {position}": array for position, array in enumerate(outputs)}
    for position, value in enumerate(ir.outputs):
        op = ops.get(_behind_views(ir, value, ops))
        if isinstance(op, SATURATING):
            taken = computed.get(_behind_views(ir, op.x, ops))
            if taken is not None:
                found[f"operand of the {op.mnemonic} of output {position}"] = taken.reshape(-1)
    return found


def _behind_views(ir: Module | RowProgram, value: Value, ops: Mapping[str, Op]) -> str:
    """The name of the value whose bytes a value shows, when it is that value under another shape."""
    name = value.name
    while True:
        if isinstance(ir, RowProgram):
            view = ir.buffer[name].view
            if name in ops or view is None:
                return name
            name = view.base
        else:
            op = ops.get(name)
            if op is None or not op.is_view():
                return name
            name = op.operands[0].name

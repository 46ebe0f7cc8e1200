"""What of a run is compared between two stages of the compiler: the outputs, and what a saturating last operator took.

A softmax or sigmoid that has saturated hides almost any error before it. Where an output is computed by such an
operator, its operand is observed as well. Of row programs, every result into which no float sum went is observed: no
pass over rows may change a bit of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.backends.interpreter.rows import run_program
from tinyc.backends.interpreter.tensor import run_module
from tinyc.ir.module import Module
from tinyc.ir.op import Accuracy, Op, Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array


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
    if isinstance(ir, RowProgram):
        found |= {f"the digest of %{name}": _digest(computed[name]) for name in _exact(ir) if name in computed}
    for position, value in enumerate(ir.outputs):
        op = ops.get(_behind_views(ir, value, ops))
        # Results that one scale suits whatever the operands are lie between limits that they come ever nearer to.
        if op is not None and op.natural_scale is not None:
            taken = computed.get(_behind_views(ir, op.operands[0], ops))
            if taken is not None:
                found[f"operand of the {op.mnemonic} of output {position}"] = taken.reshape(-1)
    return found


def _digest(array: Array) -> Array:
    """A fingerprint of the bytes of an array: to keep every result itself would take much memory."""
    return np.frombuffer(hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest(), np.uint8)


def _exact(program: RowProgram) -> set[str]:
    """The results that are the same to the bit in whatever parts they are computed: a float sum is not, nor is what it
    went into."""
    rounded: set[str] = set()
    for stage in program.stages:
        sums = stage.result.dtype.is_float and stage.op.accuracy is Accuracy.SUM
        if sums or any(program.root(v.name)[0].name in rounded for v in stage.op.operands):
            rounded.add(program.root(stage.result.name)[0].name)
    return {s.result.name for s in program.stages if program.root(s.result.name)[0].name not in rounded}


def _behind_views(ir: Module | RowProgram, value: Value, ops: Mapping[str, Op]) -> str:
    """The name of the value whose bytes a value shows, when it is that value under another shape."""
    name = value.name
    while True:
        if isinstance(ir, RowProgram):
            view = ir.buffer[name].view
            if name in ops or view is None or ir.buffer[view.base].value.type.size != value.type.size:
                return name
            name = view.base
        else:
            op = ops.get(name)
            if op is None or not op.is_view() or op.operands[0].type.size != value.type.size:
                return name
            name = op.operands[0].name

"""From dequantize, float operator, quantize to integer operators.

What is left in float stands between explicit conversions, and `leftovers` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.module import Module
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.passes.base import Pass, Slack
from tinyc.passes.eliminate_common import EliminateCommon
from tinyc.passes.integerise.boundary import (
    Port,
    int8_inputs,
    int8_outputs,
    pixel_input,
)
from tinyc.passes.integerise.elementwise import add, multiply, scale_channels
from tinyc.passes.integerise.layers import bias_into_layer, convolution, dense
from tinyc.passes.integerise.leftovers import Leftover, find_leftovers
from tinyc.passes.integerise.movement import pad_into_convolution, raise_quantize, sink_dequantize
from tinyc.passes.integerise.pooling import average_pool, mean, softmax
from tinyc.passes.integerise.tables import chain_to_table, merge_tables, table_into_limits
from tinyc.passes.integerise.unsigned import dequantize_from_int8, move_as_int8, quantize_to_int8
from tinyc.passes.rewrite import Rule, rewrite

__all__ = ["Integerise", "Leftover", "Port", "int8_inputs", "int8_outputs", "leftovers", "pixel_input"]

RULES: tuple[Rule, ...] = (
    quantize_to_int8,
    dequantize_from_int8,
    move_as_int8,
    sink_dequantize,
    raise_quantize,
    chain_to_table,
    bias_into_layer,
    convolution,
    dense,
    scale_channels,
    add,
    multiply,
    average_pool,
    mean,
    softmax,
    merge_tables,
    table_into_limits,
    pad_into_convolution,
)


STEPS = 12
"""Steps by which an integer output may move: one a layer, which layers of a deep network add up to."""


@dataclass(frozen=True)
class Integerise(Pass, name="integerise"):
    """Computes on integers what stands between dequantize and quantize.

    Modules without conversions are left alone.
    """

    slack = Slack(
        0.1,
        "float rounds a result once, integer arithmetic twice: every value may move by one quantisation step, and a "
        "deep network adds these up",
        steps=STEPS,
    )

    def run(self, module: Module) -> Module:
        if not any(isinstance(n.op, (Dequantize, Quantize)) for n in module.nodes):
            return module
        # A name stays with the value it had: what is made here can be held against what it was made of.
        names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
        while True:
            # Rules look for single uses, which equal conversions would hide.
            after = rewrite(EliminateCommon().run(module), RULES, names)
            if after is module:
                return module
            module = after


def leftovers(module: Module) -> list[Leftover]:
    """The operators that `integerise` left in float, with the reasons."""
    return find_leftovers(module, RULES)

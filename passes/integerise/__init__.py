"""From dequantize, float operator, quantize to integer operators.

What is left in float stands between explicit conversions, and `leftovers` says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.module import Module
from tinyc.ir.ops.quantise import is_quantised
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.rewrite import Rule, rewrite
from tinyc.passes.integerise import elementwise, layers, pooling, products  # they say what computes each operator
from tinyc.passes.integerise.boundary import ScaledPort, int8_inputs, int8_outputs, pixel_input
from tinyc.passes.integerise.comparing import (
    at_most_in_integers,
    boolean_as_number,
    chain_to_integers,
    choose_in_integers,
    equal_in_integers,
    less_in_integers,
    rank_integers,
)
from tinyc.passes.integerise.leftovers import Leftover, find_leftovers
from tinyc.passes.integerise.movement import pad_into_convolution, raise_quantize, sink_dequantize
from tinyc.passes.integerise.normalising import normalise_in_integers
from tinyc.passes.integerise.patterns import compute_in_integers
from tinyc.passes.integerise.rectifying import rectify_in_integers
from tinyc.passes.integerise.tables import chain_to_table, merge_tables, table_into_limits
from tinyc.passes.integerise.unsigned import RULES as UNSIGNED
from tinyc.passes.integerise.unsigned import UnsignedToSigned
from tinyc.passes.integerise.wide_tables import clamp_into_limits
from tinyc.passes.tensor.eliminate_common import EliminateCommon

__all__ = [
    "Integerise",
    "Leftover",
    "ScaledPort",
    "UnsignedToSigned",
    "elementwise",
    "int8_inputs",
    "int8_outputs",
    "layers",
    "leftovers",
    "pixel_input",
    "pooling",
    "products",
]

RULES: tuple[Rule, ...] = (
    *UNSIGNED,
    sink_dequantize,
    raise_quantize,
    chain_to_table,
    layers.bias_into_layer,
    normalise_in_integers,
    rectify_in_integers,
    choose_in_integers,
    products.scaled_product,
    compute_in_integers,
    merge_tables,
    table_into_limits,
    clamp_into_limits,
    pad_into_convolution,
    rank_integers,
    less_in_integers,
    equal_in_integers,
    chain_to_integers,
    at_most_in_integers,
    boolean_as_number,
)


@dataclass(frozen=True)
class Integerise(Pass, name="integerise"):
    """Computes on integers what stands between dequantize and quantize.

    Modules without conversions are left alone.
    """

    slack = Slack(
        2e-5,
        "float rounds a result once, integer arithmetic twice: on the same operands it may give the next integer",
        steps=1,
    )
    keeps_names = True

    def run(self, module: Module) -> Module:
        if not is_quantised(module):
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

"""Integer operators against what the quantised module means, layer by layer, on the same integers.

Each operator is run on the integers that the reference (onnxruntime, on the module as QDQ) has before it. Its result is
held against three things: exact integer arithmetic, bit for bit; the real number that the definition gives before it is
rounded; and that number rounded, from which onnxruntime's integers are not far either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import arithmetic, recurrent  # noqa: F401 (registers its arithmetic)
from tinyc.compiler.witness.comparison import Witnessed, check_region
from tinyc.compiler.witness.factors import check_factors
from tinyc.compiler.witness.layers import check_layer, check_softmax
from tinyc.compiler.witness.regions import find_regions
from tinyc.compiler.witness.rounding import check_rounding
from tinyc.compiler.witness.session import QdqModel
from tinyc.compiler.witness.tables import check_table
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.op import Op, Value
from tinyc.ir.tensor import Array
from tinyc.passes.tensor.eliminate_common import EliminateCommon

CONSTANTS = (check_layer, check_factors, check_table, check_softmax)
"""What compares the constants of a region, if they are of a kind that it knows."""


def check_integers(
    quantised: Module,
    integers: Module,
    samples: Sequence[Sequence[Array]],
    say: Callable[[str], None],
    plain: Module | None = None,
) -> Witnessed:
    """Holds every integer operator against its definition.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: what has been made of it.
        samples: inputs of both.
        say: told what is being done.
        plain: what onnxruntime is given: the quantised module while its recurrent layers were float operators. The same
            by default.

    Raises:
        VerificationError: an operator differs by more than rounding explains; the message names the layer.
    """
    quantised = EliminateCommon().run(quantised)
    regions, left = find_regions(quantised, integers)
    found = Witnessed(layers=sum(r.quantize is not None for r in regions))
    found.left = [n.where for n in left if arithmetic.computes(n.op)]
    for region in regions:
        found.constants += any(check(region) for check in CONSTANTS)
    say("check the integer arithmetic")
    check_rounding(integers)
    wanted = dict.fromkeys(v for r in regions for v in (r.definition.result, *(meant for _, meant in r.taken)))
    reference: QdqModel | None = None
    try:
        reference = QdqModel(quantised if plain is None else EliminateCommon().run(plain), list(wanted))
        found.reference = 0.0
    except TinycError as error:
        found.because = str(error)
    operators: set[Value] = set()
    for sample in samples:
        say("check the integer layers")
        own: dict[Value, Array] = dict(zip(integers.inputs, sample, strict=True))
        run_module(integers, sample, own.__setitem__)
        known: Mapping[Value, Array] = {}
        if reference is not None:
            known = {**reference.run(sample), **dict(zip(quantised.inputs, sample, strict=True))}
        for node in integers.nodes:
            if _check_arithmetic(node.op, node.where, [own[v] for v in node.op.operands], own[node.result]):
                operators.add(node.result)
        for region in regions:
            check_region(region, own, known, found)
    found.left = list(dict.fromkeys(found.left))
    found.arithmetic = len(operators)
    return found


def _check_arithmetic(op: Op, where: str, operands: Sequence[Array], result: Array) -> bool:
    """Whether an operator computes on integers; raises when its result is not that of exact arithmetic."""
    exact = arithmetic.compute(op, operands)
    if exact is None:
        return False
    wrong = exact.integers != result
    if wrong.any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        raise VerificationError(
            f"{where}: the interpreter's integers are not those of exact arithmetic: element {list(at)} is "
            f"{result[at]}, exactly {exact.integers[at]} ({int(wrong.sum())} of {wrong.size} elements differ)"
        )
    return True

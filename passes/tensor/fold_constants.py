"""Constant folding: what does not depend on an input is computed at compile time."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.constant import Constant
from tinyc.ir.module import Module, Node, made
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.tensor import Tensor
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, rewrite


@dataclass(frozen=True)
class FoldConstants(Pass, name="fold-constants"):
    """Evaluates operators whose operands are all constants.

    The value is the operator's own meaning (`Op.run`), so it is what the interpreter would compute. A constant takes
    flash: an operator that makes much of little, a broadcast say, is left to run time.
    """

    max_growth: int = 1024
    """Bytes by which a result may exceed its operands together."""
    scales: bool = False
    """Whether to evaluate the dequantize of a constant too, of any size. Before `integerise` has run, that would lose
    the integers that it computes with; what it leaves in float computes with floats."""

    def run(self, module: Module) -> Module:
        def fold(node: Node, rewriter: Rewriter) -> Answer:
            """Evaluate constant operands."""
            op = node.op
            arrays = [rewriter.constant(v) for v in op.operands]
            if op.constant() is not None or any(a is None for a in arrays):
                return None
            scaled = made(node, Dequantize) is not None
            if scaled and not self.scales:
                return Skip("its integers may be needed")
            growth = op.type.bytes - sum(v.type.bytes for v in op.operands)
            if growth > self.max_growth and not scaled:
                return Skip(f"the constant would be {growth} bytes larger than its operands")
            return Replaced(Constant(Tensor(op.run([a for a in arrays if a is not None]))))

        return rewrite(module, [fold])

"""What stays in float after `integerise`, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import StaysFloat, Value
from tinyc.ir.ops.quantise import Conversion, Dequantize, Quantize
from tinyc.passes.core.rewrite import Replaced, Rewriter, Rule, Skip, rewrite


@dataclass(frozen=True)
class Leftover:
    """An operator that computes in float, and the reason."""

    node: Node
    reason: str

    def __str__(self) -> str:
        return f"{self.node.where}: {self.reason}"


def find_leftovers(module: Module, rules: Sequence[Rule]) -> list[Leftover]:
    """The operators on floats of a module to which none of the rules applies any more."""
    reasons: dict[Value, str] = {}

    def noting(rule: Rule) -> Rule:
        def noted(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
            answer = rule(node, rewriter)
            if isinstance(answer, Skip):
                reasons.setdefault(node.result, answer.reason)
            return answer

        return noted

    rewrite(module, [noting(rule) for rule in rules])
    return [Leftover(n, _reason(module, n, reasons)) for n in module.nodes if _computes_in_float(n)]


def _computes_in_float(node: Node) -> bool:
    if node.op.constant() is not None or made(node, Conversion) is not None:
        return False
    return node.result.dtype.is_float or any(v.dtype.is_float for v in node.op.operands)


def _reason(module: Module, node: Node, reasons: dict[Value, str]) -> str:
    """What a rule said of the operator or of the quantize behind it, else what is missing around it."""
    told = [reasons[r] for r in (node.result, *(u.result for u in module.users[node.result])) if r in reasons]
    if told:
        return told[0]
    for value in node.op.operands:
        known = module.constant(value) is not None or module.made(value, Dequantize) is not None
        if value.dtype.is_float and not known:
            return f"its operand {value} is not quantised"
    users = module.users[node.result]
    if node.result in module.outputs or not all(made(u, Quantize) for u in users):
        return f"its result {node.result} is not quantised"
    form = node.op.quantised()
    return form.reason if isinstance(form, StaysFloat) else f"{node.op.mnemonic} has no integer form here"

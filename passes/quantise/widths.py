"""Which values are int16, of those that a quantised module has: all that can be, or the results of some operators."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.passes.core.base import PassError
from tinyc.passes.core.rewrite import tell
from tinyc.passes.quantise.units import Unit, named_results


@dataclass(frozen=True)
class Widths:
    """What is to be int16.

    Attributes:
        names: names of ONNX nodes whose results are, and of inputs of the network that are.
        everywhere: all values that can be.
        results: names of the module's own values that are.
    """

    names: tuple[str, ...] = ()
    everywhere: bool = False
    results: tuple[str, ...] = ()

    def values(self, module: Module, units: Sequence[Unit]) -> set[Value]:
        """The values that are to be int16: operands and results of units.

        Raises:
            PassError: there is no operator or input of a name, or it is computed by no unit that has a 16-bit form.
        """
        if self.everywhere:
            return {v for u in units if u.wide for v in (*u.operands, u.result)} - _narrow(units)
        inputs = {v.name: v for v in module.inputs}
        nodes = [name for name in self.names if name not in inputs]
        found = {inputs[name] for name in self.names if name in inputs}
        found |= {v for u in units for v in (*u.operands, u.result) if v.name in self.results}
        owners = {n.result: u for u in units for n in u.nodes}
        for name in nodes:
            results = named_results(module, [name], "be int16")
            own = [owners[n.result] for n in module.nodes if n.result in results and n.result in owners]
            if not own:
                raise PassError(f"{name!r} is not quantised, so that its result cannot be int16")
            if not own[-1].wide:
                where = own[-1].nodes[-1].where
                raise PassError(f"{where} has no form for 16 bits: raise what it takes or what takes its result")
            found |= {u.result for u in own if u.wide}
        return found


NONE = Widths()
"""All values are int8."""


def _narrow(units: Sequence[Unit]) -> set[Value]:
    """The results of units that have no 16-bit form."""
    return {u.result for u in units if not u.wide}


def settled(members: Collection[Value], wanted: Collection[Value], makers: Mapping[Value, Unit]) -> bool:
    """Whether values that share a scale are int16: one is to be, and whatever computes one of them can give that."""
    if not any(v in wanted for v in members):
        return False
    stuck = [u for v in members if (u := makers.get(v)) is not None and not u.wide]
    for unit in stuck:
        node: Node = unit.nodes[-1]
        tell(f"{node.where} has no form for 16 bits, and what shares its scale stays int8 with it")
    return not stuck

"""Dead code elimination."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.module import Module
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import remove_dead


@dataclass(frozen=True)
class EliminateDead(Pass, name="eliminate-dead"):
    """Drops nodes that no output needs. Inputs stay, used or not: they are the model's interface."""

    def run(self, module: Module) -> Module:
        return remove_dead(module)

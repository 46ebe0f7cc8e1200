"""Dead code elimination."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.module import Module, remove_dead
from tinyc.passes.core.base import Pass


@dataclass(frozen=True)
class EliminateDead(Pass, name="eliminate-dead"):
    """Drops nodes that no output needs. Inputs stay, used or not: they are the model's interface."""

    def run(self, module: Module) -> Module:
        return remove_dead(module)

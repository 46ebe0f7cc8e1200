"""How much work a search may do, counted in steps, not by the clock: results do not depend on the machine."""

from __future__ import annotations

from dataclasses import dataclass

STEPS_PER_SECOND = 1_000_000
"""About what one core of a desktop computer does; a step is some ten operations of the Python interpreter."""


@dataclass
class Budget:
    """Steps that are left. A search takes what it uses, and stops when nothing is left."""

    steps: int

    @staticmethod
    def of(seconds: float) -> Budget:
        """The steps that take about so many seconds."""
        return Budget(max(0, round(seconds * STEPS_PER_SECOND)))

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return self.steps <= 0

    def take(self, steps: int) -> None:
        """Counts work that was done."""
        self.steps -= steps

"""What one case costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any

from benchmarks.instructions.cases import Limits
from tinyc.compiler.session.measure import MeasuredLayer


@dataclass(frozen=True)
class Plain:
    """What a network takes without a chip's own instructions."""

    instructions: int
    arena: int


@dataclass(frozen=True)
class Row:
    """What one case costs with one set of flags. Sizes are bytes.

    Attributes:
        case: its name.
        by: whose C it is.
        machine: what it ran on.
        target: what it was compiled for.
        macs: multiply-accumulates of the network.
        weights: what layers multiply with, in the network's own type.
        flags: options of the C compiler.
        instructions: of one inference.
        code: functions, without the C library.
        constants: all constants of the program, those and others: biases, multipliers, tables, rows of padding.
        stack: of one inference.
        arena: of one inference; 0 for the C of others.
        limits: what is asked of it at most.
        layers: instructions layer by layer; none for the C of others.
        pointwise: instructions of a multiply-accumulate in the pointwise layer of `MANY` inputs or more that takes most
            of them; None without such a layer, and for the C of others.
        scratch: what of the arena is scratch memory for a layer, the largest.
        plain: what the C without MAC16 and vectors takes, where that is asked for.
        skipped: why it was not counted; empty where it was.
    """

    case: str
    by: str
    machine: str
    target: str
    macs: int
    weights: int
    flags: str = ""
    instructions: int = 0
    code: int = 0
    constants: int = 0
    stack: int = 0
    arena: int = 0
    limits: Limits = field(default_factory=Limits)
    layers: tuple[MeasuredLayer, ...] = ()
    pointwise: float | None = None
    scratch: int = 0
    plain: Plain | None = None
    skipped: str = ""

    @property
    def growth(self) -> float | None:
        """By which part the arena is larger than that of the C without MAC16 and vectors."""
        return self.arena / self.plain.arena - 1 if self.plain else None

    @property
    def per_mac(self) -> float:
        """Instructions for each multiply-accumulate."""
        return self.instructions / self.macs

    @property
    def beside(self) -> float:
        """Constants beside the weights, as a part of these."""
        return (self.constants - self.weights) / self.weights

    @property
    def judged(self) -> dict[str, tuple[float, float]]:
        """What is asked, as `Limits` names it: what it is, and what it may be at most. What it does not have is
        infinite."""
        if self.skipped:
            return {}
        limits = self.limits
        pairs = {
            "instructions": (self.instructions, limits.instructions_of(self.macs)),
            "per_mac": (self.per_mac, limits.per_mac),
            "code": (self.code, limits.code),
            "beside": (self.beside, limits.beside),
            "pointwise": (self.pointwise, limits.pointwise),
            "growth": (self.growth, limits.growth),
        }
        return {name: (inf if own is None else own, most) for name, (own, most) in pairs.items() if most is not None}

    def missed(self) -> list[str]:
        """The limits that it does not keep."""
        return [name for name, (found, limit) in self.judged.items() if found > limit]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        if self.skipped:
            return {"case": self.case, "machine": self.machine, "skipped": self.skipped}
        asked = {**asdict(self.limits), "instructions": self.limits.instructions_of(self.macs)}
        own = {"instructions_per_mac": round(self.per_mac, 4), "beside": round(self.beside, 4), "growth": self.growth}
        return {**asdict(self), **own, "limits": asked, "missed": self.missed()}

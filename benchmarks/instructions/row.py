"""What one case costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.instructions.cases import Limits
from tinyc.compiler.session.measure import MeasuredLayer


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

    @property
    def per_mac(self) -> float:
        """Instructions for each multiply-accumulate."""
        return self.instructions / self.macs

    @property
    def beside(self) -> float:
        """Constants beside the weights, as a part of these."""
        return (self.constants - self.weights) / self.weights

    def missed(self) -> list[str]:
        """The limits that it does not keep, as `Limits` names them."""
        most = self.limits.instructions_of(self.macs)
        pairs = {
            "instructions": (self.instructions, most),
            "code": (self.code, self.limits.code),
            "beside": (self.beside, self.limits.beside),
        }
        return [name for name, (found, limit) in pairs.items() if limit is not None and found > limit]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        most = self.limits.instructions_of(self.macs)
        asked = {"instructions": most, "code": self.limits.code, "beside": self.limits.beside}
        own = {"instructions_per_mac": round(self.per_mac, 4), "beside": round(self.beside, 4)}
        return {**asdict(self), **own, "limits": asked, "missed": self.missed()}

"""What generated C is tuned for: speed or size, and the registers of a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Optimize = Literal["speed", "balanced", "size"]

_NOTHING: frozenset[str] = frozenset()
_LIMITS = frozenset({"zero", "low", "high"})
_SHARED: Mapping[Optimize, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        # Every geometry has a function of its own.
        "speed": {},
        # Layers with as many inputs share a function: what its inner loop needs stays a literal.
        "balanced": {"qpointwise": _LIMITS | {"tiles", "outputs", "quads"}},
        # One function for all layers of a kind.
        "size": {
            "qpointwise": _LIMITS | {"tiles", "spare", "outputs", "quads"},
            "qdepthwise3x3": _LIMITS | {"width", "out_width", "channels", "fill"},
            "qdepthwise3x3s2": _LIMITS | {"width", "out_width", "channels", "fill"},
        },
    }
)
"""By kernel, the literals that are arguments at run time, so that layers that differ in nothing else share one
function."""


@dataclass(frozen=True)
class Tuning:
    """What C is tuned for.

    Attributes:
        optimize: "speed" specialises kernels for each layer; "size" shares them between layers; "balanced" shares where
            that costs few instructions.
        tile: pixels of a register tile of four output channels.
        paired_tile: the same where one multiplication gives the products of two channels, which takes more registers;
            0 for a core that does not gain by it.
    """

    optimize: Optimize = "balanced"
    tile: int = 4
    paired_tile: int = 3

    def handed(self, kernel: str) -> frozenset[str]:
        """The literals of a kernel that are arguments at run time."""
        return _SHARED[self.optimize].get(kernel, _NOTHING)

    @property
    def one_by_one(self) -> bool:
        """Whether pixels that are left of a row of tiles have no tile of their own."""
        return self.optimize == "size"

    @property
    def pairs(self) -> bool:
        """Whether kernels are to pair weights: it takes functions of its own."""
        return bool(self.paired_tile) and self.optimize != "size"


DEFAULT = Tuning()

"""What generated C is tuned for: speed or size, and what a core has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from tinyc.backends.c.tuned import Choices

Optimize = Literal["speed", "balanced", "size"]

_NOTHING: frozenset[str] = frozenset()
_RESULT = frozenset({"zero", "low", "high"})
_SHIFTS = frozenset({"shifts"})
_LIMITS = _RESULT | _SHIFTS
_FLOATS = frozenset({"inputs", "outputs", "larger", "smaller"})
_SUM = frozenset({"n", "a", "b", "start", "places"})
"""What the loop of a sum has in registers anyway."""
_INNER = frozenset({"quads"})
"""What the inner loop of a pointwise convolution needs."""
_CHANNELS = frozenset({"channels"})
_WORTH = 0.25
"""The part of a network's multiply-accumulates from which on layers with as many inputs have a function of their own,
and those with as many pixels code for what tiles leave over. The first saves about 0.06 instructions for each, of about
three, the second 0.15; they take about 1.1 KB on rv32imc."""
_GROWTH = 0.03
"""By which part of its size the arena may grow."""
_MAC16: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "qmac16_pointwise": frozenset({"pixels", "band", "quads", "outputs"}),
        "qmac16_depthwise3x3": frozenset({"band", "width", "channels", "out_width", "fill"}),
    }
)
"""Their inner loops are instructions that the compiler does not change: sizes cost nothing at run time."""
_SHARED: Mapping[Optimize, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        # Every geometry has a function of its own.
        "speed": {},
        # Pointwise layers share one; depthwise ones lose more by that than they save.
        "balanced": {
            "pointwise": _FLOATS,
            "qpointwise": _LIMITS | {"tiles", "outputs", "quads"},
            "wpointwise": _LIMITS | {"tiles", "outputs"},
            **dict.fromkeys(("qconv2d", "qdepthwise", "qdepthwise3x3", "qdepthwise3x3s2"), _SHIFTS),
            "qadd_whole": _SUM,
            "qpie_pixels": frozenset({"pixels", "next", "elements", "outputs", "blocks"}),
            **_MAC16,
        },
        # One function for all layers of a kind.
        "size": {
            "pointwise": _FLOATS,
            "qadd_whole": _SUM,
            "qlean": _LIMITS | {"pixels", "inputs", "outputs"},
            "wpointwise": _LIMITS | {"tiles", "inputs", "outputs"},
            "wdepthwise3x3": _LIMITS | {"width", "out_width", "channels", "fill"},
            "qdepthwise3x3": _LIMITS | {"width", "out_width", "channels", "fill"},
            "qdepthwise3x3s2": _LIMITS | {"width", "out_width", "channels", "fill"},
            **{kernel: sizes | _RESULT for kernel, sizes in _MAC16.items()},
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
        fpu: whether it computes with floats in hardware.
        fma: whether it has fused multiply-adds of floats.
        pie: whether it has the vector instructions of the ESP32-S3.
        float_registers: how many of floats it has; 0 for one that computes with floats in software.
        mac16: whether it has the MAC16 option of Xtensa cores.
        choices: what was measured to be better for layers of some shapes than what follows from these; left aside for
            "size".
    """

    optimize: Optimize = "balanced"
    tile: int = 4
    paired_tile: int = 3
    fpu: bool = True
    fma: bool = False
    float_registers: int = 0
    mac16: bool = False
    pie: bool = False
    choices: Choices = field(default_factory=Choices)

    def handed(self, kernel: str, own_loop: bool = False, small: bool = False) -> frozenset[str]:
        """The literals of a kernel that are arguments at run time. With `own_loop`, those of the inner loop stay
        literals; with `small`, layers count little, and share code even if that costs instructions."""
        more = _CHANNELS if small and self.optimize == "balanced" else _NOTHING
        return (_SHARED[self.optimize].get(kernel, _NOTHING) | more) - (_INNER if own_loop else _NOTHING)

    def pays(self, part: float) -> bool:
        """Whether layers with such a part of the network's multiply-accumulates are worth code of their own."""
        return self.optimize == "speed" or (self.optimize == "balanced" and part >= _WORTH)

    @property
    def growth(self) -> float:
        """By which part of its size the arena may grow for scratch memory of kernels: where they have instructions that
        are worth it."""
        return _GROWTH if self.mac16 else 0.0

    @property
    def vectors(self) -> bool:
        """Whether kernels may take the vector instructions of the ESP32-S3: they are functions of their own."""
        return self.pie and self.optimize != "size"

    @property
    def pairs(self) -> bool:
        """Whether kernels may pair weights: it takes functions of its own."""
        return bool(self.paired_tile) and self.optimize != "size"


DEFAULT = Tuning()

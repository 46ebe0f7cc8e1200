"""Each kind of operator between two layers: in integers, and as accurate as 8 bits allow."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.kinds import KINDS, data_of, figures, of_16_bits, quantised
from benchmarks.accuracy.shaped import GATES

ENOUGH = 30.0
"""Decibels."""
FLOATS = {
    "Pow": "the exponents are activations",
    "Pow_channels": "each channel has an exponent",
    "ReduceProd": "a product of many activations has no range of integers",
}
"""Kinds that stay in float, and why."""
JUMPS = {
    *("Floor", "Ceil", "Round", "Sign", "ThresholdedRelu", "Shrink", "Mod", "Mod_number", "Greater_Cast"),
    *("Less_Where", "LessOrEqual_Where", "Greater_Where_number", "Greater_number_Where", "Equal_Where"),
    *("And_Where", "Or_Where", "Xor_Where"),
}
"""Kinds whose results jump where the operand is a step off."""
COARSE = {"Exp", "Sinh", "Mul", "Gemm_two"}
"""Kinds of whose results 8 bits hold too little: they grow, or are products."""
BETWEEN = {
    "GlobalAveragePool": (28.0, "channels that equalisation makes larger reach further than in what calibrates"),
    "Attention_spelt": (29.0, "scores have 8 bits, and so have what softmax makes of them"),
    "CumSum": (29.0, "sums that go on are small at one end and large at the other, in one scale"),
}
"""Kinds that come short of that by a little, and what they reach."""
ENOUGH_WIDE = 50.0
"""Decibels, of activations of 16 bits."""
FLIPS = {
    *("Floor", "Round", "Sign", "ThresholdedRelu", "Shrink", "Equal_Where", "And_Where", "Xor_Where"),
}
"""Kinds of whose samples some number lies so near a jump that a step of int16 decides."""
FLOATS_WIDE = {
    **FLOATS,
    "Round": "a table has no room for as many jumps",
    "Mod": "two activations are compared",
    "Gather_by_input": "an index is made of an activation",
    **dict.fromkeys(name for name in JUMPS if name.endswith("_Where") or "_Where_" in name),
}
"""Kinds of which something stays in float with activations of 16 bits; what compares has no form for these."""
GATES_WIDE = 70.0
"""What recurrent layers have: nothing but their tables and 15 places is in the way."""
NEAR = 4.0
"""Decibels by which random roundings make one network better or worse than another."""


@pytest.mark.parametrize("name", KINDS)
def test_a_kind(name: str) -> None:
    found = figures(KINDS[name])
    assert bool(found.floats) == (name in FLOATS), found.floats
    if name in JUMPS | COARSE:
        assert found.ceiling < ENOUGH
        assert found.sqnr > found.ceiling - NEAR
    else:
        assert found.sqnr >= BETWEEN.get(name, (ENOUGH, ""))[0]


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_of_16_bits(name: str) -> None:
    found = of_16_bits(KINDS[name])
    assert bool(found.floats) == (name in FLOATS_WIDE), found.floats
    least = 25.0 if name in FLIPS else GATES_WIDE if name.startswith(tuple(GATES)) else ENOUGH_WIDE
    assert found.activations >= least


def test_all_are_measured() -> None:
    assert len(KINDS) > 150
    assert {*FLOATS, *FLOATS_WIDE, *JUMPS, *FLIPS, *COARSE, *BETWEEN} <= KINDS.keys()


VERIFIED = ("GroupNorm_channels", "MeanVariance", "LpNorm_2", "Attention_mask_infinite", "LessOrEqual_Where", "Pad")
PLACED = ("TopK", "ArgMax_taken", "CumSum", "Scatter_nd", "Grid_sample")


@pytest.mark.parametrize("name", [*VERIFIED, *PLACED])
def test_a_kind_verified(name: str) -> None:
    """Passes, constants, layers and C as well: a difference would raise."""
    compiled = quantised(KINDS[name], data_of(KINDS[name]), verify=True).compilation
    assert not compiled.report["witness"]["without_definition"]

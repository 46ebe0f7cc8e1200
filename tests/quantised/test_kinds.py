"""Each kind of operator between two layers: in integers, and as accurate as 8 bits allow."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.kinds import KINDS, data_of, figures, quantised

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
    "LpPool": (25.0, "squares have 8 bits before roots are taken of their means, which of small ones are coarse"),
    "GlobalAveragePool": (28.0, "channels are scaled to ranges that are those of pixels, not of their means"),
    "Attention_spelt": (29.0, "scores have 8 bits, and so have what softmax makes of them"),
    "CumSum": (29.0, "sums that go on are small at one end and large at the other, in one scale"),
    "Resize_cubic": (29.0, "rows are interpolated before columns, of four products of 8 bits each"),
}
"""Kinds of several operators, with 8 bits between these, and what they reach."""
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


def test_all_are_measured() -> None:
    assert len(KINDS) > 150
    assert {*FLOATS, *JUMPS, *COARSE, *BETWEEN} <= KINDS.keys()


VERIFIED = ("GroupNorm_channels", "MeanVariance", "LpNorm_2", "Attention_mask_infinite", "LessOrEqual_Where", "Pad")
PLACED = ("TopK", "ArgMax_taken", "CumSum", "Scatter_nd", "Grid_sample")


@pytest.mark.parametrize("name", [*VERIFIED, *PLACED])
def test_a_kind_verified(name: str) -> None:
    """Passes, constants, layers and C as well: a difference would raise."""
    compiled = quantised(KINDS[name], data_of(KINDS[name]), verify=True).compilation
    assert not compiled.report["witness"]["without_definition"]

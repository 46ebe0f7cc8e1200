"""Layers that compute some of their channels at a time, for a reduction of all pixels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.c.test_streaming import compare
from tests.passes.stream.support import SAME, Case, planned
from tests.passes.stream.test_schedules import check
from tests.rows import PLACES, Network, lowered, maker_of, pointwise
from tinyc.ir import DType, ops
from tinyc.ir.rows import RowProgram
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.stream import Stream
from tinyc.passes.stream.by_channels import MOST, by_channels
from tinyc.passes.stream.stream import candidates, variants

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
WINDOWS: dict[str, dict[str, Any]] = {
    "3x3": {"kernel": (3, 3), **SAME},
    "2x5": {"kernel": (2, 5), "strides": (2, 1), "pads": (0, 1, 1, 2), "dilations": (1, 2)},
}


def reduced(dtype: DType, outputs: int, window: str, place: InputPlace = "argument") -> tuple[Network, RowProgram]:
    """A mean over all pixels of a convolution, and a layer behind that."""
    maker = maker_of(outputs, dtype)
    wide = maker.conv(maker.input((1, 9, 12, 3)), groups=1, outputs=outputs, **WINDOWS[window])
    mean = maker.add(ops.ReduceMean(wide, (1, 2))) if dtype is DType.F32 else maker.mean(wide)
    network = Network(maker.builder.build([pointwise(maker, mean, 2)]), maker.arrays)
    return network, lowered(network.module, place)


def least(program: RowProgram) -> int:
    """The bytes that the search finds for just these stages."""
    plan = planned(Stream().of(program, candidates(program))).plan
    assert plan is not None
    return plan.bytes


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("outputs", [5, 32, 70])
@DTYPES
def test_parts_of_channels_keep_the_meaning(dtype: DType, outputs: int, window: str) -> None:
    network, whole = reduced(dtype, outputs, window)
    program = by_channels(whole)
    parts = (len(program.stages) - len(whole.stages)) // 2 + 1
    assert 2 <= parts <= MOST
    check(Case(f"{outputs} channels", network, whole), Stream().of(program, candidates(program)))


@pytest.mark.parametrize("place", PLACES)
@DTYPES
def test_the_search_takes_them_where_they_need_less(dtype: DType, place: InputPlace) -> None:
    network, whole = reduced(dtype, 32, "3x3", place)
    chosen = planned(Stream().run(whole))
    assert chosen.plan is not None
    assert len(chosen.stages) == len(by_channels(whole).stages)
    assert chosen.plan.bytes == least(by_channels(whole))
    assert chosen.plan.bytes < min(least(program) for program in variants(whole)[:-1])
    compare(network, chosen, "clang-sanitize")


def test_what_has_no_parts() -> None:
    """Few channels, results that somebody else needs, channels that need each other, weights that are computed."""
    for change in ("few", "output", "depthwise", "groups", "softmax", "computed"):
        maker = maker_of(3, DType.F32)
        x = maker.input((1, 6, 8, 8))
        if change == "depthwise":
            x = maker.depthwise(x, kernel=(3, 3), each=2, **SAME)
        elif change == "computed":
            x = maker.add(ops.Conv2d(x, maker.input((16, 3, 3, 8)), None, **SAME))
        else:
            groups, outputs = 2 if change == "groups" else 1, 4 if change == "few" else 16
            x = maker.conv(x, kernel=(3, 3), groups=groups, outputs=outputs, **SAME)
        if change == "softmax":
            mean = maker.add(ops.Softmax(x))
        else:
            mean = maker.add(ops.ReduceMean(x, (1, 2)))
        program = lowered(maker.builder.build([mean, x] if change == "output" else [mean]))
        assert by_channels(program) is program, change
        assert all(p.macs() == program.macs() for p in variants(program)), change

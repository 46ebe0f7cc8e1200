"""What parts of a network layers have, by which code of their own is weighed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.c.quantised import Maker
from tests.c.support import lowered
from tinyc.backends.c import generate
from tinyc.backends.c.shares import LARGE, Shares, shares_of
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir.rows import RowProgram

PIXEL = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}


@pytest.mark.parametrize("everything", [LARGE // 9, LARGE, 10 * LARGE])
def test_a_quarter_of_a_network_or_many(everything: int) -> None:
    """Of a large network, less than a quarter is worth as much code as a quarter of a smaller one."""
    quarter = -(-min(everything, LARGE) // 4)
    for macs, pays in ((quarter, True), (quarter * 9 // 10, False)):
        assert Tuning().pays(Shares(Counter({64: macs}), all=everything).with_inputs(64)) == pays


def test_rests_are_those_of_larger_tiles() -> None:
    """196 pixels are 98 tiles of two, 65 of three and one; 36 are whole tiles of both."""
    found = Shares(pixels=Counter({196: 30, 36: 60}), all=100)
    assert found.with_rests(3, 196) == pytest.approx(0.3)
    assert found.with_rests(3, 36) == found.with_rests(2, 196) == Shares().with_rests(3, 196) == 0
    assert Shares().with_inputs(8) == 0


@pytest.mark.parametrize(("others", "own"), [(2, True), (6, False)])
def test_layers_with_many_inputs_have_a_loop_of_their_own(others: int, own: bool) -> None:
    maker, outputs = Maker(np.random.default_rng(0)), []
    for inputs in (32, *[24] * others):
        x = maker.input((1, 8, 8, inputs))
        outputs.append(maker.conv(x, "ordinary", kernel=(1, 1), groups=1, outputs=16, **PIXEL))
    program = lowered(maker.builder.build(outputs))
    assert shares_of(program, 4).inputs == {32: 32 * 1024, 24: 24 * 1024 * others}
    text = generate(program, name="net", tuning=Tuning(tile=4)).files["net.c"]
    assert ("/*quads=*/8" in text) == own
    assert "/*quads=*/6" in text


def compare(maker: Maker, program: RowProgram, tuning: Tuning) -> str:
    """The C, once it has computed what the interpreter does."""
    source = generate(program, name="net", tuning=tuning)
    for got, want in zip(HostRunner(source).run([maker.arrays])[0], run_program(program, maker.arrays), strict=True):
        assert np.array_equal(got, want)
    return source.files["net.c"]


@pytest.mark.parametrize(("large", "share"), [(64, True), (2, False)])
@pytest.mark.parametrize("stride", [1, 2])
def test_small_depthwise_layers_share_code(stride: int, large: int, share: bool) -> None:
    """Those of other channels and the same rows, where they count little."""
    maker = Maker(np.random.default_rng(1))
    same = {"strides": (stride, stride), "pads": (1, 1, 1, 1), "dilations": (1, 1), "zero": -128, "out_zero": 3}
    same |= {"min": -128, "max": 127}
    outputs = [
        maker.depthwise(maker.input((1, 6, 6, channels)), "ordinary", kernel=(3, 3), each=1, **same)
        for channels in (3, 5, 8)
    ]
    wide = maker.input((1, 9, 9, large))
    outputs.append(maker.conv(wide, "ordinary", kernel=(3, 3), groups=1, outputs=large, **PIXEL | {"pads": (1,) * 4}))
    program = lowered(maker.builder.build(outputs))
    text = compare(maker, program, Tuning())
    kernel = "tinyc_qdepthwise3x3_i8(rows" if stride == 1 else "tinyc_qdepthwise3x3s2_i8(rows"
    assert (text.count(kernel), "/*channels=*/5" in text) == ((1, False) if share else (3, True))
    fast = compare(maker, program, Tuning(optimize="speed"))
    assert fast.count(kernel) == 3

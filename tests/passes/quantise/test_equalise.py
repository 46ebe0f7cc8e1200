"""Cross-layer equalisation keeps the function and levels the channels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import assert_close, run
from tests.passes.checks import check, unchanged
from tests.passes.quantise.networks import Net, depthwise_net, images
from tinyc.backends.interpreter import run_module
from tinyc.ir import Module
from tinyc.ir.ops import Conv2d, MaxPool2d
from tinyc.passes.quantise import quantise_module
from tinyc.passes.quantise.equalise import EqualiseRanges, see_channels
from tinyc.passes.quantise.pairs import find_pairs

SAMPLES = images(8, 1, 12, 12, 3)


def spread(module: Module) -> dict[str, float]:
    """For each equalised value, the largest channel's numbers over those of the smallest."""
    seen = see_channels(module, SAMPLES, run_module)
    return {v.name: float(c.largest.max() / c.largest.min()) for v, c in seen.items()}


def test_pairs_of_a_depthwise_network() -> None:
    pairs = [(p.first.node.loc, p.second.node.loc) for p in find_pairs(depthwise_net())]
    assert pairs == [("conv", "depthwise"), ("depthwise", "pointwise"), ("pointwise", "logits")]


@pytest.mark.parametrize("data", [False, True])
def test_spoiled_channels_are_levelled(data: bool) -> None:
    module = depthwise_net(decades=4.0)
    before = spread(module)
    step = EqualiseRanges(see_channels(module, SAMPLES, run_module) if data else {})
    levelled = step.run(module) if data else check(step, module)
    for sample in SAMPLES:
        assert_close(run(module, sample), run(levelled, sample), EqualiseRanges.slack.relative)
    after = spread(levelled)
    # The factors span up to four decades; what random weights have of a spread by themselves is about one.
    for name in ("conv", "depthwise"):
        assert before[name] > 100
        assert after[name] < 15


def test_it_saves_a_spoiled_network() -> None:
    module = depthwise_net(decades=3.0)
    noisy, level = (
        {x.value: x.sqnr for x in quantise_module(module, SAMPLES, run_module, equalise=e, correct_bias=False).layers}
        for e in (False, True)
    )
    # A channel a thousandth of the tensor's range is below one step of int8; levelled it has most of 256 steps.
    assert noisy["pointwise"] < 20
    assert level["pointwise"] > 30


def test_good_channels_stay_good() -> None:
    module = depthwise_net()
    layers = quantise_module(module, SAMPLES, run_module, correct_bias=False).layers
    # 8 bits without clipping give about 40 dB for one rounding; several roundings in a row cost some of it.
    assert min(x.sqnr for x in layers if x.op != "softmax") > 28


def test_upper_limits_keep_their_meaning_on_calibration_data() -> None:
    limit = 0.8
    module = depthwise_net(high=limit)
    seen = see_channels(module, SAMPLES, run_module, headroom=False)
    reached = {v: c.largest >= np.float32(limit) for v, c in seen.items()}
    assert any(r.any() and not r.all() for r in reached.values())
    after = EqualiseRanges(seen).run(module)
    assert after is not module
    for sample in SAMPLES:
        assert_close(run(module, sample), run(after, sample), EqualiseRanges.slack.relative)
    # Channels that reach the limit still reach it, and no other one passes it.
    levelled = see_channels(after, SAMPLES, run_module, headroom=False)
    for value, mask in reached.items():
        np.testing.assert_allclose(levelled[value].largest[mask], seen[value].largest[mask], rtol=1e-4)
        assert (levelled[value].largest <= np.float32(limit)).all()


def test_upper_limits_without_data_are_left_alone() -> None:
    net = Net(1, 6, 6, 3)
    y = net.conv(net.x, 4, "one", high=6.0)
    module = net.b.build([net.conv(y, 4, "two")])
    assert unchanged(EqualiseRanges(), module) == [
        "conv2d %one (from one): not equalised: it has an upper limit, and no calibration data says who reaches it"
    ]


def test_pools_stand_between() -> None:
    net = Net(1, 8, 8, 3)
    y = net.conv(net.x, 4, "one", given=np.array([1.0, 100.0, 0.01, 1.0]))
    y = net.b.add(MaxPool2d(y, (2, 2), strides=(2, 2)))
    module = net.b.build([net.conv(y, 4, "two", taken=np.array([1.0, 100.0, 0.01, 1.0]))])
    after = check(EqualiseRanges(), module)
    rows = [
        np.abs(after.constant(n.op.w)).max(axis=(1, 2, 3))
        for n in after.nodes
        if n.loc == "one" and isinstance(n.op, Conv2d)
    ]
    assert rows[0].max() / rows[0].min() < 5


def test_a_dead_channel_with_a_bias_does_not_widen_the_tensor() -> None:
    net = Net(1, 12, 12, 3)
    w = net.weights(8, 1, 1, 3, fan=3)
    w[0] = 1e-12
    op = Conv2d(net.x, net.constant(w, "w"), net.constant(np.full(8, 0.5), "b"), min=0.0)
    y = net.depthwise(net.b.add(op, "conv", "conv"), "depthwise")
    module = net.b.build([net.head(y)])
    before = see_channels(module, SAMPLES, run_module)
    after = see_channels(EqualiseRanges(before).run(module), SAMPLES, run_module)
    for value, seen in before.items():
        assert after[value].largest.max() <= seen.largest.max() * (1 + 1e-5)


def test_what_cannot_be_scaled() -> None:
    net = Net(1, 6, 6, 3)
    y = net.conv(net.x, 4, "one")
    # `one` is an output too, so its numbers are seen.
    assert not find_pairs(net.b.build([y, net.conv(y, 4, "two")]))

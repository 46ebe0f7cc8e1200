"""State kept between calls: what the whole window gives, for ever."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from math import lcm
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.causal import causal_maker, causal_network
from tests.passes.stream.support import planned
from tests.rows import Network
from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.interpreter.steps import Calls, run_endless
from tinyc.ir import DType, IRError, Value, ops
from tinyc.ir.rows import RowProgram, verify_program
from tinyc.ir.rows.endless import every, late_rows, looks_back, repeated_after, rows_a_call
from tinyc.ir.rows.replay import replay
from tinyc.ir.tensor import Array
from tinyc.passes import PassError
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.order import OrderStages
from tinyc.passes.rows.share import ShareBuffers
from tinyc.passes.stream import KeepState
from tinyc.passes.stream import endless as keeping

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
ROWS = 64
ROUNDED = 1e-4
"""A row is summed in another order than a window, through some ten layers of numbers of order one."""


def program_of(network: Network, hop: int = 0) -> RowProgram:
    """The network, planned, with so many rows a call."""
    program = OrderStages().run(Lower("rows", outputs="rows", strict=False).run(network.module))
    return planned(KeepState(hop).run(ShareBuffers().run(program)))


def possible(seed: int, dtype: DType, late: bool, hop: int = 0) -> tuple[Network, RowProgram] | None:
    """A network that keeps its state; None where a layer looks further back than its window reaches."""
    network = causal_network(seed, dtype, ROWS, late)
    try:
        return network, program_of(network, hop)
    except PassError as error:
        if "looks ahead" not in str(error) and "looks back at" not in str(error):
            raise
        return None


def agree(got: Array, want: Array) -> bool:
    """Whether integers are equal, and floats but for rounding."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    return np.array_equal(got, want) if want.dtype != np.float32 else np.allclose(got, want, rtol=ROUNDED, atol=ROUNDED)


@pytest.mark.parametrize("late", [False, True], ids=["causal", "late"])
@DTYPES
def test_every_length(dtype: DType, late: bool) -> None:
    """Behind the window for which the program was made, and when the sweeps have been counted again and again."""
    count = wrapped = 0
    for seed in range(12):
        found = possible(seed, dtype, late, hop=(0, 0, 16)[seed % 3])
        if found is None:
            continue
        count += 1
        program, long = found[1], causal_network(seed, dtype, 5 * ROWS, late)
        replay(program)
        for got, want in zip(run_endless(program, long.arrays), run_module(long.module, long.arrays), strict=True):
            assert agree(got, want), f"network {seed}\n{program}"
        assert program.endless is not None
        wrapped += program.endless.warm + 2 * program.endless.cycle < 5 * ROWS
    assert count > 7
    assert wrapped > 5


@DTYPES
def test_the_window_is_as_without_state(dtype: DType) -> None:
    count = 0
    for seed in range(60, 66):
        found = possible(seed, dtype, late=bool(seed % 2))
        if found is not None:
            count += 1
            network, program = found
            for got, want in zip(
                run_program(program, network.arrays), run_module(network.module, network.arrays), strict=True
            ):
                assert agree(got, want)
    assert count > 3


@DTYPES
def test_another_signal_after_a_reset(dtype: DType) -> None:
    network, program = next(f for f in (possible(s, dtype, late=False, hop=8) for s in range(100, 120)) if f)
    calls = Calls(program)
    part = [a[:, :8] for a in network.arrays]
    first = calls.call(part)
    for number in range(Random(3).randrange(1, 20)):
        calls.call([a[:, 8 * (number % 8) : 8 * (number % 8) + 8] for a in network.arrays])
    calls.reset()
    for got, want in zip(calls.call(part), first, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_hop_of_any_length_gives_the_same() -> None:
    count = 0
    for seed in range(6):
        found = [p[1] for hop in (0, 16, 32, ROWS) if (p := possible(seed, DType.I8, late=False, hop=hop))]
        network = causal_network(seed, DType.I8, 2 * ROWS)
        results = [run_endless(program, network.arrays) for program in found]
        count += len(results) > 2
        assert len({p.plan.bytes for p in found if p.plan}) <= 1
        for other in results[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
    assert count > 3


def layered(make: Any, rows: int = ROWS, shape: tuple[int, ...] = (2, 3)) -> Network:
    """An int8 network of one input."""
    maker = causal_maker(0, DType.I8)
    made = make(maker, maker.input((1, rows, *shape)))
    return Network(maker.builder.build(made if isinstance(made, list) else [made]), maker.arrays)


def window(maker: Any, x: Value, size: int, top: int, bottom: int = 0, dilation: int = 1, stride: int = 1) -> Value:
    return maker.conv(  # type: ignore[no-any-return]
        x,
        kernel=(size, 1),
        groups=1,
        outputs=3,
        strides=(stride, 1),
        pads=(top, 0, bottom, 0),
        dilations=(dilation, 1),
    )


def mean(m: Any, x: Value) -> Value:
    return m.mean(window(m, x, 3, 2))  # type: ignore[no-any-return]


REFUSED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "padding behind": (lambda m, x: window(m, x, 3, 1, 1), ("looks ahead", "qconv2d", "make 63")),
    "a mean over all": (lambda m, x: m.product(x, mean(m, x)), ("reads the whole window", "end the network before it")),
    "softmax over all": (
        lambda m, x: m.add(ops.Reshape(m.softmax(m.flat(x)), x.shape)),
        ("reads the whole window", "softmax"),
    ),
    "half of the window": (
        lambda m, x: window(m, m.add(ops.Slice(x, (0, 0, 0, 0), (1, 32, 2, 3), (1, 1, 1, 1))), 1, 0),
        ("32 rows of 64", "cuts off"),
    ),
    "numbers of their own in each row": (
        lambda m, x: m.sum(x, m.builder.constant(np.ones(x.shape, np.int8))),
        ("other numbers in each row", "qadd"),
    ),
    "an output without rows": (lambda m, x: m.dense(m.flat(x)), ("reads the whole window", "qdense")),
    "an input without rows": (
        lambda m, x: m.product(x, m.input((1, 1, 1, 3))),
        ("reads the whole window", "qmul"),
    ),
    "a window too short": (lambda m, x: window(m, x, 2, 63, dilation=63), ("64 rows", "65 or more", "`input_shapes`")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises(PassError) as caught:
        program_of(layered(make))
    assert all(text in str(caught.value) for text in said), caught.value


def test_calls_of_a_wrong_length() -> None:
    network = layered(lambda m, x: window(m, window(m, x, 4, 3, stride=2), 4, 2, stride=2))
    with pytest.raises(PassError, match="every 4 rows"):
        program_of(network, 6)
    with pytest.raises(PassError, match=r"window of 64 rows .* calls of 12, 4 are left"):
        program_of(network, 12)
    assert rows_a_call(program_of(network, 8)) == {"x1": 8, "qconv2d_1": 2}
    assert rows_a_call(program_of(network)) == {"x1": 4, "qconv2d_1": 1}


def test_signals_that_are_no_whole_number_of_calls() -> None:
    program = program_of(layered(lambda m, x: window(m, x, 3, 2)), 8)
    with pytest.raises(IRError, match="8"):
        run_endless(program, [np.zeros((1, 20, 2, 3), np.int8)])


def test_windows_without_padding_give_their_rows_late() -> None:
    network = layered(lambda m, x: window(m, window(m, x, 3, 0), 2, 0, dilation=3))
    program = program_of(network, 16)
    assert late_rows(program) == {"qconv2d_1": 5}
    outputs = Calls(program).call([network.arrays[0][:, :16]])[0]
    want = run_module(network.module, network.arrays)[0]
    np.testing.assert_array_equal(outputs[:, 5:], want[:, :11])
    assert not outputs[:, :5].any()


def test_several_inputs_and_outputs() -> None:
    def make(m: Any, x: Value) -> list[Value]:
        y = m.input((1, ROWS // 2, 2, 3))
        slow = window(m, x, 4, 3, stride=2)
        return [m.sum(slow, window(m, y, 2, 1)), window(m, x, 3, 4, dilation=2)]

    network = layered(make)
    program = program_of(network, 4)
    called = rows_a_call(program)
    assert [called[v.name] for v in (*program.inputs, *program.outputs)] == [4, 2, 2, 4]
    for got, want in zip(run_program(program, network.arrays), run_module(network.module, network.arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def test_rings_that_would_take_too_long_to_begin_anew_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(m: Any, x: Value) -> Value:
        for dilation in (3, 5, 6, 8, 11):
            x = window(m, x, 3, 2 * dilation, dilation=dilation)
        return x

    network = layered(make)
    free = program_of(network)
    monkeypatch.setattr(keeping, "LONGEST", 200)
    program = program_of(network)
    assert repeated_after(free) > 200 >= repeated_after(program) > every(program)
    rings = {b.name: b.ring for b in free.buffers}
    assert all(rings[b.name] <= b.ring <= 2 * rings[b.name] for b in program.buffers if b.ring)
    signal = np.tile(network.arrays[0], (1, 20, 1, 1))
    np.testing.assert_array_equal(run_endless(program, [signal])[0], run_endless(free, [signal])[0])
    monkeypatch.setattr(keeping, "LONGEST", 3)
    with pytest.raises(PassError, match="no common multiple below 3"):
        program_of(network)


def test_what_does_not_repeat_itself_is_malformed() -> None:
    program = program_of(layered(lambda m, x: window(m, x, 3, 4, dilation=2)))
    endless = program.endless
    assert endless is not None
    assert endless.cycle % lcm(endless.hop, repeated_after(program)) == 0
    wrong = [
        ("counts 61 sweeps", {"cycle": 61}),
        ("counts again from sweep 3", {"warm": 3}),
        ("is no buffer", {"counter": dataclasses.replace(endless.counter, name="nowhere")}),
    ]
    for said, change in wrong:
        with pytest.raises(IRError, match=said):
            verify_program(dataclasses.replace(program, endless=dataclasses.replace(endless, **change)))
    with pytest.raises(IRError, match="never end"):
        verify_program(dataclasses.replace(program, endless=None))


def test_the_text_of_a_program() -> None:
    program = program_of(layered(lambda m, x: window(m, x, 3, 4, dilation=2)), 2)
    assert "endless, 2 sweeps a call, counted in %sweeps_counted to" in str(program)


def test_nothing_that_is_kept_shares_bytes() -> None:
    """A ring keeps what the next call reads, whatever the window for which the plan was made says of its last rows."""
    count = 0
    for seed in range(12):
        found = possible(seed, DType.I8, late=True)
        if found is None:
            continue
        program = found[1]
        assert program.plan is not None
        assert program.endless is not None
        kept = [s for s in program.plan.slots if program.buffer[s.buffer].ring > 1]
        kept.append(program.plan.by_buffer[program.endless.counter.name])
        at = sorted((s.offset, s.offset + s.bytes) for s in kept)
        assert all(a[1] <= b[0] for a, b in pairwise(at))
        count += len(at) > 2
    assert count > 5


@DTYPES
def test_how_far_outputs_look_back(dtype: DType) -> None:
    """From there on, rows are what they are without anything before; where a state is carried, nothing is said."""
    carried = told = 0
    for seed in range(20):
        found = possible(seed, dtype, late=bool(seed % 2))
        if found is None:
            continue
        network, program = found
        back = looks_back(program)
        carried += any(s.carries for s in program.stages) and len(back) < len(program.outputs)
        noise = [a[:, ::-1].copy() for a in network.arrays]
        signal = [np.concatenate([n, a], axis=1) for n, a in zip(noise, network.arrays, strict=True)]
        outputs = run_endless(program, signal)
        for value, got, want in zip(program.outputs, outputs, run_program(program, network.arrays), strict=True):
            first = back.get(value.name, want.shape[1])
            told += first < want.shape[1]
            rows = want.shape[1] - first
            assert rows <= 0 or agree(got[:, -rows:], want[:, -rows:]), f"network {seed}\n{program}"
    assert carried > 1
    assert told > 4

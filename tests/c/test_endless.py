"""The C of networks that keep their state between calls: what the whole window gives, for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from tests.c.support import AROUND, BUILDS
from tests.c.test_streaming import agree
from tests.causal import causal_network
from tests.passes.stream.test_endless import ROWS, possible
from tests.rows import Network
from tinyc.backends.c import CSource, generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import DType
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
LONGER = 6


def networks(seeds: range, dtype: DType, late: bool) -> Iterator[tuple[int, Network, RowProgram]]:
    for seed in seeds:
        if found := possible(seed, dtype, late, hop=(0, 16)[seed % 2]):
            yield seed, *found


def longer(source: CSource) -> CSource:
    """The same C, called more often than the model's window is long."""
    inputs, outputs = (
        tuple(dataclasses.replace(p, calls=p.calls * LONGER) for p in ports)
        for ports in (source.inputs, source.outputs)
    )
    return dataclasses.replace(source, inputs=inputs, outputs=outputs)


@pytest.mark.parametrize("late", [False, True], ids=["causal", "late"])
@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_call_after_call(dtype: DType, build: str, late: bool) -> None:
    """The window twice, each time after a reset, and a signal in which the sweeps are counted again and again."""
    compiler, flags = BUILDS[build]
    count = wrapped = 0
    for seed, network, program in networks(range(200, 204), dtype, late):
        source = generate(program, name="net")
        runner = HostRunner(source, cc=compiler, flags=flags)
        want = run_program(program, network.arrays)
        for got in runner.run([network.arrays, network.arrays]):
            assert all(agree(g, w) for g, w in zip(got, want, strict=True)), f"network {seed}\n{program}"
        long = causal_network(seed, dtype, LONGER * ROWS, late)
        got = HostRunner(longer(source), cc=compiler, flags=flags).run([long.arrays])[0]
        whole = run_module(long.module, long.arrays)
        assert all(agree(g, w) for g, w in zip(got, whole, strict=True)), f"network {seed}\n{program}"
        count += 1
        wrapped += program.endless is not None and program.endless.warm + program.endless.cycle < LONGER * ROWS
    assert count > 1
    assert wrapped


@DTYPES
def test_every_stage(dtype: DType) -> None:
    count = 0
    for _, network, program in networks(range(210, 213), dtype, late=False):
        want: dict[int, Array] = {}
        run_program(program, network.arrays, want.__setitem__)
        got = HostRunner(generate(program, name="net")).trace(network.arrays)
        assert sorted(got) == sorted(want)
        for number, array in got.items():
            assert agree(array.reshape(want[number].shape), want[number]), program.stages[number].where
            count += 1
    assert count > 5


def test_the_header_says_what_a_call_takes() -> None:
    _, _, program = next(networks(range(200, 240), DType.I8, late=True))
    header = generate(program, name="net").files["net.h"]
    for said in ("void net_reset(void *arena);", "void net_step(void *arena, ", "net_reset(arena);", "row(s) late"):
        assert said in header
    assert "net_run" not in header

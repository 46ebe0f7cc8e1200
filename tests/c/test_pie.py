"""Kernels with the vector instructions of the ESP32-S3: their portable twins here, and the real ones where a simulator
is present, give what the interpreter computes, bit for bit."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.c.quantised import Maker
from tests.c.support import BUILDS, STRICT, lowered, need
from tests.c.test_streaming import over_dead_rows, side_by_side, with_rows
from tests.cores.test_networks import networks
from tests.runners.support import images, need_simulator, network
from tests.sampling import some
from tinyc.backends.c import CSource, generate
from tinyc.backends.c.library import Kernels
from tinyc.backends.c.pie import takes
from tinyc.backends.c.scratch import wanted
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MACHINES, HostRunner, Runner, SimulatorRunner
from tinyc.ir import DType, IRError, Value, fixed_point
from tinyc.ir.ops import QDepthwiseConv2d
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

HERE = Path(__file__).parent
MACHINE = MACHINES["esp32s3"]
TUNING = Tuning(pie=True)
CHANNELS = (*range(1, 41), 48, 64, 96, 128)
LARGEST = 2**30 - 2**14 - 1
"""The largest multiplier of results by vectors."""
LAYERS = 20
SERIES = range(100)
"""Programs of so many layers: 2,000."""
CHEAP = ("gcc-sanitize", "clang-functions", "clang-sanitize", "gcc-functions")
"""Each program with one of these in turn."""


class Wide(Maker):
    """Layers with as many channels as vectors are for."""

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        """With a corner of its own: results by vectors, factors and biases up to the largest of these."""
        if corner != "vectors":
            return super().layer(weights, axis, corner)
        rng, count = self.rng, weights.shape[axis]
        bound = fixed_point.accumulator_bound(weights, np.zeros(count, np.int32), axis)
        spread = 128 / (5476 * (weights.size // count) ** 0.5) * 2.0 ** rng.uniform(-2, 2, count)
        multiplier = np.minimum(spread * 2.0**31, LARGEST).astype(np.int64)
        ends = rng.choice([0, 1, 2**14 - 1, 2**14, 2**15, LARGEST], count)
        multiplier = np.where(rng.random(count) < 0.2, ends, multiplier)
        room = 2**29 - 1 - bound
        bias = np.where(rng.random(count) < 0.1, room * rng.choice([-1, 1], count), rng.integers(-20000, 20000, count))
        vectors = (v.astype(np.int32) for v in (bias, multiplier, np.zeros(count)))
        return [self.builder.constant(a) for a in (weights, *vectors)]

    def some_layer(self, x: Value) -> Value:
        """A layer of any kind. Raises `IRError` where its window is larger than x."""
        outputs, kind = int(self.rng.choice(CHANNELS)), self.rng.integers(9)
        corner = "vectors" if self.rng.random() < 0.6 else None
        if kind == 0:
            return self.dense(x, corner, outputs=outputs)
        if kind == 1:
            return self.conv(x, corner, kernel=(1, 1), groups=1, outputs=outputs, strides=(1, 1), pads=(0, 0, 0, 0))
        if kind == 6:
            return self.sum(x, self.input(x.shape))
        if kind == 7:
            return self.pool(x) if self.rng.random() < 0.5 else self.largest(x)
        if kind == 8:
            return self.mean(x)
        if kind in (2, 3):
            return self.depthwise3x3(x, corner) if kind == 2 else self.depthwise(x, corner)
        return self.conv(x, corner, outputs=outputs, groups=1, dilations=(1, 1) if kind == 4 else (2, 2))


def layers(number: int) -> tuple[RowProgram, list[Array]]:
    """A program of random layers, each with an input of its own."""
    maker, found = Wide(np.random.default_rng([14, number])), list[Value]()
    for _ in range(LAYERS):
        rows, columns = (int(n) for n in maker.rng.integers(1, [5, 12]))
        x, made = maker.input((1, rows, columns, int(maker.rng.choice(CHANNELS)))), len(found) + 1
        while len(found) < made:
            with suppress(IRError):
                found.append(maker.some_layer(x))
    return lowered(maker.builder.build(found)), maker.arrays


def compare(program: RowProgram, arrays: list[Array], runner: Runner) -> None:
    (got,) = runner.run([arrays])
    differ = [
        f"{value}: {np.count_nonzero(g != w)} of {w.size} differ"
        for value, g, w in zip(program.outputs, got, run_program(program, arrays), strict=True)
        if not np.array_equal(g, w)
    ]
    assert not differ, "\n".join(differ)


def on_host(program: RowProgram, build: str, tuning: Tuning = TUNING) -> Runner:
    need(build)
    cc, flags = BUILDS[build]
    return HostRunner(generate(program, name="cases", tuning=tuning), cc=cc, flags=flags)


def on_core(program: RowProgram, flags: tuple[str, ...] = STRICT) -> Runner:
    need_simulator(MACHINE.name)
    return SimulatorRunner(generate(program, name="cases", tuning=TUNING), MACHINE, flags)


@pytest.mark.parametrize("number", some(SERIES, 6))
def test_random_layers(number: int) -> None:
    program, arrays = layers(number)
    tuning = Tuning("speed" if number % 3 == 0 else "balanced", pie=True)
    compare(program, arrays, on_host(program, CHEAP[number % len(CHEAP)], tuning))


def test_the_series_has_everything() -> None:
    """Each kernel, each form of results, whole and partial blocks, several chunks, both ways to copy a window."""
    text, taken, refused = "", 0, 0
    for number in range(12):
        program, _ = layers(number)
        text += generate(program, name="cases", tuning=TUNING).files["cases.c"]
        taken += sum(takes(program, stage, TUNING) for stage in program.stages)
        refused += sum(not takes(program, stage, TUNING) for stage in program.stages)
        assert not any(wanted(program, s, TUNING) for s in program.stages if takes(program, s, TUNING))
    assert taken > 110
    assert refused > 10
    for kernel in (
        "qpie_mean",
        "qpie_avg_pool2d",
        "qpie_max_pool2d",
        "qpie_pixels",
        "qpie_conv2d",
        "qpie_taps2d",
        "qpie_depthwise3x3",
        "qpie_depthwise",
        "qpie_add",
    ):
        assert f"tinyc_{kernel}_i8(" in text
    for form in (0, 1, 2, 4):
        assert f"/*form=*/{form});" in text
    for value in ("blocks=*/0", "rest=*/0", "chunks=*/1", "chunks=*/2", "late=*/0", "late=*/1", "late=*/2"):
        assert f"/*{value}" in text


WINDOWS = [(kh, kw, c) for kh, kw in ((10, 4), (5, 5), (3, 3), (2, 7), (1, 3)) for c in (1, 2, 3, 5, 16, 24, 64, 112)]


def windows() -> tuple[RowProgram, list[Array]]:
    """Convolutions of small and large windows, with pads and without."""
    maker, found = Wide(np.random.default_rng(3)), []
    for number, (kh, kw, channels) in enumerate(WINDOWS):
        corner = "vectors" if number % 3 else "ordinary"
        pads = (kh // 2, kw // 2, 1, number % kw) if number % 4 else (0, 0, 0, 0)
        geometry = {"strides": (1, 1 + number % 2), "pads": pads, "dilations": (1, 1 + (number % 5 == 4))}
        x = maker.input((1, 11, 15, channels))
        outputs = (40, 16, 8, 33)[number % 4]
        found.append(maker.conv(x, corner, kernel=(kh, kw), groups=1, outputs=outputs, **geometry))
    return lowered(maker.builder.build(found)), maker.arrays


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_windows(build: str) -> None:
    program, arrays = windows()
    runner = on_host(program, build)
    text = generate(program, name="cases", tuning=TUNING).files["cases.c"]
    pitches = [int(piece.partition(",")[0]) for piece in text.split("/*pitch=*/")[1:]]
    assert {pitch % 16 == 0 for pitch in pitches} == {True, False}
    assert 10 < len(pitches) < len(WINDOWS) - 5
    compare(program, arrays, runner)


@pytest.mark.simulator
def test_windows_on_the_core() -> None:
    program, arrays = windows()
    compare(program, arrays, on_core(program))


class Extreme(Wide):
    """Layers whose weights are all the lowest, and inputs too."""

    def input(self, shape: tuple[int, ...]) -> Value:
        value = super().input(shape)
        self.arrays[-1] = np.full(shape, -128, np.int8)
        return value

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        return super().layer(np.full_like(weights, -128), axis, corner)


def extremes() -> tuple[RowProgram, list[Array]]:
    maker, found = Extreme(np.random.default_rng(5)), list[Value]()
    for number, channels in enumerate((16, 17, 40, 128)):
        corner = ("vectors", "ordinary")[number % 2]
        for kernel in ((3, 3), (5, 5), (5, 6), (6, 6)):
            geometry = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
            x = maker.input((1, 7, 9, channels))
            found.append(maker.depthwise(x, corner, kernel=kernel, each=1, **geometry))
            if channels < 128:
                found.append(maker.conv(x, corner, kernel=kernel, groups=1, outputs=17, **geometry))
        found.append(maker.dense(maker.input((3, 20 * channels)), corner, outputs=19))
    return lowered(maker.builder.build(found)), maker.arrays


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_extreme_weights(build: str) -> None:
    program, arrays = extremes()
    refused = [stage.op for stage in program.stages if not takes(program, stage, TUNING)]
    # 32 and more products of the lowest numbers exceed the 20 bits of a lane.
    assert {op.window() for op in refused if isinstance(op, QDepthwiseConv2d)} == {(6, 6)}
    assert all(isinstance(op, QDepthwiseConv2d) for op in refused)
    compare(program, arrays, on_host(program, build))


@pytest.mark.simulator
def test_extreme_weights_on_the_core() -> None:
    program, arrays = extremes()
    compare(program, arrays, on_core(program))


def test_none_without_the_instructions_or_for_the_least_code() -> None:
    program, _ = layers(0)
    for tuning in (Tuning(), Tuning("size", pie=True)):
        assert not any(takes(program, stage, tuning) for stage in program.stages)
        assert "tinyc_pie" not in generate(program, name="cases", tuning=tuning).files["cases.c"]


def scheduled(where: str) -> tuple[RowProgram, list[Array]]:
    """Random networks of many layers: streamed, with rows from outside, and with layers that two cores share."""
    if where == "cores":
        network, _, program = networks(31, DType.I8, "argument", 8)
        assert any(stage.split > 1 and takes(program, stage, TUNING) for stage in program.stages)
    elif where == "rows":
        network, program = next(iter(with_rows(range(321, 330), DType.I8)))
    else:
        network, program = side_by_side(9, DType.I8, "arena", 10)
    return program, network.arrays


@pytest.mark.parametrize("build", ["gcc-functions", "clang-sanitize"])
@pytest.mark.parametrize("where", ["arena", "rows", "cores"])
def test_schedules(where: str, build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.backends.c.pie._MAC", 1e6)
    program, arrays = scheduled(where)
    assert sum(takes(program, stage, TUNING) for stage in program.stages) > 0
    compare(program, arrays, on_host(program, build))


@pytest.mark.simulator
@pytest.mark.parametrize("where", ["arena", "rows"])
def test_schedules_on_the_core(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.backends.c.pie._MAC", 1e6)
    program, arrays = scheduled(where)
    compare(program, arrays, on_core(program))


def plain_factors(rng: np.random.Generator, corner: str, bound: Array, terms: int) -> tuple[Array, Array, Array]:
    """In place of `factors`: such that results are made by vectors."""
    count = bound.size
    multiplier = 2.0**31 * 128 / (5476 * terms**0.5) * rng.uniform(0.5, 1, count)
    vectors = rng.integers(-20000, 20000, count), np.minimum(multiplier, LARGEST), np.zeros(count)
    return tuple(v.astype(np.int32) for v in vectors)  # type: ignore[return-value]


def over_dead(reverse: bool, plain: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[RowProgram, list[Array]]:
    """Depthwise layers over dead rows, all of them by vectors, however small."""
    monkeypatch.setattr("tinyc.backends.c.pie._MAC", 1e6)
    if plain:
        monkeypatch.setattr("tests.c.quantised.factors", plain_factors)
    made, program = over_dead_rows(DType.I8, reverse)
    over = [s for s in program.stages if (v := program.buffer[s.result.name].view) is not None and v.follows]
    assert len(over) > 7
    assert all(takes(program, stage, TUNING) for stage in over)
    text = generate(program, name="cases", tuning=TUNING).files["cases.c"]
    assert ("tinyc_qpie_flat3x3_i8(" in text) == plain
    return program, made.arrays


OVER = pytest.mark.parametrize(
    ("reverse", "plain"),
    [(False, False), (False, True), (True, True)],
    ids=["one by one", "vectors", "vectors-reverse"],
)


@OVER
@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_depthwise_rows_over_dead_ones(reverse: bool, plain: bool, build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, arrays = over_dead(reverse, plain, monkeypatch)
    compare(program, arrays, on_host(program, build))


@pytest.mark.simulator
@OVER
def test_depthwise_rows_over_dead_ones_on_the_core(reverse: bool, plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    program, arrays = over_dead(reverse, plain, monkeypatch)
    compare(program, arrays, on_core(program))


SEQUENCES = ("dots", "narrow", "narrow_lanes", "taps", "store", "copy", "add", "patch", "total", "totals", "most")


def sequences(changed: tuple[str, str] = ("", "")) -> CSource:
    """A network whose result says which sequences of instructions differ from their twins, in 2,000 rounds."""
    kernels = Kernels()
    for name in SEQUENCES:
        kernels.use(f"pie_{name}", DType.I8)
    text = "".join(f"#include <{h}>\n" for h in sorted(kernels.headers)) + kernels.text()
    text += (HERE / "pie_twins.c").read_text(encoding="ascii")
    assert changed[0] in text
    files = {
        "net_real.c": f"#define PREFIX real\n{text.replace(*changed) if changed[0] else text}",
        "net_twin.c": f"#define PREFIX twin\n#define TINYC_EMULATE\n{text}",
    }
    source = network(text=(HERE / "pie_compared.c").read_text(encoding="ascii"))
    return dataclasses.replace(source, files={**source.files, **files})


def differing(runner: Runner) -> list[str]:
    flags = runner.run(images(1))[0][0].reshape(-1)
    return [name for name, flag in zip((*SEQUENCES, "beyond"), flags.tolist(), strict=False) if flag]


def test_twins_compile_here() -> None:
    """Both are the twins here."""
    assert differing(HostRunner(sequences(), flags=BUILDS["clang-sanitize"][1], cc="clang")) == []


@pytest.mark.simulator
def test_instructions_are_their_twins() -> None:
    need_simulator(MACHINE.name)
    assert differing(SimulatorRunner(sequences(), MACHINE)) == []


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("srai %[u], %[u], 12", "srai %[u], %[u], 13"), "taps"),
        (('"r"(16)', '"r"(15)'), "narrow"),
        (("ee.ld.accx.ip %[from], 8", "ee.zero.accx"), "dots"),
        (("ee.vmulas.s16.qacc q4, q7", "ee.vmulas.s16.qacc q4, q6"), "add"),
    ],
    ids=["taps", "narrow", "dots", "add"],
)
def test_the_comparison_sees_what_is_wrong(change: tuple[str, str], where: str) -> None:
    need_simulator(MACHINE.name)
    assert where in differing(SimulatorRunner(sequences(change), MACHINE))


@pytest.mark.simulator
@pytest.mark.parametrize("number", some(SERIES, 4))
def test_random_layers_on_the_core(number: int) -> None:
    program, arrays = layers(number)
    compare(program, arrays, on_core(program, (*STRICT, "-Os") if number % 2 else STRICT))

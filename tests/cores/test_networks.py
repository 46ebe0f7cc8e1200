"""Networks on two cores: what one core and the interpreter compute, bit for bit, and without a race."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest

import tinyc
from benchmarks.networks import mobilenet_v1
from tests.c.support import AS_SHIPPED, BUILDS, FUNCTIONS_ONLY, STRICT, need
from tests.cores.support import FREERTOS, STUBS, THREADS, need_threads, split_all
from tests.helpers import ROOT
from tests.passes.stream.support import planned, random_schedule
from tests.rows import Network, lowered, random_network
from tests.sampling import some
from tinyc.backends.c import CSource, generate
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import MACHINES, HostRunner, MissingTool, SimulatorRunner
from tinyc.compiler.options import QuantiseOptions
from tinyc.ir import DType
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
# Kernels stay functions: copies of them that watch threads take long to compile. Looking for a part is slow, too.
WATCHED = ("-DTINYC_INLINE=static inline", "-DNET_CORES_SPINS=300", "-O1", *THREADS)
LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
RAM = 1 << 24


def networks(seed: int, dtype: DType, place: InputPlace, count: int) -> tuple[Network, RowProgram, RowProgram]:
    """So many networks in one program, some stages of which advance together; on one core, and all others split."""
    network = random_network(seed, dtype, 1 if place == "rows" else count)
    program = random_schedule(Random(seed), lowered(network.module, place), longest=3)
    parted = split_all(program)
    return network, planned(program), planned(parted)


def same(runner: HostRunner, inputs: Sequence[Array], want: Sequence[Array], times: int) -> None:
    """Asserts that every one of so many inferences gives exactly this."""
    for got in runner.run([list(inputs)] * times):
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)


def compare(network: Network, one: RowProgram, two: RowProgram, flags: Sequence[str], times: int, cc: str) -> None:
    """One core and two, bit for bit, and integers against the interpreter."""
    (want,) = HostRunner(generate(one, name="net"), cc=cc, flags=FUNCTIONS_ONLY).run([network.arrays])
    exact = run_program(two, network.arrays)
    for value, w, e in zip(two.outputs, want, exact, strict=True):
        if value.dtype is not DType.F32:
            np.testing.assert_array_equal(w, e)
    source = generate(two, name="net")
    assert source.cores == 2
    same(HostRunner(source, cc=cc, flags=flags), network.arrays, want, times)


@DTYPES
@pytest.mark.parametrize(("place", "build"), [("argument", "gcc"), ("arena", "clang")])
def test_random_networks(place: InputPlace, build: str, dtype: DType) -> None:
    need(build)
    network, one, two = networks(29, dtype, place, 12)
    assert sum(s.split > 1 for s in two.stages) > 10
    assert any(s.streams for s in two.segments)
    compare(network, one, two, BUILDS[build][1], 20, build)


@DTYPES
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_random_networks_without_a_race(compiler: str, dtype: DType) -> None:
    need_threads(compiler)
    network, one, two = networks(35, dtype, "arena", 4)
    compare(network, one, two, (*STRICT, *WATCHED), 60, compiler)


@DTYPES
def test_rows_from_a_callback(dtype: DType) -> None:
    split = 0
    for seed in range(700, 708):
        if random_network(seed, dtype).module.inputs[0].shape[1] > 1:
            network, one, two = networks(seed, dtype, "rows", 1)
            count = sum(s.split > 1 for s in two.stages)
            split += count
            if count:
                compare(network, one, two, STRICT, 3, "gcc")
    assert split > 3


@pytest.mark.slow
@DTYPES
@pytest.mark.parametrize("block", some(range(3), 1))
def test_many_random_networks(block: int, dtype: DType) -> None:
    need_threads("gcc")
    network, one, two = networks(800 + block, dtype, ("arena", "argument")[block % 2], 10)  # type: ignore[arg-type]
    compare(network, one, two, (*STRICT, *WATCHED), 100, "gcc")


def test_every_layer_is_traced_whole() -> None:
    network, _, two = networks(23, DType.I8, "argument", 4)
    want: dict[int, Array] = {}
    run_program(two, network.arrays, lambda number, array: want.update({number: array.copy()}))
    got = HostRunner(generate(two, name="net"), flags=STRICT).trace(network.arrays)
    assert got.keys() == {s.number for s in generate(two, name="net").stages}
    for number, array in got.items():
        if array.dtype != np.float32:
            np.testing.assert_array_equal(array.reshape(want[number].shape), want[number])


def with_freertos(source: CSource) -> CSource:
    """The code together with the stub of FreeRTOS."""
    stub = (STUBS / "freertos.c").read_text(encoding="ascii")
    return dataclasses.replace(source, files={**source.files, "freertos.c": stub})


@DTYPES
def test_on_freertos_tasks(dtype: DType) -> None:
    """The code for the ESP32's FreeRTOS, on a stub of it, under the sanitiser."""
    need_threads("gcc")
    network, one, two = networks(24, dtype, "arena", 4)
    (want,) = HostRunner(generate(one, name="net")).run([network.arrays])
    flags = ("-std=gnu11", *WATCHED, *FREERTOS)
    same(HostRunner(with_freertos(generate(two, name="net")), cc="gcc", flags=flags), network.arrays, want, 60)


def test_on_a_machine_of_one_core() -> None:
    """Code for two cores where there are no threads."""
    network, _, two = networks(25, DType.I8, "arena", 4)
    try:
        runner = SimulatorRunner(generate(two, name="net"), MACHINES["rv32imc"])
    except MissingTool as error:
        pytest.skip(str(error))
    (got,) = runner.run([network.arrays])
    for g, w in zip(got, run_program(two, network.arrays), strict=True):
        if g.dtype != np.float32:
            np.testing.assert_array_equal(g, w)


def model(name: str, folder: Path) -> tuple[Path, QuantiseOptions]:
    """A network and how to quantise it."""
    rng = np.random.default_rng(3)
    if name == "lenet":
        np.savez(folder / "images.npz", image=rng.uniform(0, 1, (8, 1, 28, 28)).astype(np.float32))
        path = LENET
    else:
        np.savez(folder / "images.npz", image=rng.uniform(-1, 1, (4, 3, 64, 64)).astype(np.float32))
        path = folder / "mobilenet.onnx"
        onnx.save(mobilenet_v1(0.25, 64, classes=5), path)
    return path, QuantiseOptions(folder / "images.npz", input_type="int8", output_type="int8")


@pytest.mark.parametrize("kind", ["int8", "float"])
@pytest.mark.parametrize("name", ["lenet", pytest.param("mobilenet", marks=pytest.mark.slow)])
def test_networks_of_the_field(name: str, kind: str, tmp_path: Path) -> None:
    """Mobile-LeNet and MobileNetV1 0.25 for 64x64 pixels: interpreter, one core and two; many times, without a race."""
    path, quantise = model(name, tmp_path)
    options = {"name": "net", "verify": False, "quantise": quantise if kind == "int8" else None}
    one, two = (tinyc.compile(path, cores=cores, ram=RAM, **options) for cores in (1, 2))  # type: ignore[arg-type]
    assert two.report["cores"]["shared_macs"] > 0.95 * two.report["macs"]
    rng = np.random.default_rng(4)
    value = two.program.inputs[0]
    if kind == "int8":
        inputs = [rng.integers(-128, 128, value.shape).astype(np.int8) for _ in range(6)]
    else:
        inputs = [rng.uniform(-1, 1, value.shape).astype(np.float32) for _ in range(6)]
    expected = HostRunner(one.source).run([[i] for i in inputs])
    for image, (want,) in zip(inputs, expected, strict=True):
        (exact,) = run_program(two.program, [image])
        if kind == "int8":
            np.testing.assert_array_equal(want, exact)
        else:
            np.testing.assert_allclose(want, exact, rtol=0, atol=1e-6)
    many = [[i] for i in inputs * 20]
    for (got,), (want,) in zip(HostRunner(two.source, flags=AS_SHIPPED).run(many), expected * 20, strict=True):
        np.testing.assert_array_equal(got, want)
    need_threads("gcc")
    watched = HostRunner(two.source, cc="gcc", flags=WATCHED).run(many[: 60 if name == "lenet" else 30])
    for (got,), (want,) in zip(watched, expected * 20, strict=False):
        np.testing.assert_array_equal(got, want)

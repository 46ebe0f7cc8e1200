"""Generated code that calls ESP-NN computes what the interpreter does, bit for bit.

In the quick suite it calls the small implementation of tests/kernels/esp_nn; where ESP_NN_PATH names the real library,
built for this computer, that one: its ANSI functions and its generic optimised ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import BUILDS, PARAMETERS, need
from tests.kernels.cases import GATES, Layers, conv, depthwise, mean, mixed, shown, softmax
from tests.kernels.support import CHIPS, ROOMY, build, choose, compare, gates, layers, real
from tests.rows import lowered, random_network
from tests.sampling import some
from tinyc.backends.c import generate
from tinyc.backends.libraries.esp_nn_gates import GATES as GATES_OF_ALL
from tinyc.backends.runners import HostRunner, MissingTool, RunnerError, runner_for
from tinyc.ir import DType
from tinyc.ir.rows import RowProgram

BLOCK = 60 + len(GATES)
"""Layers in one program: one and a half times those at gates."""
VARIANTS = {"ansi": ("-UCONFIG_NN_OPTIMIZED",), "generic": ()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("esp_nn"), "esp-nn")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As on chips with vectors: it wants scratch memory, and all aligned."""
    return build(tmp_path_factory.mktemp("esp_nn_vectors"), "esp-nn", "-DESP_NN_VECTORS")


@pytest.fixture(scope="module")
def greedy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of the library that wants more scratch memory than was planned."""
    return build(tmp_path_factory.mktemp("esp_nn_greedy"), "esp-nn", "-DESP_NN_GREEDY")


@cache
def program_of(seed: int, chip: str, count: int = BLOCK) -> tuple[Layers, RowProgram]:
    """Layers side by side, those at all gates among them, each gate seen to hold."""
    maker, outputs = mixed(seed, chip, count)
    program = layers(maker, outputs, chip)
    said = {reason.split(":")[0] for reason in gates(maker, outputs, chip).values()}
    assert said >= {name for name, case in GATES.items() if case.chip in ("", chip)}
    assert sum(bool(s.kernel.library) for s in program.stages) > count // 3
    return maker, program


@pytest.mark.parametrize("build", ["gcc", *(pytest.param(b, marks=pytest.mark.slow) for b in PARAMETERS[1:])])
def test_layers(build: str, plain: Path) -> None:
    need(build)
    maker, program = program_of(1, "")
    compiler, flags = BUILDS[build]
    compare(program, maker.arrays, {"esp-nn": plain}, flags, compiler)


@pytest.mark.parametrize("chip", ["esp32s3", "esp32p4"])
def test_layers_on_chips_with_vectors(chip: str, vectors: Path) -> None:
    """All memory that the library is given is aligned, and its scratch memory is nobody else's."""
    maker, program = program_of(2, chip)
    source = compare(program, maker.arrays, {"esp-nn": vectors})
    assert source.arena_align == 16


def test_a_library_that_wants_more_scratch(greedy: Path) -> None:
    maker = Layers(np.random.default_rng(3))
    made = (conv((1, 6, 6, 16), 3, 8, pads=(1, 1, 1, 1)), depthwise((1, 6, 6, 16), 3), softmax((2, 16)))
    outputs = [shown(maker, make(maker)) for make in made]
    program = layers(maker, outputs, "esp32s3")
    assert sum(bool(s.kernel.library) for s in program.stages) == len(made)
    compare(program, maker.arrays, {"esp-nn": greedy})


def scheduled(
    seeds: Iterable[int], chip: str = ""
) -> Iterator[tuple[list[np.ndarray[tuple[int, ...], np.dtype[np.int8]]], RowProgram]]:
    """Networks within budgets, so that some layers advance together; their pointwise ones may be called row by row."""
    for seed in seeds:
        network = random_network(seed, DType.I8)
        free = choose(lowered(network.module, "arena"), chip)
        assert free.plan is not None
        for share in (1.0, 0.8, 0.6):
            program = choose(lowered(network.module, "arena"), chip, budget=int(free.plan.bytes * share))
            yield list(network.arrays), program


def test_networks_in_little_memory(plain: Path) -> None:
    by_rows = 0
    for arrays, program in scheduled(range(408, 410)):
        by_rows += sum(bool(s.kernel.library) and bool(s.windows) for s in program.stages)
        if any(s.kernel.library for s in program.stages):
            compare(program, arrays, {"esp-nn": plain})
    assert by_rows


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_many_networks_in_little_memory(chip: str, plain: Path, vectors: Path) -> None:
    for arrays, program in scheduled(some(range(410, 420), 2), chip):
        if any(s.kernel.library for s in program.stages):
            compare(program, arrays, {"esp-nn": vectors if chip else plain})


@pytest.mark.slow
@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("chip", CHIPS)
def test_real_library(chip: str, variant: str) -> None:
    """500 layers, every gate among them, against the library itself. Code for chips with vectors calls the portable
    functions here, with that chip's gates, alignment and scratch memory."""
    folder, count = real("esp-nn"), 0
    for seed in range(10, 14):
        maker, program = program_of(seed, chip, 130)
        compare(program, maker.arrays, {"esp-nn": folder}, VARIANTS[variant])
        count += 130
    assert count >= 500


@pytest.mark.slow
def test_real_library_in_little_memory() -> None:
    folder = real("esp-nn")
    for arrays, program in scheduled(range(430, 440)):
        if any(s.kernel.library for s in program.stages):
            compare(program, arrays, {"esp-nn": folder})


def test_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    maker = Layers(np.random.default_rng(3))
    source = generate(layers(maker, [shown(maker, conv((1, 6, 6, 16), 3, 8)(maker))]), name="net")
    assert source.libraries == ("esp-nn",)
    monkeypatch.delenv("ESP_NN_PATH", raising=False)
    with pytest.raises(MissingTool, match=r"linked with esp-nn: let ESP_NN_PATH name a folder"):
        HostRunner(source)
    monkeypatch.setenv("ESP_NN_PATH", str(tmp_path))
    with pytest.raises(MissingTool, match=r"has no include/ or no libesp-nn\.a"):
        HostRunner(source)
    with pytest.raises(MissingTool, match="which rv32imc does not have"):
        runner_for(source, "rv32imc")


@pytest.mark.parametrize(
    ("chip", "other"), [("", "ESP32S3"), ("", "ESP32P4"), ("esp32s3", "ESP32"), ("esp32p4", "ESP32S3")]
)
def test_code_for_another_chip_does_not_compile(chip: str, other: str, plain: Path) -> None:
    """Gates and scratch memory are those of one chip."""
    maker = Layers(np.random.default_rng(3))
    source = generate(layers(maker, [shown(maker, conv((1, 6, 6, 16), 3, 8)(maker))], chip), name="net")
    own = f"-DCONFIG_IDF_TARGET_{chip.upper() or 'ESP32'}=1"
    HostRunner(source, flags=("-DCONFIG_IDF_TARGET=1", own), libraries={"esp-nn": plain})
    flags = ("-DCONFIG_IDF_TARGET=1", f"-DCONFIG_IDF_TARGET_{other}=1")
    with pytest.raises(RunnerError, match="compile the model for this chip"):
        HostRunner(source, flags=flags, libraries={"esp-nn": plain})


UNGATED = {
    "dilation": conv((1, 6, 6, 16), 3, 4, dilations=(2, 2)),
    "mean-limits": mean((1, 6, 6, 16), min=0),
    "pointwise-groups": conv((1, 6, 6, 16), 1, 8, groups=2),
    "pointwise-padding": conv((1, 6, 6, 16), 1, 8, pads=(1, 0, 0, 0)),
}


@pytest.mark.parametrize("name", list(UNGATED))
def test_without_its_gate_a_layer_is_wrong(name: str, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself, of what the small implementation has in common with the library."""
    maker = Layers(np.random.default_rng(4))
    output = shown(maker, UNGATED[name](maker))
    program = lowered(maker.builder.build([output]), "arena")
    assert any(said.startswith(f"{name}: ") for said in gates(maker, [output]).values())
    monkeypatch.setattr("tinyc.backends.libraries.esp_nn.GATES", tuple(g for g in GATES_OF_ALL if g.name != name))
    ungated = choose(program, budget=ROOMY)
    assert any(s.kernel.library for s in ungated.stages)
    with pytest.raises(AssertionError, match=r"\d+ of \d+"):
        compare(ungated, maker.arrays, {"esp-nn": plain})

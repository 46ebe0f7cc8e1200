"""Instructions that are estimated, held against those that were counted on simulated machines."""

from __future__ import annotations

import pytest

from benchmarks.building import compiled
from benchmarks.instructions.cases import CASES
from tests.runners.support import need_simulator
from tinyc.backends.c.estimate import LOOPS, family_of, instructions, tables
from tinyc.backends.runners import MACHINES, SimulatorRunner
from tinyc.backends.targets import builtin, find
from tinyc.compiler.lowering.tuning import tuning_of
from tinyc.compiler.session import Compilation
from tinyc.compiler.session.measure import measured

SLACK = 0.15
"""What a network's instructions may be estimated beside: it is for choosing, and for times on boards that are known
less well."""
LAYER = 0.25
"""The same for a layer of a tenth of the network's instructions and more."""
COUNTED = {
    ("mobilenet_v1_0.25_96", "esp32c3"): 19_241_977,
    ("mobilenet_v1_0.25_96", "esp32"): 13_133_939,
    ("mobilenet_v1_0.25_96", "esp32s3"): 2_762_335,
    ("ds_cnn", "esp32s3"): 937_765,
    ("resnet8", "esp32"): 52_085_615,
    ("resnet8", "esp32s3"): 2_119_442,
    ("resnet8", "esp32c3"): 35_875_256,
}
"""By network and target, as the documentation has them."""
COUNTED_IN = {("ds_cnn", "esp32s3"): "8640"}
"""The arenas of those that were counted in another schedule than that of the least arena."""


def network(name: str, target: str, **options: object) -> Compilation:
    """A network in int8 for a target."""
    return compiled(CASES[name].network(), name, ("int8", "int8"), target=target, verify=False, **options)


def guessed(made: Compilation, target: str) -> list[int]:
    """The estimates of the layers."""
    chip = find(target)
    found = [
        instructions(made.program, s, tuning_of("balanced", chip), family_of(chip.isa)) for s in made.program.stages
    ]
    return [n for n in found if n is not None]


@pytest.mark.parametrize(("name", "target"), COUNTED)
def test_networks_as_counted(name: str, target: str) -> None:
    made = network(name, target, input_layout="nhwc", ram=COUNTED_IN.get((name, target)))
    assert sum(guessed(made, target)) == pytest.approx(COUNTED[name, target], rel=SLACK)


@pytest.mark.simulator
@pytest.mark.parametrize("target", ["esp32c3", "esp32", "esp32s3"])
@pytest.mark.parametrize("ram", [None, "60K"])
def test_layers(target: str, ram: str | None) -> None:
    """Counts as they are now, in two schedules."""
    machine = find(target).simulator
    need_simulator(machine)
    made = network("ds_cnn", target, ram=ram)
    found = measured(made, SimulatorRunner(made.source, MACHINES[machine]))
    guesses = guessed(made, target)
    assert sum(guesses) == pytest.approx(found["instructions"], rel=SLACK)
    for layer, guess in zip(found["layers"], guesses, strict=True):
        if layer["instructions"] * 10 >= found["instructions"]:
            assert guess == pytest.approx(layer["instructions"], rel=LAYER), layer["name"]


@pytest.mark.simulator
@pytest.mark.parametrize("target", ["esp32c3", "esp32p4", "esp32s3"])
def test_floats_at_the_interface(target: str) -> None:
    """What quantises them works on their bits, with a floating-point unit and without one."""
    machine = find(target).simulator
    need_simulator(machine)
    made = compiled(CASES["ds_cnn"].network(), "ds_cnn", ("float32", "float32"), target=target, verify=False)
    found = measured(made, SimulatorRunner(made.source, MACHINES[machine]))
    (counted,) = (layer["instructions"] for layer in found["layers"] if layer["operator"] == "quantize")
    numbers = [k for k, stage in enumerate(made.program.stages) if stage.op.mnemonic == "quantize"]
    assert [guessed(made, target)[k] for k in numbers] == [pytest.approx(counted, rel=LAYER)]


def test_every_chip_has_a_family() -> None:
    assert {t.name for t in builtin().values() if not family_of(t.isa)} == {"host"}
    made = network("ds_cnn", "esp32")
    chip = find("esp32")
    assert instructions(made.program, made.program.stages[0], tuning_of("balanced", chip), "") is None


@pytest.mark.parametrize("family", tables())
def test_tables(family: str) -> None:
    """Factors are never negative; loops over elements, which stand in for operators without a line, have one."""
    table = tables()[family]
    assert all(len(line) == 5 and min(line) >= 0 < max(line) for line in table.values())
    assert f"{LOOPS} f32 plain" in table

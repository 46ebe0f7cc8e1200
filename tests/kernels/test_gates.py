"""Where ESP-NN must not be called: each gate holds where it must, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cases import GATES, Layers, conv, shown
from tests.kernels.support import choose, gates, layers, notes
from tests.rows import lowered
from tinyc.backends.libraries import EspNN
from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn_gates import GATES as ALL
from tinyc.backends.libraries.esp_nn_scratch import scratch_bytes
from tinyc.ir.rows import Space
from tinyc.ir.rows.kernels import Offer


def test_every_gate_has_a_case() -> None:
    assert [g.name for g in ALL] == list(GATES)
    assert len({g.name for g in ALL}) == len(ALL)
    assert all(g.because and g.known in ("run", "read", "interface", "caution") for g in ALL)


@pytest.mark.parametrize("name", list(GATES))
def test_gate(name: str) -> None:
    """A layer at the gate is not computed as a whole by the library, which says why; the one close by is."""
    case = GATES[name]
    maker = Layers(np.random.default_rng(3))
    caught = case.caught(maker)
    near = case.near(maker)
    outputs = [caught if case.straight else shown(maker, caught), shown(maker, near)]
    found = gates(maker, outputs, case.chip)
    assert found[caught.name].startswith(f"{name}: "), found[caught.name]
    assert not found[near.name]


@pytest.mark.parametrize("name", [g.name for g in ALL if g.chips])
def test_gates_of_one_chip_leave_others_alone(name: str) -> None:
    case = GATES[name]
    maker = Layers(np.random.default_rng(3))
    value = case.caught(maker)
    assert not gates(maker, [value if case.straight else shown(maker, value)])[value.name]


def test_scratch_of_a_large_convolution() -> None:
    """What the ESP32-S3 asks for 56x56x64 to 64, 3x3, is known, and too much without being asked for."""
    call = LibraryCall("conv", 56, 56, 64, 56, 56, 64, kernel=(3, 3), begin=(1, 1))
    assert scratch_bytes(call, "esp32s3") == 504_640
    maker = Layers(np.random.default_rng(3))
    value = conv((1, 56, 56, 64), 3, 64, pads=(1, 1, 1, 1))(maker)
    other = conv((1, 8, 8, 16), 3, 16)(maker)
    program = lowered(maker.builder.build([shown(maker, value), shown(maker, other)]), "arena")
    offer = EspNN("esp32s3").offer(program, next(s for s in program.stages if s.result == value), True)
    assert isinstance(offer, Offer)
    assert offer.scratch == 504_640
    # Of a row it is the filters, still more than nobody has asked for.
    assert "bytes of scratch memory" in notes(choose(program, "esp32s3"))[value.name]


def test_scratch_lies_in_the_arena_while_its_layer_runs() -> None:
    maker = Layers(np.random.default_rng(3))
    values = [conv((1, 8, 8, 16), 3, 16, pads=(1, 1, 1, 1))(maker) for _ in range(3)]
    program = layers(maker, [shown(maker, v) for v in values], "esp32s3")
    assert program.plan is not None
    scratch = [s.kernel.scratch for s in program.stages if s.kernel.library]
    slots = [program.plan.by_buffer[v.name] for v in scratch if v is not None]
    assert len(slots) == 3
    # One after the other, so that they share bytes.
    assert all(slot.first == slot.last for slot in slots)
    assert len({slot.first for slot in slots}) == 3
    assert program.plan.bytes < sum(slot.bytes for slot in slots)
    assert program.plan.alignment == 16
    for number, stage in enumerate(program.stages):
        for value in stage.touched if stage.kernel.library else ():
            root, offset = program.root(value.name)
            if root.space is Space.ARENA:
                assert (program.plan.by_buffer[root.name].offset + offset) % 16 == 0, number


def test_without_vectors_nothing_is_aligned() -> None:
    maker = Layers(np.random.default_rng(3))
    program = layers(maker, [shown(maker, conv((1, 5, 5, 3), 3, 3)(maker))])
    assert program.plan is not None
    assert program.plan.alignment == 1


@pytest.mark.parametrize("chip", ["", "esp32s3", "esp32p4"])
def test_no_offer_for_what_the_library_lacks(chip: str) -> None:
    """Every stage gets an offer or a reason, whatever it is."""
    maker = Layers(np.random.default_rng(3))
    x = maker.input((1, 4, 4, 4))
    program = lowered(maker.builder.build([maker.lookup(x), maker.joined(x, x)]))
    for stage in program.stages:
        assert str(EspNN(chip).offer(program, stage, True)).startswith("no function")
    assert not isinstance(EspNN(chip).offer(program, program.stages[0], True), Offer)

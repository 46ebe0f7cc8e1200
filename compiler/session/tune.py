"""Which register tiles a network's layers are best computed with, by trying them on a simulated machine.

All layers have the same tile in one build, so that there are as many builds as tiles and not as combinations of layers and
tiles; what each layer takes is counted by itself.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from tinyc.backends.c.source import CSource
from tinyc.backends.c.tuned import KINDS, Choice, Choices, Shape, shape_of, written
from tinyc.backends.runners import Machine, SimulatorRunner
from tinyc.compiler.base.files import write_file
from tinyc.compiler.lowering import Lowered, Pipeline, lower
from tinyc.compiler.session.code import generate_code
from tinyc.compiler.session.measure import find_machine
from tinyc.compiler.session.session import Session
from tinyc.compiler.verify import VerificationError
from tinyc.ir.errors import TinycError

LEAST_GAIN = 0.01
"""The part of a layer's instructions that a choice has to save: less is not worth a line of the table, nor a function that
layers do not share."""


class TunedLayer(TypedDict):
    """What one layer took by the rules, and takes by what was chosen; `choice` is empty where the rules stay."""

    index: int
    name: str
    shape: str
    choice: str
    before: int
    after: int


class Tuned(TypedDict):
    """What came of tuning, as `tinyc tune` tells it: instructions of one inference and bytes of code by the rules and by
    what was chosen, the layers that have tiles, and what it took. `written` is empty where nothing was gained."""

    model: str
    on: str
    written: str
    before: int
    after: int
    code_bytes_before: int
    code_bytes_after: int
    builds: int
    seconds: float
    layers: list[TunedLayer]


@dataclass(frozen=True)
class Build:
    """The network with some choices.

    Attributes:
        lowered: its row program.
        source: its C.
        runner: what runs that.
    """

    lowered: Lowered
    source: CSource
    runner: SimulatorRunner

    def paired(self, number: int) -> bool:
        """Whether a stage pairs its weights."""
        return self.lowered.program.stages[number].kernel.scratch is not None


Counts = Mapping[int, int]
"""Instructions by the number of the stage."""


class Tuner:
    """Builds a network with one choice of tiles after another.

    Args:
        session: the network and its options.
        machine: what counts.
        say: told what is being done.
    """

    def __init__(self, session: Session, machine: Machine, say: Callable[[str], None]) -> None:
        if session.options.optimize == "size":
            raise TinycError("`optimize=size` shares functions between layers of all shapes; tune for speed or balanced")
        self._session, self._machine, self._say = session, machine, say
        self.builds = 0

    def build(self, choices: Choices) -> Build:
        """The network with these choices alone."""
        session = self._session
        tuning = dataclasses.replace(session.setup.tuning, choices=choices)
        options = dataclasses.replace(session.options, verify=False, dump_ir=None, debug_passes=())
        pipeline = Pipeline(options, _silent, tuning)
        lowered = lower(session.quantised, pipeline, options, session.evidence, _silent)
        source = generate_code(lowered, session.imported, dataclasses.replace(session.setup, tuning=tuning))
        self.builds += 1
        return Build(lowered, source, SimulatorRunner(source, self._machine))

    def counted(self, choice: Choice) -> tuple[Build, Counts]:
        """A build with one choice for all layers, and what these take."""
        self._say(f"build and count with {_named(choice)}")
        build = self.build(Choices(otherwise=choice))
        return build, _by_stage(build, build.runner.measure_layers(list(build.lowered.samples[0])))

    def choose(self, shapes: Mapping[Shape, list[int]], before: Counts) -> dict[Shape, Choice]:
        """The best choices for shapes, each that of the stages of these numbers, where they gain."""
        kinds = {shape.kind for shape in shapes}
        plain = {tile: self.counted(Choice(tile, 0))[1] for tile in _tiles(kinds)}
        pairing = _tiles(kind for kind in kinds if KINDS[kind].pairs)
        paired = {tile: self.counted(Choice(paired_tile=tile)) for tile in pairing}
        found = {}
        for shape, stages in shapes.items():
            most = KINDS[shape.kind].most
            counts = {t: c for t, c in plain.items() if t <= most}
            pairs = {t: c for t, (build, c) in paired.items() if all(map(build.paired, stages))}
            choice = _best(stages, before, counts, pairs)
            if choice is not None:
                found[shape] = choice
        return found


def tune(session: Session, on: str, output: Path, say: Callable[[str], None]) -> Tuned:
    """Tunes a network and writes the table of what was chosen, if the network gains by it.

    Args:
        session: the network and its options; choices of these and of the target are left aside.
        on: the machine; empty for that of the target.
        output: the file to write.
        say: told what is being done.

    Raises:
        MissingTool: the simulator is not installed.
        VerificationError: results differ.
        TinycError: there is no machine for the target, or the network cannot be built.
    """
    began = time.monotonic()
    machine = find_machine(on or _machine_of(session))
    tuner = Tuner(session, machine, say)
    say("build and count by the rules")
    first = tuner.build(Choices())
    inputs = list(first.lowered.samples[0])
    before = first.runner.measure(inputs)
    by_rules = _by_stage(first, before.layers)
    shapes = _shapes(first)
    choices = tuner.choose(shapes, by_rules)
    last, after = first, before
    if choices:
        say("build and count with what was chosen")
        last = tuner.build(Choices(choices))
        after = last.runner.measure(inputs)
        say("compare the results")
        _compare(first, last)
    if gained := after.instructions < before.instructions:
        write_file(output, written(choices, f"Measured by `tinyc tune` on {machine.name}.").encode())
    else:
        choices, last, after = {}, first, before
    return {
        "model": first.source.name,
        "on": machine.name,
        "written": str(output) if gained else "",
        "before": before.instructions,
        "after": after.instructions,
        "code_bytes_before": before.code_bytes,
        "code_bytes_after": after.code_bytes,
        "builds": tuner.builds,
        "seconds": round(time.monotonic() - began, 1),
        "layers": _layers(first, shapes, choices, by_rules, _by_stage(last, after.layers)),
    }


def _silent(line: str) -> None:
    """Nobody is told."""


def _machine_of(session: Session) -> str:
    target = session.setup.target
    if not target.tuned_on:
        raise TinycError(f"no simulated machine stands for target {target.name}; name one with `on`, or another target")
    return target.tuned_on


def _by_stage(build: Build, layers: Iterable[int]) -> Counts:
    return {stage.number: count for stage, count in zip(build.source.stages, layers, strict=True)}


def _shapes(build: Build) -> dict[Shape, list[int]]:
    """The stages of each shape, by their numbers."""
    found: dict[Shape, list[int]] = {}
    for stage in build.source.stages:
        shape = shape_of(build.lowered.program.stages[stage.number])
        if shape is not None:
            found.setdefault(shape, []).append(stage.number)
    return found


def _tiles(kinds: Iterable[str]) -> range:
    """The tiles that any of some kinds of kernels can have."""
    return range(1, max((KINDS[kind].most for kind in kinds), default=0) + 1)


def _best(
    stages: Collection[int], before: Counts, plain: Mapping[int, Counts], paired: Mapping[int, Counts]
) -> Choice | None:
    """The choice with which these stages take the fewest instructions; None if it saves too few of what they took.
    `plain` and `paired` have what stages take, by the pixels of a tile."""

    def total(counts: Counts) -> int:
        return sum(counts[number] for number in stages)

    tile = min(plain, key=lambda t: total(plain[t]))
    least, pairs = total(plain[tile]), None
    if paired:
        pairs = min(paired, key=lambda t: total(paired[t]))
        if total(paired[pairs]) < least:
            least = total(paired[pairs])
        else:
            pairs = 0
    return Choice(tile, pairs) if total(before) - least > LEAST_GAIN * total(before) else None


def _compare(first: Build, last: Build) -> None:
    """Raises `VerificationError` unless two builds give the same bits."""
    samples = first.lowered.samples
    for ours, theirs in zip(first.runner.run(samples), last.runner.run(samples), strict=True):
        for value, one, other in zip(first.lowered.program.outputs, ours, theirs, strict=True):
            if not np.array_equal(one.view(np.uint8), other.view(np.uint8)):
                raise VerificationError(f"{value.name} differs with the tiles that were chosen; nothing is written")


def _layers(
    build: Build, shapes: Mapping[Shape, list[int]], choices: Mapping[Shape, Choice], before: Counts, after: Counts
) -> list[TunedLayer]:
    stages = build.lowered.program.stages
    rows: list[TunedLayer] = [
        {
            "index": number,
            "name": stages[number].loc or stages[number].result.name,
            "shape": f"{shape.kind} {shape}",
            "choice": _named(choices[shape]) if shape in choices else "",
            "before": before[number],
            "after": after[number],
        }
        for shape, numbers in shapes.items()
        for number in numbers
    ]
    return sorted(rows, key=lambda row: row["index"])


def _named(choice: Choice) -> str:
    if choice.paired_tile:
        return f"{choice.paired_tile} pixels, paired"
    return f"{choice.tile} pixels"

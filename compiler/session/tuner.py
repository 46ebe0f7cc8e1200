"""Which register tiles a network's layers are best computed with, by trying them on a simulated machine.

All layers have the same tile in one build, and what each layer takes is counted by itself: there are as many builds as
tiles, and not as combinations of layers and tiles.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import numpy as np

from tinyc.backends.c.source import CSource
from tinyc.backends.c.tuned import KINDS, Choices, Shape, Tiling, shape_of, written
from tinyc.backends.runners import Machine, Measurement, SimulatorRunner
from tinyc.compiler.base.files import write_file
from tinyc.compiler.lowering import Lowered, Pipeline, lower
from tinyc.compiler.session.code import generate_code
from tinyc.compiler.session.measure import find_machine
from tinyc.compiler.session.session import Session
from tinyc.compiler.verify import VerificationError
from tinyc.ir.errors import TinycError

LEAST_GAIN = 0.01
"""The part of a layer's instructions that a choice has to save: less is not worth a line of the table."""
PRICE = 10.0
"""Tuned for "balanced", the part of the network's code that choices may add for each part of its instructions that they
save: tiles of their own mean functions that layers do not share."""


class TunedLayer(TypedDict):
    """What one layer took by the rules, and takes by what was chosen; `choice` is empty where the rules stay."""

    index: int
    name: str
    shape: str
    choice: str
    before: int
    after: int


class Tuned(TypedDict):
    """What came of tuning, as `tinyc tune` tells it: instructions of one inference and bytes of code by the rules and
    as was chosen, the layers that have tiles, and what it took. `written` is empty where nothing was gained."""

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


Counts = Mapping[int, int]
"""Instructions by the number of the stage."""


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

    @cached_property
    def measured(self) -> Measurement:
        """What an inference takes."""
        return self.runner.measure(list(self.lowered.samples[0]))

    @property
    def counts(self) -> Counts:
        """What each layer takes."""
        return self._by_stage(self.measured.layers)

    def count_layers(self) -> Counts:
        """The same, without the rest."""
        return self._by_stage(self.runner.measure_layers(list(self.lowered.samples[0])))

    def paired(self, number: int) -> bool:
        """Whether a stage pairs its weights."""
        return self.lowered.program.stages[number].kernel.has_spare

    def _by_stage(self, layers: Iterable[int]) -> Counts:
        return {stage.number: count for stage, count in zip(self.source.stages, layers, strict=True)}


class Tuner:
    """Builds a network with one choice of tiles after another.

    Args:
        session: the network and its options.
        machine: what counts.
        say: told what is being done.
    """

    def __init__(self, session: Session, machine: Machine, say: Callable[[str], None]) -> None:
        if session.options.optimize == "size":
            raise TinycError(
                "`optimize=size` leaves measured tiles aside; take `optimize=balanced` or `optimize=speed` to tune"
            )
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

    def counted(self, choice: Tiling) -> tuple[Build, Counts]:
        """A build with one choice for all layers, and what these take."""
        self._say(f"build and count with {_named(choice)}")
        build = self.build(Choices(otherwise=choice))
        return build, build.count_layers()

    def choose(self, shapes: Mapping[Shape, list[int]], before: Counts) -> dict[Shape, Tiling]:
        """The best choices for shapes, each that of the stages of these numbers, where they gain."""
        kinds = {shape.kind for shape in shapes}
        plain = {tile: self.counted(Tiling(tile, 0))[1] for tile in _tiles(kinds)}
        pairing = _tiles(kind for kind in kinds if KINDS[kind].pairs)
        paired = {tile: self.counted(Tiling(paired_tile=tile)) for tile in pairing}
        found = {}
        for shape, stages in shapes.items():
            most = KINDS[shape.kind].most
            counts = {t: c for t, c in plain.items() if t <= most}
            pairs = {t: c for t, (build, c) in paired.items() if all(map(build.paired, stages))}
            choice = _best(stages, before, counts, pairs)
            if choice is not None:
                found[shape] = choice
        return found

    def worthwhile(self, choices: Mapping[Shape, Tiling], rules: Build) -> tuple[dict[Shape, Tiling], Build]:
        """Those that make the whole network better than the rules do, and the build with them. Layers of one kind and
        tile share functions, and come or stay together."""
        groups: dict[tuple[str, str], dict[Shape, Tiling]] = {}
        for shape, choice in choices.items():
            groups.setdefault((shape.kind, _named(choice)), {})[shape] = choice
        kept: dict[Shape, Tiling] = {}
        best = rules
        for (kind, name), group in groups.items():
            self._say(f"build and count {kind} with {name}")
            build = self.build(Choices({**kept, **group}))
            if self._pays(best.measured, build.measured, rules.measured):
                kept, best = {**kept, **group}, build
        return kept, best

    def _pays(self, before: Measurement, after: Measurement, whole: Measurement) -> bool:
        """Whether instructions are saved, at no more code than they are worth."""
        saved = (before.instructions - after.instructions) / whole.instructions
        added = (after.code_bytes - before.code_bytes) / whole.code_bytes
        return saved > 0 and (self._session.options.optimize == "speed" or added <= PRICE * saved)


def tune_session(
    session: Session, on: str = "", output: Path | None = None, say: Callable[[str], None] | None = None
) -> Tuned:
    """Tunes a network and writes the table of what was chosen, if the network gains by it.

    Args:
        session: the network and its options; choices of these and of the target are left aside.
        on: the machine; empty for that of the target.
        output: the file to write; MODEL_MACHINE.toml by default.
        say: told what is being done.

    Raises:
        MissingTool: the simulator is not installed.
        VerificationError: results differ.
        TinycError: there is no machine for the target, or the network cannot be built.
    """
    began, say = time.monotonic(), say or _silent
    machine = find_machine(on or _machine_of(session))
    output = output or Path(f"{session.setup.name}_{machine.name}.toml")
    if not output.absolute().parent.is_dir():
        raise TinycError(f"there is no folder {str(output.parent)!r} to write {output.name} to")
    tuner = Tuner(session, machine, say)
    say("build and count by the rules")
    rules = tuner.build(Choices())
    shapes = _shapes(rules)
    choices, best = tuner.worthwhile(tuner.choose(shapes, rules.counts), rules)
    if choices:
        say("compare the results")
        _compare(rules, best)
        write_file(output, written(choices, f"Measured by `tinyc tune` on {machine.name}.").encode())
    before, after = rules.measured, best.measured
    return {
        "model": rules.source.name,
        "on": machine.name,
        "written": str(output) if choices else "",
        "before": before.instructions,
        "after": after.instructions,
        "code_bytes_before": before.code_bytes,
        "code_bytes_after": after.code_bytes,
        "builds": tuner.builds,
        "seconds": round(time.monotonic() - began, 1),
        "layers": _layers(rules, shapes, choices, best.counts),
    }


def _silent(line: str) -> None:
    """Nobody is told."""


def _machine_of(session: Session) -> str:
    target = session.setup.target
    if not target.tuned_on:
        raise TinycError(f"no simulated machine stands for target {target.name}; name one with `on`, or another target")
    return target.tuned_on


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
) -> Tiling | None:
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
    return Tiling(tile, pairs) if total(before) - least > LEAST_GAIN * total(before) else None


def _compare(first: Build, last: Build) -> None:
    """Raises `VerificationError` unless two builds give the same bits."""
    samples = first.lowered.samples
    for ours, theirs in zip(first.runner.run(samples), last.runner.run(samples), strict=True):
        for value, one, other in zip(first.lowered.program.outputs, ours, theirs, strict=True):
            if not np.array_equal(one.view(np.uint8), other.view(np.uint8)):
                raise VerificationError(f"{value.name} differs with the tiles that were chosen; nothing is written")


def _layers(
    rules: Build, shapes: Mapping[Shape, list[int]], choices: Mapping[Shape, Tiling], after: Counts
) -> list[TunedLayer]:
    stages, before = rules.lowered.program.stages, rules.counts
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


def _named(choice: Tiling) -> str:
    if choice.paired_tile:
        return f"{choice.paired_tile} pixels, paired"
    return f"{choice.tile} pixels"

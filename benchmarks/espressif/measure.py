"""Counts a layer: as tinyc computes it, and as ESP-NN does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import esp_nn
from benchmarks.building import Differs, compiled, held
from benchmarks.espressif.layers import LAYER, LAYERS
from benchmarks.instructions.cases import INT8, TARGETS
from tinyc.backends.runners import Machine, RunnerError, SimulatorRunner
from tinyc.compiler.session import Compilation

OURS, ALONE = "tinyc", "tinyc alone"
"""Ours in the midst of a network, which ESP-NN is held against, and in the least arena of the layer."""
RAM = "256K"
"""Enough for every operand and result to lie beside each other, and for whatever scratch memory there is."""


@dataclass(frozen=True)
class Row:
    """What a layer takes on a machine.

    Attributes:
        layer: its name.
        machine: what it ran on.
        by: whose C, or assembly, computes it.
        flags: options of the C compiler.
        macs: its multiply-accumulates.
        elements: of its result.
        instructions: of the layer; None where it was not counted.
        arena: bytes of the network's arena, with scratch memory.
        limit: instructions of a multiply-accumulate, or of an element, at most; None where nothing is asked.
        because: why it was not counted.
        wrong: it was not counted because it fails, or its results are others than the interpreter's.
    """

    layer: str
    machine: str
    by: str
    flags: str
    macs: int = 0
    elements: int = 0
    instructions: int | None = None
    arena: int = 0
    limit: float | None = None
    because: str = ""
    wrong: bool = False

    @property
    def work(self) -> int:
        """Multiply-accumulates, or, of a layer without any, elements of the result."""
        return self.macs or self.elements

    @property
    def each(self) -> float | None:
        """Instructions of one of these."""
        return None if self.instructions is None else self.instructions / self.work

    @property
    def missed(self) -> bool:
        """Whether there is a limit that it does not keep. What was not counted keeps none."""
        return self.limit is not None and (self.each is None or self.each > self.limit)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        each = None if self.each is None else round(self.each, 4)
        return {**asdict(self), "each": each, "missed": self.missed}


def measure(names: Sequence[str], machine: Machine, flags: str, sources: str) -> Iterator[Row]:
    """The rows of layers on a machine: ESP-NN's forms, if its sources are there, and ours twice.

    Raises:
        MissingTool: what makes or runs programs for the machine, or a source of ESP-NN, is missing.
        TinycError: our results are not the interpreter's.
    """
    with ExitStack() as stack:
        libraries = {}
        for form in esp_nn.FORMS[machine.name] if sources else ():
            into = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            libraries[form] = esp_nn.built(Path(sources), machine, form, flags.split(), into)
        for name in names:
            for form, library in libraries.items():
                yield _theirs(name, machine, flags, form, library)
            yield from _ours(name, machine, flags)


def _ours(name: str, machine: Machine, flags: str) -> Iterator[Row]:
    limit = LAYERS[name].limits.get(machine.name)
    for by, room, most in ((OURS, True, limit), (ALONE, False, None)):
        made = _made(name, machine.name, room)
        runner = SimulatorRunner(made.source, machine, flags.split())
        yield replace(_counted(made, runner, Row(name, machine.name, by, flags)), limit=most)


def _theirs(name: str, machine: Machine, flags: str, form: esp_nn.Form, library: Path) -> Row:
    """ESP-NN's row; one without a number where it is not called, or is wrong."""
    row = Row(name, machine.name, f"ESP-NN {form.name}", flags)
    made = _made(name, form.target or machine.name, room=True, kernels=esp_nn.LIBRARY)
    kernel = made.program.stages[_number(made)].kernel
    if kernel.library != esp_nn.LIBRARY:
        return replace(row, because=f"not called: {kernel.note.removeprefix(f'{esp_nn.LIBRARY}: ')}")
    try:
        return _counted(made, esp_nn.runner(made.source, machine, form, flags.split(), library), row)
    except (Differs, RunnerError) as error:
        return replace(row, because=str(error), wrong=True)


def _made(name: str, machine: str, room: bool, **options: Any) -> Compilation:
    options |= {"target": TARGETS[machine], "input_layout": "nhwc", "verify": False}
    options |= {"ram": RAM} if room else {}
    return compiled(LAYERS[name].network(name, room), name, INT8, **options)


def _number(made: Compilation) -> int:
    """The stage that computes the layer; what only moves its result comes behind."""
    return next(n for n, stage in enumerate(made.program.stages) if stage.loc.split("+")[0] == LAYER)


def _counted(made: Compilation, runner: SimulatorRunner, row: Row) -> Row:
    """The row with what the layer takes, once the results of the network have been compared.

    Raises:
        Differs: they are others than the interpreter's.
        RunnerError: the program cannot be made, or fails.
    """
    held(made, runner, 0.0)
    number = _number(made)
    op = made.program.stages[number].op
    counts = runner.measure_layers(list(made.lowered.samples[0]))
    by_stage = {stage.number: count for stage, count in zip(made.source.stages, counts, strict=True)}
    found = replace(row, instructions=by_stage[number], arena=made.source.arena_bytes)
    return replace(found, macs=op.macs(), elements=op.type.size)

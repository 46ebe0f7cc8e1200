"""One inference that a device printed, held against the interpreter.

Integers must be equal and floats but for rounding, with one exception. An integer made of floats that were rounded may
stand a step beside the expected one, and what is made of it further; so wherever the log shows that a float before it
is not the interpreter's bit for bit, integers may differ by `STEPS`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from tinyc.backends.c.hooks import shown_inputs
from tinyc.backends.interpreter import run_program
from tinyc.compiler.dump.log import Dumped, Inference, LogError, Part, gather
from tinyc.compiler.verify.gaps import ABSOLUTE, RELATIVE
from tinyc.ir.rows import RowProgram, row_count
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

STEPS = 12
"""Quantisation steps (of 256) by which integers made of rounded floats may differ. Where a value lies between two
steps, float arithmetic may round it either way, and layers add up: on keyword spotting, onnxruntime differs from itself
by up to 7 steps with its optimisations on or off."""

EQUAL, CLOSE, DIFFERS, MISSING, UNCHECKED = "equal", "close", "differs", "missing", "unchecked"
"""What becomes of a layer: equal bit for bit; but for rounding; different; not whole in the log, and what there is does
not differ; integers made of rounded floats, of which only a checksum is known."""


@dataclass(frozen=True)
class Difference:
    """Where a result, or an input, differs first.

    Attributes:
        layer: its number; of an input -1 for the first, -2 for the second.
        shape: of the whole, in the layout of the C.
        offset: the first element that differs, counted from the first of all.
        value: that element on the device; None where only a checksum is known.
        expected: what it should be.
        covers: elements from `offset` on that the checksum stands for; 1 where the element is known.
        count: elements that differ; all that a checksum stands for count.
        hint: what may be the cause; empty for none.
    """

    layer: int
    shape: tuple[int, ...]
    offset: int
    value: float | None
    expected: float
    covers: int
    count: int
    hint: str = ""

    @property
    def element(self) -> tuple[int, ...]:
        """The element as an index."""
        return tuple(int(i) for i in np.unravel_index(self.offset, self.shape))


@dataclass(frozen=True)
class Compared:
    """What became of one inference.

    Attributes:
        line: where it begins in the log.
        input: where an input differs from the one that was given; None for nowhere, or if none was given.
        first: the first difference of a layer in the order of execution; None for none.
        layers: what became of each layer, by number; empty when they could not be compared.
        missing: numbers of the inputs and layers that the log lacks, or has in part.
    """

    line: int
    input: Difference | None
    first: Difference | None
    layers: Mapping[int, str]
    missing: tuple[int, ...]

    @property
    def agrees(self) -> bool:
        """Whether all is there and nothing differs."""
        return self.input is None and self.first is None and not self.missing


def result_types(program: RowProgram) -> dict[int, TensorType]:
    """The types of what a dump shows: the layers' results by number, and inputs by -1, -2 and so on."""
    inputs = {-1 - n: program.inputs[n].type for n in shown_inputs(program)}
    return inputs | {n: s.result.type for n, s in enumerate(program.stages) if s.result.type.size}


def compare_inference(program: RowProgram, inference: Inference, intended: Sequence[Array] | None) -> Compared:
    """Holds an inference against the interpreter, which takes the device's own inputs where the log has them whole:
    what differs in the inputs, or is rounded there, does then not hide what the layers do.

    Args:
        program: the one that the dump is of.
        inference: from the log.
        intended: the inputs that the device should have had, as the program takes them; None where nobody knows.

    Raises:
        LogError: neither are there inputs in the log nor are any given.
    """
    dumped = gather(inference, result_types(program))
    missing = tuple(n for n in sorted(dumped, key=lambda n: (n >= 0, abs(n))) if not dumped[n].seen.all())
    homes = {k: home for k, home in _input_homes(program).items() if home in dumped}
    wrong = None
    if intended is not None:
        found = (_input_difference(dumped[home], home, intended[k]) for k, home in homes.items())
        wrong = next(filter(None, found), None)
    if all(dumped[home].known.all() for home in homes.values()):
        # An input that nothing reads is not shown: it may be anything.
        nothing = [np.zeros(v.shape, v.dtype.numpy) for v in program.inputs]
        inputs = [
            dumped[homes[k]].values.reshape(a.shape) if k in homes else a for k, a in enumerate(intended or nothing)
        ]
    elif intended is None:
        raise LogError(f"the inference at line {inference.line} lacks some of its inputs: give them by `inputs`")
    elif wrong is not None:
        return Compared(inference.line, wrong, None, {}, missing)
    else:
        inputs = list(intended)
    expected: dict[int, Array] = {}
    run_program(program, inputs, expected.__setitem__)
    verdicts, masks = _judge(program, dumped, {-1 - k: a for k, a in enumerate(inputs)} | expected)
    first = _first(program, dumped, expected, masks)
    return Compared(inference.line, wrong, first, verdicts, missing)


def _input_homes(program: RowProgram) -> dict[int, int]:
    """By the number of an input, where a dump shows it: by a negative number, or, if its rows come from outside, as the
    result of the layer that takes them."""
    homes = {k: -1 - k for k in range(len(program.inputs))}
    names = [v.name for v in program.inputs]
    for number, stage in enumerate(program.stages):
        if program.takes_rows(stage):
            homes[names.index(stage.op.operands[0].name)] = number
    return homes


def _input_difference(dumped: Dumped, home: int, intended: Array) -> Difference | None:
    """Where an input differs from what was given by more than rounding."""
    want = intended.reshape(-1)
    wrong = dumped.known & ~_near(dumped.values, want, RELATIVE)
    if not wrong.any():
        return None
    hint = _hint(dumped.values, want) if dumped.known.all() else ""
    return replace(_difference(home, intended.shape, dumped, want, wrong, int(np.argmax(wrong))), hint=hint)


def _hint(own: Array, want: Array) -> str:
    """What the relation of an input to the expected one says of the cause; empty when it says nothing."""
    a, b = own.astype(np.float64), want.astype(np.float64)
    if own.size < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return ""
    if (own == own[0]).all():
        return f"all its elements are {own[0]:g}: was it filled before this run?"
    if np.array_equal(np.sort(own), np.sort(want)):
        return "it has the expected elements in another order: the header says in which layout the C takes them"
    slope = float(a @ b / (b @ b)) if b.any() else 0.0
    if slope and np.abs(a - slope * b).max() <= 0.01 * np.abs(a).max():
        return f"it is the expected one times {slope:.4g}: is it normalised as the model takes it?"
    return ""


def _same(own: Array, want: Array) -> Array:
    """Which elements are equal; NaN is NaN."""
    return np.asarray((own == want) | ((own != own) & (want != want)))


def _near(own: Array, want: Array, relative: float) -> Array:
    """Which elements are equal: integers exactly, floats but for rounding, relative to the largest of all."""
    same = _same(own, want)
    if want.dtype.kind != "f":
        return same
    largest = np.abs(want[np.isfinite(want)].astype(np.float64)).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        apart = np.abs(own.astype(np.float64) - want.astype(np.float64))
        return np.asarray(same | (apart <= max(ABSOLUTE, relative * float(largest))))


def _failed(dumped: Dumped, want: Array) -> list[Part]:
    """The parts whose checksum is not that of what is expected."""
    return [p for p in dumped.checksums if zlib.crc32(np.ascontiguousarray(want[p.elements]).tobytes()) != p.crc]


def _judge(
    program: RowProgram, dumped: Mapping[int, Dumped], expected: Mapping[int, Array]
) -> tuple[dict[int, str], dict[int, Array]]:
    """What becomes of each layer, and which of its elements differ."""
    verdicts: dict[int, str] = {}
    masks: dict[int, Array] = {}
    sources = _sources(program)
    rounded: set[int] = set()  # floats that are not, or not known to be, the interpreter's bit for bit
    stepped: set[int] = set()  # integers made of such floats that may be others, and what is made of those
    for number in sorted(dumped, key=lambda n: (n >= 0, n)):
        own, want = dumped[number], expected[number].reshape(-1)
        before = sources.get(number, frozenset())
        steps, loose = bool(before & stepped), bool(before & (stepped | rounded))
        is_float = want.dtype.kind == "f"
        near = _near(own.values, want, STEPS / 256 if steps else RELATIVE)
        if loose and not is_float:
            # A wider integer is an index or a count: made of rounded floats, it may be any.
            wide = want.dtype.itemsize > 1
            near = near | wide | (np.abs(own.values.astype(np.int64) - want.astype(np.int64)) <= STEPS)
        wrong, failed = own.known & ~near, _failed(own, want)
        identical = not failed and bool(own.seen.all()) and bool((_same(own.values, want) | ~own.known).all())
        if not (is_float or loose):
            for part in failed:
                wrong[part.elements] = True
        elif not identical:
            (rounded if is_float and not steps else stepped).add(number)
        masks[number] = wrong
        if wrong.any():
            verdicts[number] = DIFFERS
        elif not own.seen.all():
            verdicts[number] = MISSING
        elif failed:
            verdicts[number] = UNCHECKED
        else:
            verdicts[number] = EQUAL if identical else CLOSE
    return {n: v for n, v in verdicts.items() if n >= 0}, masks


def _sources(program: RowProgram) -> dict[int, Set[int]]:
    """The layers and inputs that each layer reads, by number. Where several layers wrote the bytes that a view shows,
    all of them."""
    made = {v.name: -1 - k for k, v in enumerate(program.inputs)}
    writers: dict[str, set[int]] = {program.root(v.name)[0].name: {-1 - k} for k, v in enumerate(program.inputs)}
    found: dict[int, Set[int]] = {}
    for number, stage in enumerate(program.stages):
        read: set[int] = set()
        for value in stage.op.operands:
            home = program.root(value.name)[0].name
            read |= {made[value.name]} if value.name in made else writers.get(home, set())
        found[number] = read
        made[stage.result.name] = number
        writers.setdefault(program.root(stage.result.name)[0].name, set()).add(number)
    return found


def _first(
    program: RowProgram, dumped: Mapping[int, Dumped], expected: Mapping[int, Array], masks: Mapping[int, Array]
) -> Difference | None:
    """The first difference in the order of execution: where layers advance together, row by row."""
    for step in program.schedule():
        stage = program.stages[step.stage]
        if step.stage not in masks or not masks[step.stage].any():
            continue
        size = stage.result.type.size
        row = size // row_count(stage.result) if stage.windows else size
        start = step.row * row
        wrong = masks[step.stage][start : start + step.rows * row]
        if wrong.any():
            want = expected[step.stage].reshape(-1)
            at = start + int(np.argmax(wrong))
            return _difference(step.stage, stage.result.shape, dumped[step.stage], want, masks[step.stage], at)
    return None


def _difference(layer: int, shape: tuple[int, ...], dumped: Dumped, want: Array, wrong: Array, at: int) -> Difference:
    """The difference of which element `at` is the first."""
    count = int(wrong.sum())
    if dumped.known[at]:
        return Difference(layer, shape, at, float(dumped.values[at]), float(want[at]), 1, count)
    part = next(p for p in dumped.checksums if p.first <= at < p.first + p.count)
    return Difference(layer, shape, part.first, None, float(want[part.first]), part.count, count)

"""Text tests of passes: IR in, expected IR out.

A file has cases. Each begins with a title, has header lines and a module, and after `// ====` what is expected:

    // ---- merges a clamp of a clamp
    // pass: simplify
    module @m {
      ...
    }
    // ====
    // told: clamp %y: Merge a clamp of a clamp
    module @m {
      ...
    }

The header says with which pass, `// pass: fold-constants {max_growth = 8}`, or passes, the last of which is tested. See
`_HEADERS` for what else it may say. Expected is

- `// told: ...`: each line that the pass tells, what it rewrote and what it did not and why;
- `// refused: ...`: the error, for what a pass refuses; or `// unchanged`, for the very same module; or the IR;
- `// note: ...`: why a stage has the kernel that it has;
- `// data: ...`: what the arrays hold that the IR names.

Whatever is expected, the interpreter runs the IR before and after each pass on seeded inputs, and both must agree as
closely as the pass says: to the sign of a zero where it declares no slack. A pass over modules has to leave alone what
it has made.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from tests.described import described, read, summary
from tests.generate import random_array
from tests.helpers import run, same_bits
from tinyc.backends.interpreter import observe, run_module
from tinyc.backends.libraries import libraries
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.verify.layers import jumps
from tinyc.compiler.verify.pass_layers import ComparePasses
from tinyc.ir import Module, Value
from tinyc.ir.rows import RowProgram, format_program
from tinyc.ir.tensor import Array
from tinyc.ir.text import format_module
from tinyc.passes import AnyPass, Pass, PassError, RowPass, Slack, registered, tracing
from tinyc.passes.core.base import apply
from tinyc.passes.core.manager import CompareMeaning, Instrument, ReplayRows, VerifyTypes
from tinyc.passes.quantise import Quantise, Range, Ranges
from tinyc.passes.quantise.bias import CorrectBias
from tinyc.passes.quantise.equalise import EqualiseRanges, see_channels
from tinyc.passes.stream.choose_kernels import ChooseKernels

TITLE, EXPECTED = "// ---- ", "// ====\n"
_HEADERS = {
    "pass": "the pass, with its options",
    "passes": "the passes that lead to the one that is tested, and this",
    "data": "an array that the module names: see `tests/described.py`",
    "range": "a calibrated range, `x = -1 to 1`: for `quantise`",
    "sample": "an input set, `x = f32[2]<0, 1>; y = eighths(f32[4])`: calibration data, and what is run",
}
_HEADER = re.compile(r"// ([a-z]+): (.*)")
_PASS = re.compile(r"([a-z-]+)(?: \{(.*?)\})?(?:, |$)")
_RANGE = re.compile(r"(.+) = (\S+) to (\S+)")

Option = bool | int | float | str


@dataclass(frozen=True)
class Case:
    """One case: its title, header and module as written, and what is expected, if that is there."""

    title: str
    given: str
    expected: str | None

    def text(self, expected: str) -> str:
        """The case as a file has it, with this expectation."""
        return f"{TITLE}{self.title}\n{self.given}{EXPECTED}{expected}\n"

    @cached_property
    def header(self) -> dict[str, list[str]]:
        """The header lines by their words."""
        found: dict[str, list[str]] = {word: [] for word in _HEADERS}
        for line in self.given.split("\n"):
            match = _HEADER.match(line)
            if match is not None:
                if match[1] not in found:
                    raise ValueError(f"{self.title}: no header is called {match[1]}; there are {', '.join(found)}")
                found[match[1]].append(match[2])
        return found

    @property
    def passes(self) -> list[tuple[str, dict[str, Option]]]:
        """Names and options of the passes."""
        lines = [*self.header["pass"], *self.header["passes"]]
        if len(lines) != 1 or not _PASS.match(lines[0]):
            raise ValueError(f"{self.title}: a case has one line `// pass: NAME` or `// passes: NAME, NAME`")
        return [(name, dict(_options(options))) for name, options in _PASS.findall(lines[0])]


def cases(file: Path) -> list[Case]:
    """The cases of a file."""
    _, *texts = f"\n{file.read_text(encoding='utf-8')}".split(f"\n{TITLE}")
    found = []
    for text in texts:
        title, _, rest = f"{text.rstrip()}\n".partition("\n")
        given, there, expected = rest.partition(EXPECTED)
        found.append(Case(title, given, expected if there else None))
    return found


def update(file: Path, case: Case, expected: str) -> None:
    """Writes what is expected of one case."""
    text = file.read_text(encoding="utf-8")
    start = f"\n{text}".index(f"\n{TITLE}{case.title}\n")
    end = text.find(f"\n{TITLE}", start + 1) + 1 or len(text)
    separator = "\n" if end < len(text) else ""
    file.write_text(text[:start] + case.text(expected).rstrip() + "\n" + separator + text[end:], encoding="utf-8")


def result(case: Case, source: str) -> str:
    """What a case gives, as its expectation is written.

    Raises:
        PassVerificationError: a pass changed the meaning, or left an IR that is malformed.
    """
    module = read(case.given, source)
    context = _Context(case, module)
    ir: Module | RowProgram = module
    steps = [context.step(name, options) for name, options in case.passes]
    told: list[str] = []
    for number, make in enumerate(steps):
        assert isinstance(ir, (Module, RowProgram))
        step, before = make(), ir
        try:
            with tracing(told.append if number == len(steps) - 1 else lambda _: None):
                ir = apply(step, before)
        except PassError as error:
            if number < len(steps) - 1:
                raise
            return "".join(f"// told: {line}\n" for line in told) + f"// refused: {error}\n"
        for instrument in context.instruments:
            instrument.after(_judged(step), before, ir)
        if isinstance(step, Pass) and not isinstance(step, (Quantise, CorrectBias, EqualiseRanges)):
            assert isinstance(before, Module)
            assert isinstance(ir, Module)
            assert (before.inputs, before.outputs) == (ir.inputs, ir.outputs), f"{step.name} changes the interface"
            assert step.run(ir) is ir, f"{step.name} changes what it has made"
            if step.slack is None:
                _same_bits(before, ir, context.inputs)
    return "".join([*(f"// told: {line}\n" for line in told), *_printed(before, ir)])


def _same_bits(before: Module, after: Module, samples: Sequence[Sequence[Array]]) -> None:
    """Asserts that outputs agree bit for bit: zeros have signs; any NaN is NaN."""
    for inputs in samples:
        for was, now in zip(run(before, inputs), run(after, inputs), strict=True):
            assert same_bits(was, now), f"{was} became {now}"


def _printed(before: Module | RowProgram, after: Module | RowProgram) -> Iterator[str]:
    if after is before:
        yield "// unchanged\n"
    elif isinstance(after, RowProgram):
        for stage in after.stages:
            if stage.kernel.note:
                yield f"// note: {stage.where}: {stage.kernel.note}\n"
        yield format_program(after)
    else:
        printed = format_module(after)
        yield from summary(printed.data)
        yield printed.text


@dataclass(frozen=True)
class Rounding(AnyPass):
    """How passes that quantise are judged."""

    slack = Slack(0.03, "int8 has 255 steps, each rounding is half of one, and some follow each other")


def _judged(step: AnyPass) -> AnyPass:
    return Rounding() if isinstance(step, (Quantise, CorrectBias)) else step


@dataclass
class _Context:
    """What passes are made of beside their options, and the inputs on which they are compared."""

    case: Case
    module: Module

    def step(self, name: str, options: dict[str, Option]) -> Callable[[], AnyPass]:
        """Makes a pass, when the ones before it have run."""
        special = _SPECIAL.get(name)
        return lambda: special(self, options) if special else registered()[name](**options)

    @cached_property
    def instruments(self) -> list[Instrument]:
        """The checks of every pass."""
        compare: list[Instrument]
        if self.case.header["range"] or self.case.header["sample"]:
            compare = [CompareMeaning(observe, self.inputs)]
        else:
            compare = [ComparePasses([inputs]) for inputs in self.inputs]
        return [VerifyTypes(), ReplayRows(), *compare]

    @cached_property
    def inputs(self) -> Sequence[Sequence[Array]]:
        """Calibration data where the case has it, numbers within the calibrated ranges, or else ordinary numbers and
        corners."""
        if self.samples:
            return self.samples
        ranges = self.ranges
        if ranges:
            rng = np.random.default_rng(0)
            limits = [(ranges[v].low, ranges[v].high) for v in self.module.inputs]
            pairs = list(zip(self.module.inputs, limits, strict=True))
            return [[rng.uniform(*limit, v.shape).astype(np.float32) for v, limit in pairs] for _ in range(4)]
        random = Random(0)
        found = sample_inputs(self.module)
        for number in (0, 1):
            found.append([np.full(v.shape, number, v.dtype.numpy) for v in self.module.inputs])
        found.append([random_array(random, v.type, calm=True) for v in self.module.inputs])
        if not jumps(self.module) and all(registered()[name].slack is None for name, _ in self.case.passes):
            found.append([_corners(random, v) for v in self.module.inputs])
        return found

    @property
    def samples(self) -> list[list[Array]]:
        """The input sets of the case."""
        found = []
        for line in self.case.header["sample"]:
            arrays = dict(part.split(" = ") for part in line.split("; "))
            found.append([described(arrays[v.name]) for v in self.module.inputs])
        return found

    @property
    def ranges(self) -> Ranges:
        """The calibrated ranges of the case."""
        values = {v.name: v for v in (*self.module.inputs, *(n.result for n in self.module.nodes))}
        found = {}
        for line in self.case.header["range"]:
            match = _RANGE.fullmatch(line)
            if match is None:
                raise ValueError(f"{self.case.title}: a range is written `x = -1 to 1`, not {line!r}")
            low, high = float(match[2]), float(match[3])
            found[values[match[1]]] = Range(low, high, low, high)
        return found

    def quantise(self, options: dict[str, Option]) -> AnyPass:
        """With the ranges; `keep_float` is one name."""
        kept = options.get("keep_float")
        return Quantise(self.ranges, (str(kept),) if kept is not None else ())

    def equalise(self, options: dict[str, Option]) -> AnyPass:
        """With what is seen on the samples, if there are any."""
        return EqualiseRanges(see_channels(self.module, self.samples, run_module) if self.samples else {})

    def correct(self, options: dict[str, Option]) -> AnyPass:
        """By the samples, after the module that the case begins with."""
        return CorrectBias(self.module, self.samples, run_module)

    def kernels(self, options: dict[str, Option]) -> AnyPass:
        """Libraries by name, for a chip; other passes by name; the instructions of each of tinyc's own kernels."""
        given = dict(options)
        name, chip = str(given.pop("library", "auto")), str(given.pop("chip", ""))
        ours = int(given.pop("ours", 100_000))
        found = ChooseKernels(libraries(name, chip, ""), ours=lambda *_: ours)  # type: ignore[arg-type]
        for word in ("apart", "otherwise"):
            if word in given:
                other = registered()[str(given.pop(word))]()
                assert isinstance(other, RowPass)
                found = dataclasses.replace(found, **{word: other})  # type: ignore[arg-type]
        return dataclasses.replace(found, **given)  # type: ignore[arg-type]


_SPECIAL: dict[str, Callable[[_Context, dict[str, Option]], AnyPass]] = {
    "quantise": _Context.quantise,
    "equalise-ranges": _Context.equalise,
    "correct-bias": _Context.correct,
    "choose-kernels": _Context.kernels,
}


def _corners(random: Random, value: Value) -> Array:
    """Numbers of the type, among floats NaN, infinite ones and zeros of both signs."""
    array = random_array(random, value.type)
    if array.dtype == np.float32 and array.size:
        flat = array.reshape(-1)
        for k, number in enumerate((np.nan, np.inf, -np.inf, -0.0)):
            flat[k * 7 % flat.size] = number
    return array


def _options(text: str) -> Iterator[tuple[str, Option]]:
    for part in text.split(", ") if text else []:
        name, _, word = part.partition(" = ")
        yield name, _option(word)


def _option(word: str) -> Option:
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    return float(word) if re.fullmatch(r"-?\d+\.\d+", word) else word

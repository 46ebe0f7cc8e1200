"""The passes of one compilation: ours, the user's where they are to be, and the instruments around each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from tinyc.backends.c.estimate import family_of, instructions
from tinyc.backends.c.scratch import saved, wanted
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.targets import find
from tinyc.compiler.lowering.kernels import kernel_libraries
from tinyc.compiler.options import CustomPass, Options, Samples
from tinyc.compiler.verify.pass_layers import ComparePasses
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.rows import RowProgram
from tinyc.passes import AnyPass, Lowering, PassError, PassManager, RowPass
from tinyc.passes.core.base import label
from tinyc.passes.core.manager import IR, Dump, Instrument, PassRecord, ReplayRows, VerifyTypes
from tinyc.passes.pipeline import after_integers, recurrent_passes, row_passes, tensor_passes, to_integers
from tinyc.passes.rows.lower import InputPlace, OutputPlace
from tinyc.passes.stream.elsewhere import Searched

Say = Callable[[str], None]
Group = Literal["tensor", "recurrent", "to_integers", "after_integers", "last", "rows"]


class Pipeline:
    """The passes in order, in groups between which a compilation does something else. They are run by the group, and
    recorded: a group that is run again, after an error, once.

    Args:
        options: which passes, and how they are checked.
        say: told the name of each.
        tuning: what the C is tuned for.

    Raises:
        TinycError: options that name a pass or a kernel library that there is not, or a place where a pass cannot be.
    """

    def __init__(self, options: Options, say: Say, tuning: Tuning = DEFAULT) -> None:
        self._options, self._say, self.tuning = options, say, tuning
        self.searched = Searched()
        self._records: dict[Group, list[PassRecord]] = {}
        place = input_place(options)
        libraries = kernel_libraries(options)
        wants = partial(wanted, tuning=tuning)
        given = (place, options.ram_bytes, options.cores, libraries, options.kernels != "auto")
        family = family_of(find(options.target).isa)
        ours = partial(instructions, tuning=tuning, family=family)
        saves = partial(saved, tuning=tuning, family=family)
        more = (options.external_bytes, self.searched.keep, output_place(options), options.hop_rows)
        rows = row_passes(*given, tuning.fma, wants, tuning.growth, ours, *more, saves)
        custom = [p if isinstance(p, CustomPass) else CustomPass(p) for p in options.extra_passes]
        last = [p.step for p in custom if not p.after and not p.before]
        groups: dict[Group, Sequence[AnyPass]] = {
            "tensor": tensor_passes(),
            "recurrent": recurrent_passes(),
            "to_integers": to_integers(),
            "after_integers": after_integers(),
            "last": last,
            "rows": rows,
        }
        self._groups = dict(zip(groups, place_passes(list(groups.values()), custom), strict=True))
        everything = [step for group in self._groups.values() for step in group]
        if unknown := sorted(set(options.debug_passes) - {p.name for p in everything}):
            known = ", ".join(dict.fromkeys(p.name for p in everything))
            raise TinycError(f"there is no pass {', '.join(unknown)} to trace; the pipeline has {known}")

    @property
    def row_seconds(self) -> float:
        """How long the passes that lower, and those over rows, have taken."""
        return sum(record.seconds for record in self._records.get("rows", ()))

    @property
    def records(self) -> tuple[PassRecord, ...]:
        """One for each pass that has been run, in order."""
        return tuple(record for group in self._groups for record in self._records.get(group, ()))

    def on_tensors(self, group: Group, module: Module, samples: Samples) -> Module:
        """Runs passes that stay on the tensor level.

        Raises:
            PassError: a pass refused the module.
            PassVerificationError: a pass changed what it computes.
        """
        result = self._run(group, module, samples)
        if not isinstance(result, Module):
            raise TinycError("a custom pass left the tensor level; custom passes are subclasses of tinyc.passes.Pass")
        return result

    def to_rows(self, module: Module, samples: Samples) -> RowProgram:
        """Runs the passes that lower a module. Raises as `on_tensors` does."""
        result = self._run("rows", module, samples)
        assert isinstance(result, RowProgram)
        return result

    def _run(self, group: Group, ir: IR, samples: Samples) -> IR:
        options, passes = self._options, self._groups[group]
        instruments: list[Instrument] = [VerifyTypes()]
        if options.dump_ir is not None:
            names = list(self._groups)
            before = sum(len(self._groups[name]) for name in names[: names.index(group)])
            instruments.append(Dump(Path(options.dump_ir), before))
        if options.verify:
            instruments += [ReplayRows(), ComparePasses(samples)]
        manager = PassManager(
            passes, instruments, lambda name: self._say(f"pass {name}"), options.debug_passes, options.trace
        )
        result, self._records[group] = manager.run(ir)
        return result


def input_place(options: Options) -> InputPlace:
    """Where the inputs lie on the row level."""
    return "rows" if options.rows_from == "callback" or options.hop is not None else options.rows_from


def output_place(options: Options) -> OutputPlace:
    """Where the outputs lie on the row level."""
    return "rows" if options.rows_to == "callback" or options.hop is not None else options.rows_to


def place_passes(groups: Sequence[Sequence[AnyPass]], custom: Sequence[CustomPass]) -> list[list[AnyPass]]:
    """Groups of passes with the custom ones that have a place put there. Several at one place keep their order.

    A name is that of a pass of the groups, or else that of another custom pass, which has a place itself.

    Raises:
        PassError: there is no such pass, or the custom one cannot be there.
    """
    if wrong := [p.step for p in custom if isinstance(p.step, Lowering)]:
        raise PassError(f"pass {label(wrong[0])}: custom passes are subclasses of tinyc.passes.Pass or RowPass")
    ours = [step for group in groups for step in group]
    numbered = dict(enumerate((p for p in custom if p.after or p.before), len(ours)))
    steps = [*ours, *(p.step for p in numbered.values())]
    beside: dict[int, list[int]] = {}
    for number, each in numbered.items():
        beside.setdefault(_anchor(each, number, steps, len(ours)), []).append(number)
    placed: set[int] = set()

    def around(number: int) -> Iterator[AnyPass]:
        """A pass, and what is placed by it."""
        placed.add(number)
        here = beside.get(number, ())
        for other in (k for k in here if numbered[k].before):
            yield from around(other)
        yield steps[number]
        for other in (k for k in here if numbered[k].after):
            yield from around(other)

    at = itertools.count()
    found = [[step for _ in group for step in around(next(at))] for group in groups]
    if stray := [p for number, p in numbered.items() if number not in placed]:
        others = f"`{_option(stray[0])}` leads from one custom pass to the next, and to none of the pipeline's own"
        raise PassError(f"pass {label(stray[0].step)}: {others}")
    lowered = False
    for step in itertools.chain.from_iterable(found):
        _check_level(step, lowered)
        lowered = lowered or isinstance(step, Lowering)
    return found


def _option(custom: CustomPass) -> str:
    return f"after={custom.after}" if custom.after else f"before={custom.before}"


def _anchor(custom: CustomPass, own: int, steps: Sequence[AnyPass], ours: int) -> int:
    """The number of the pass that a custom one is placed by: among the first `ours`, or else among the custom ones."""
    wanted = custom.after or custom.before
    found = re.fullmatch(r"(.*?)(?::([1-9][0-9]{0,3}))?", wanted, re.DOTALL)
    assert found is not None
    name, number = found[1], int(found[2] or 1)
    named = [k for k, step in enumerate(steps) if label(step) == name and k != own]
    choice = [k for k in named if k < ours] or named
    if number <= len(choice):
        return choice[number - 1]
    if times := len(choice):
        raise PassError(f"`{_option(custom)}`: the pipeline has {name} {times} time{'s' if times > 1 else ''}")
    known = ", ".join(dict.fromkeys(label(step) for k, step in enumerate(steps) if k != own))
    raise PassError(f"`{_option(custom)}`: there is no pass {name!r} in the pipeline, which has {known}")


def _check_level(step: AnyPass, lowered: bool) -> None:
    """Raises `PassError` for a pass at a place where the IR is of another level than it takes."""
    if isinstance(step, RowPass) != lowered:
        level, takes = ("row", "tensor") if lowered else ("tensor", "row")
        raise PassError(f"pass {label(step)} takes the {takes} level, and where it is placed is the {level} level")

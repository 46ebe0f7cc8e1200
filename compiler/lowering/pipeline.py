"""The passes of one compilation: ours, the user's where they are to be, and the instruments around each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from tinyc.compiler.lowering.kernels import kernel_libraries
from tinyc.compiler.options import CustomPass, Options, Samples
from tinyc.compiler.verify.pass_layers import ComparePasses
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.rows import RowProgram
from tinyc.passes import AnyPass, Lowering, PassError, PassManager, RowPass
from tinyc.passes.core.base import label
from tinyc.passes.core.manager import IR, Dump, Instrument, PassRecord, ReplayRows, VerifyTypes
from tinyc.passes.pipeline import after_integers, row_passes, tensor_passes, to_integers
from tinyc.passes.rows.lower import InputPlace

Say = Callable[[str], None]
Group = Literal["tensor", "to_integers", "after_integers", "last", "rows"]


class Pipeline:
    """The passes in order, in groups between which a compilation does something else. They are run by the group, and
    recorded: a group that is run again, after an error, once.

    Args:
        options: which passes, and how they are checked.
        say: told the name of each.

    Raises:
        TinycError: options that name a pass or a kernel library that there is not, or a place where a pass cannot be.
    """

    def __init__(self, options: Options, say: Say) -> None:
        self._options, self._say = options, say
        self._records: dict[Group, list[PassRecord]] = {}
        place: InputPlace = "rows" if options.rows_from == "callback" else options.rows_from
        libraries = kernel_libraries(options)
        rows = row_passes(place, options.ram_bytes, options.cores, libraries, options.kernels != "auto")
        custom = [p if isinstance(p, CustomPass) else CustomPass(p) for p in options.extra_passes]
        placed = place_passes([tensor_passes(), to_integers(), after_integers(), rows], custom)
        tensor, to_integer, after_integer, rows = placed
        last = [p.step for p in custom if not p.after and not p.before]
        self._groups: dict[Group, Sequence[AnyPass]] = {
            "tensor": tensor,
            "to_integers": to_integer,
            "after_integers": after_integer,
            "last": last,
            "rows": rows,
        }
        everything = [step for group in self._groups.values() for step in group]
        if unknown := sorted(set(options.debug_passes) - {p.name for p in everything}):
            known = ", ".join(dict.fromkeys(p.name for p in everything))
            raise TinycError(f"there is no pass {', '.join(unknown)} to trace; the pipeline has {known}")

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


def place_passes(groups: Sequence[Sequence[AnyPass]], custom: Sequence[CustomPass]) -> list[list[AnyPass]]:
    """Groups of passes with the custom ones that have a place put there. Several at one place keep their order.

    Raises:
        PassError: there is no such pass, or the custom one cannot be there.
    """
    anchors = _anchors(groups)
    places = {id(p): _place(p, anchors) for p in custom if p.after or p.before}
    if wrong := [p.step for p in custom if isinstance(p.step, Lowering)]:
        raise PassError(f"pass {label(wrong[0])}: custom passes are subclasses of tinyc.passes.Pass or RowPass")
    placed: list[list[AnyPass]] = []
    for number, group in enumerate(groups):
        found: list[AnyPass] = []
        for position, step in enumerate(group):
            here = [p for p in custom if places.get(id(p)) == (number, position)]
            found += [p.step for p in here if p.before]
            found.append(step)
            found += [p.step for p in here if p.after]
        placed.append(found)
    lowered = False
    for step in (s for group in placed for s in group):
        _check_level(step, lowered)
        lowered = lowered or isinstance(step, Lowering)
    return placed


def _anchors(groups: Sequence[Sequence[AnyPass]]) -> dict[tuple[str, int], tuple[int, int]]:
    """Group and position of each pass, by its name and how many of that name have been, it included."""
    seen: Counter[str] = Counter()
    anchors = {}
    for number, group in enumerate(groups):
        for position, step in enumerate(group):
            seen[step.name] += 1
            anchors[step.name, seen[step.name]] = (number, position)
    return anchors


def _place(custom: CustomPass, anchors: dict[tuple[str, int], tuple[int, int]]) -> tuple[int, int]:
    """Group and position of the pass that a custom one is placed by."""
    option, wanted = ("after", custom.after) if custom.after else ("before", custom.before)
    found = re.fullmatch(r"(.*?)(?::([1-9][0-9]{0,3}))?", wanted, re.DOTALL)
    assert found is not None
    name, number = found[1], int(found[2] or 1)
    if (name, number) in anchors:
        return anchors[name, number]
    if times := sum(n == name for n, _ in anchors):
        raise PassError(f"`{option}={wanted}`: the pipeline has {name} {times} time{'s' if times > 1 else ''}")
    known = ", ".join(dict.fromkeys(n for n, _ in anchors))
    raise PassError(f"`{option}={wanted}`: there is no pass {name!r} in the pipeline, which has {known}")


def _check_level(step: AnyPass, lowered: bool) -> None:
    """Raises `PassError` for a pass at a place where the IR is of another level than it takes."""
    if isinstance(step, RowPass) != lowered:
        level, takes = ("row", "tensor") if lowered else ("tensor", "row")
        raise PassError(f"pass {label(step)} takes the {takes} level, and where it is placed is the {level} level")

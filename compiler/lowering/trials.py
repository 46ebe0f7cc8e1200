"""What other options would come to, found out by trying: only the passes over rows are run again, unverified.

A trial takes the module behind the passes over tensors, as the options have it, so that it costs what its passes over
rows take. Images and signals that come channels first are shown channels last by leaving out the transpose behind the
input.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinyc.backends.c.tuning import Tuning
from tinyc.compiler.lowering.pipeline import Pipeline
from tinyc.compiler.options import InputType, Options, PortTypes
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Transpose
from tinyc.ir.rows import RowProgram
from tinyc.passes.core.base import apply
from tinyc.passes.core.manager import IR
from tinyc.passes.pipeline import row_passes
from tinyc.passes.rows.lower import InputPlace, OutputPlace
from tinyc.passes.stream import Stream
from tinyc.passes.stream.elsewhere import Searched, least_peak
from tinyc.passes.stream.stream import LONG

SECONDS = 2.0
"""For all that is tried where a network does not fit."""
TO_LAST = {(0, 2, 3, 1): "nhwc", (0, 2, 1): "nlc"}
"""The layouts that have channels last, by the transposition to them."""
IN_TWO = 5
"""How many times longer a schedule for two memories takes than one for one, about."""

FLOAT = 4
"""Bytes of a float, for one of an integer."""

Retype = Callable[[PortTypes], Module]
Enough = Callable[[RowProgram, Options, int], bool]
"""Whether there is room for a program with these options, or for such a part of its bytes."""


@dataclass(frozen=True)
class Change:
    """Options that are others, and what people call them. `layout` shows images and signals channels last."""

    said: str
    options: Mapping[str, Any] = field(default_factory=dict)
    layout: bool = False
    input_type: InputType = "auto"
    effort: int = 1


@dataclass
class Trials:
    """Tries other options on one network.

    Args:
        module: as it is lowered.
        options: what it is compiled with.
        tuning: what the C is tuned for.
        retype: the same with other types at its interface; None where it has floats only.
        seconds: what the passes over rows took, as far as that is known.
        searched: what they found when they searched for a schedule.
    """

    module: Module
    options: Options
    tuning: Tuning
    retype: Retype | None = None
    seconds: float = 0.0
    searched: Searched = field(default_factory=Searched)

    def changes(self, internal: int | None = None, psram: int = 0) -> Iterator[Change]:
        """What may be tried, the cheapest for the user first; at last an arena in so many bytes of internal RAM and of
        PSRAM."""
        options = self.options
        if options.cores > 1:
            yield Change("`cores=1`", {"cores": 1})
        last = options.input_layout == "onnx" and options.rows_from != "callback" and channels_last(self.module)
        word = _layout(self.module)
        if last:
            yield Change(f"`input_layout={word}`", layout=True)
        floats = any(v.dtype.is_float for v in self.module.inputs)
        if floats and self.retype is not None:
            yield Change("`input_type=int8`", input_type="int8")
            if last:
                yield Change(f"`input_layout={word}` and `input_type=int8`", layout=True, input_type="int8")
        if options.rows_from == "argument":
            yield Change("`rows_from=arena`", {"rows_from": "arena"})
        if options.rows_from != "callback":
            rows = {"rows_from": "callback"}
            yield Change("`rows_from=callback`", rows, layout=True)
            if floats and self.retype is not None:
                yield Change("`rows_from=callback` and `input_type=int8`", rows, layout=True, input_type="int8")
        if internal and internal > 0 and psram and options.external_bytes is None:
            two = f"{internal}+{psram}"
            yield Change(f"on a board with PSRAM, `ram={two}`", {"ram": two, "arena_in": "internal"}, effort=IN_TWO)

    def program(self, change: Change) -> RowProgram | None:
        """The planned program with a change; None where that is not possible."""
        if self.options.extra_passes:  # passes of a user's may be of use once only
            return None
        plain = {"verify": False, "dump_ir": None, "debug_passes": (), "extra_passes": ()}
        try:
            module = self.module
            if change.input_type != "auto":
                assert self.retype is not None
                ports = self.options.port_types
                module = self.retype(dataclasses.replace(ports, input_type=change.input_type))
            if change.layout:
                module = channels_last(module) or module
            options = dataclasses.replace(self.options, **{**plain, **change.options})
            return Pipeline(options, lambda _: None, self.tuning).to_rows(module, ())
        except TinycError:
            return None

    def within(self, changes: Sequence[Change], seconds: float) -> Iterator[tuple[Change, RowProgram]]:
        """What could be tried in so many seconds: a trial is taken to last as long as the one before it, and is not
        begun where there is not that much time."""
        start, each = time.perf_counter(), self.seconds
        for change in changes:
            before = time.perf_counter()
            if before - start + each * change.effort > seconds:
                continue
            program = self.program(change)
            if program is not None:
                each = (time.perf_counter() - before) / change.effort
                yield change, program

    def others(self, arena: int) -> dict[str, int]:
        """The least arena with other interfaces, by option: the least peak of bytes that are alive at one time, near
        which plans come. Without those of which it cannot be told at little cost (`passes/stream/elsewhere.py`).

        Args:
            arena: bytes of that which was planned.
        """
        options = self.options
        if options.extra_passes:
            return {}
        by_rows = options.rows_from == "callback"
        turned = options.input_layout == "onnx" and not by_rows and channels_last(self.module)
        changes = [Change("rows_from=callback", {"rows_from": "callback"}, layout=True)]
        changes += [Change(f"input_layout={_layout(self.module)}", layout=True)] if turned else []
        # Samples from a callback are no channels that another place would have.
        samples = by_rows and options.input_layout == "onnx" and any(v.type.rank == 3 for v in self.module.inputs)
        places = () if samples else ("argument", "arena")
        changes += [Change(f"rows_from={place}", {"rows_from": place}) for place in places]
        chosen = [c for c in changes if c.options.get("rows_from") != options.rows_from]
        found = {c.said: self._least_peak(c) for c in chosen}
        # Peaks are estimated from above: where the estimate is that of the least arena, this is known better.
        known = {self.searched.peak: arena} if options.ram_bytes is None else {}
        return {said: known.get(size, size) for said, size in found.items() if size is not None}

    def _least_peak(self, change: Change) -> int | None:
        module = (channels_last(self.module) or self.module) if change.layout else self.module
        rows_from = change.options.get("rows_from", self.options.rows_from)
        place: InputPlace = "rows" if rows_from == "callback" else rows_from
        outputs: OutputPlace = "rows" if self.options.rows_to == "callback" else "argument"
        ir: IR = module
        try:
            for step in itertools.takewhile(lambda p: not isinstance(p, Stream), row_passes(place, outputs=outputs)):
                ir = apply(step, ir)
        except TinycError:
            return None
        return least_peak(ir, self.searched, LONG) if isinstance(ir, RowProgram) else None

    def helps(self, program: RowProgram, enough: Enough, internal: int | None = None, psram: int = 0) -> list[str]:
        """What was tried and is enough, with the arena's bytes; where nothing is, nor what the program takes as
        integers, about a fourth of what floats take, what would be with both.

        Args:
            program: of which there is too much.
            enough: whether there is room.
            internal: bytes of internal RAM for an arena.
            psram: the same of PSRAM, 0 where there is none.
        """
        found, floats = [], []
        alone = enough(program, self.options, FLOAT)
        for change, program in self.within(list(self.changes(internal, psram)), SECONDS):
            plan = program.plan
            changed = dataclasses.replace(self.options, **change.options)
            if plan is None:
                continue
            if enough(program, changed, 1):
                outside = f" and {plan.external_bytes:,} of PSRAM" if plan.external_bytes else ""
                found.append(f"{change.said} ({plan.bytes:,} bytes{outside})")
            elif self.retype is None and not alone and not plan.external_bytes and enough(program, changed, FLOAT):
                quantised = f"{change.said} and `quantise=QuantiseOptions(...)`"
                floats.append(f"{quantised} (about {plan.bytes // FLOAT:,} bytes: not tried)")
        return found or floats[:1]


def _turns(node: Node) -> bool:
    """Whether a node shows its operand, an image, channels last."""
    turned, shape = made(node, Transpose), node.op.operands[0].shape
    if turned is not None:
        return turned.op.perm in TO_LAST
    single = len(shape) == 4 and shape[1] == 1 and node.result.shape == (shape[0], shape[2], shape[3], 1)
    return single and node.op.is_view()


def _layout(module: Module) -> str:
    """What the layout is called that `channels_last` shows."""
    turned = (made(n, Transpose) for v in module.inputs for n in module.users.get(v, ()))
    return next((TO_LAST[t.op.perm] for t in turned if t is not None and t.op.perm in TO_LAST), "nhwc")


def channels_last(module: Module) -> Module | None:
    """The module with its images and signals channels last: those that are transposed to that before anything else
    reads them. None where there are none."""
    shown: dict[Value, Value] = {}
    inputs: list[Value] = []
    for value in module.inputs:
        readers = module.users.get(value, ())
        turned = [n for n in readers if _turns(n)]
        if turned and len(turned) == len(readers) and value not in module.outputs:
            last = Value(value.name, turned[0].result.type)
            shown |= {t.result: last for t in turned}
            inputs.append(last)
        else:
            inputs.append(value)
    if not shown or not shown.keys().isdisjoint(module.outputs):
        return None
    kept = (n for n in module.nodes if n.result not in shown)
    nodes = tuple(dataclasses.replace(n, op=n.op.replace_operands(shown)) for n in kept)
    return dataclasses.replace(module, inputs=tuple(inputs), nodes=nodes)

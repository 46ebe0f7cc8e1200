"""Passes over modules in which rounding may move what comes after it, compared layer by layer.

Where a float is quantized, a difference in its last bit may make the next integer, and everything after that differs.
So the module after a pass is walked beside the one before: a value of the same name and type whose difference is one
layer's rounding goes on as it was before the pass. What is left at the outputs is what the pass did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import observe, run_module
from tinyc.compiler.verify.gaps import Gap, describe
from tinyc.compiler.verify.layers import Walk, jumps
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import AnyPass
from tinyc.passes.core.manager import IR, CompareMeaning, PassVerificationError

SAMPLES = 2
"""On how many input sets a pass is compared in this way; all tensors of both modules are kept meanwhile."""


@dataclass(frozen=True)
class Run:
    """What a module gave for one input set: every value that it computed, and its outputs."""

    arrays: Mapping[Value, Array]
    outputs: Sequence[Array]


class ComparePasses:
    """The instrument that compares meaning before and after each pass: at the outputs, or, where rounding may move
    these and the pass may round otherwise, layer by layer.

    Args:
        samples: input sets; each has one array an input.
    """

    def __init__(self, samples: Sequence[Sequence[Array]]) -> None:
        self._samples = samples
        self._outputs = CompareMeaning(observe, samples)
        self._known: tuple[Module, list[Run]] | None = None

    def after(self, step: AnyPass, before: IR, result: IR) -> float | None:
        if step.slack is None or not isinstance(before, Module) or not isinstance(result, Module):
            return self._outputs.after(step, before, result)
        if not jumps(before) and not jumps(result):
            return self._outputs.after(step, before, result)
        return max(
            (_compare(step, run, result, s) for run, s in zip(self._runs(before), self._samples, strict=False)),
            default=0.0,
        )

    def _runs(self, module: Module) -> list[Run]:
        if self._known is None or self._known[0] is not module:
            found: list[Run] = []
            for sample in self._samples[:SAMPLES]:
                arrays: dict[Value, Array] = {}
                outputs = run_module(module, sample, arrays.__setitem__)
                found.append(Run(arrays, outputs))
            self._known = module, found
        return self._known[1]


def _compare(step: AnyPass, before: Run, module: Module, sample: Sequence[Array]) -> float:
    """The largest difference at an output. Raises `PassVerificationError` naming the first layer that differs."""
    assert step.slack is not None
    walk = Walk(module, sample, step.slack.steps, step.slack.relative)
    suspect: tuple[Node, Gap] | None = None
    for node in module.nodes:
        own = walk.apply(node)
        other = before.arrays.get(node.result)
        if other is None:
            if own.dtype.kind in "iu" and node.op.constant() is None:
                walk.doubt(node.result)
            continue
        found = walk.difference(node, other)
        if found is None:
            walk.take(node.result, other)
        elif step.keeps_names:
            raise PassVerificationError(step.name, f"changed the meaning of {node.where}: {describe(found)}")
        else:
            suspect = suspect or (node, found)
    worst = 0.0
    for position, (value, was) in enumerate(zip(module.outputs, before.outputs, strict=True)):
        now = walk.known[value]
        if was.shape != now.shape or was.dtype != now.dtype:
            what = f"output {position} was {was.dtype}{list(was.shape)}, is {now.dtype}{list(now.shape)}"
            raise PassVerificationError(step.name, what)
        made = module.producer.get(value)
        found = walk.difference(made, was) if made is not None else None
        if found is not None or (made is None and not np.array_equal(was, now, equal_nan=was.dtype.kind == "f")):
            told = f"; the first layer that differs is {suspect[0].where}" if suspect else ""
            what = describe(found) if found is not None else "it is another input"
            raise PassVerificationError(step.name, f"changed the meaning: output {position}, {what}{told}")
        with np.errstate(invalid="ignore"):
            apart = np.abs(now.astype(np.float64) - was.astype(np.float64))
        worst = max(worst, float(np.nanmax(apart, initial=0.0)))
    return worst

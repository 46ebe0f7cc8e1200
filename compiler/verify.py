"""Verification against onnxruntime, and the search for the first layer that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.runners import Runner
from tinyc.compiler.frontend import Imported
from tinyc.compiler.reference import Reference
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops import Quantize
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

RELATIVE = 1e-4
"""Largest difference allowed between float results, relative to the largest magnitude of the tensor. onnxruntime, the
interpreter and the C add the same products in different orders; each of the few dozen layers of a network may lose a
few units in the last place (6e-8) for every factor of ten in the length of its sums."""

ABSOLUTE = 1e-6
"""The same for tensors that are zero but for rounding."""


STEPS = 12
"""Quantisation steps (of 256) allowed at the outputs of a model that was quantised before it came here. Where a value
lies between two steps, float and integer arithmetic may round it either way, and layers add up: on keyword spotting,
onnxruntime differs from itself by up to 7 steps with its optimisations on or off."""


class VerificationError(TinycError):
    """Results differ by more than rounding explains."""


@dataclass(frozen=True)
class Gap:
    """The largest difference between two arrays: absolute, relative to the largest reference value, and where."""

    absolute: float
    relative: float
    index: tuple[int, ...]
    value: float
    reference: float

    def acceptable(self, relative: float = RELATIVE) -> bool:
        """Whether rounding explains it."""
        return self.absolute <= ABSOLUTE or self.relative <= relative


@dataclass(frozen=True)
class Verdict:
    """How one executor compares to the reference over all samples and outputs, and the stack that the C needs there,
    where that was measured."""

    executor: str
    max_abs_error: float
    max_relative_error: float
    samples: int
    first_difference: str = ""
    stack_bytes: int | None = None

    @property
    def passed(self) -> bool:
        """Whether every output agreed."""
        return not self.first_difference


def gap(array: Array, reference: Array) -> Gap:
    """Compares two arrays of one shape; NaN equals NaN, and integers differ by more than rounding when they differ."""
    if array.shape != reference.shape:
        raise VerificationError(f"a result of shape {list(array.shape)} stands against {list(reference.shape)}")
    if not array.size:
        return Gap(0.0, 0.0, (), 0.0, 0.0)
    a, r = array.astype(np.float64), reference.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where((a == r) | (np.isnan(a) & np.isnan(r)), 0.0, np.abs(a - r))
    apart = np.where(np.isnan(apart), np.inf, apart)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
    worst = float(apart[index])
    scale = float(np.abs(r[np.isfinite(r)]).max(initial=0.0))
    exact = reference.dtype.kind not in "f"
    relative = (np.inf if exact or not scale else worst / scale) if worst else 0.0
    absolute = max(worst, 1.0) if exact and worst else worst
    return Gap(absolute, float(relative), index, float(a[index]), float(r[index]))


def compare(
    executor: str, imported: Imported, outputs: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]
) -> Verdict:
    """Compares output sets, one a sample, with the reference's."""
    allowed = STEPS / 256 if is_quantised(imported.module) else RELATIVE
    absolute = relative = 0.0
    first = ""
    for sample, (own, reference) in enumerate(zip(outputs, expected, strict=True)):
        for port, a, r in zip(imported.outputs, own, reference, strict=True):
            found = gap(a, r)
            absolute, relative = max(absolute, found.absolute), max(relative, found.relative)
            if not found.acceptable(allowed) and not first:
                first = f"output {port.name!r} of sample {sample}: {describe(found)}"
    return Verdict(executor, absolute, relative, len(outputs), first)


def describe(found: Gap) -> str:
    """A difference in words."""
    return (
        f"element {list(found.index)} is {found.value:.9g} where {found.reference:.9g} was expected "
        f"(difference {found.absolute:.3g}, {found.relative:.3g} of the largest value)"
    )


def first_difference_in_import(imported: Imported, reference: Reference, sample: Sequence[Array]) -> str:
    """The first float tensor of the ONNX model whose value differs in the imported module; empty when none does.

    Integers inside the model are left out: made from floats they may differ by one, and what that does shows later. So
    is what depends on a conversion to integers inside the model: there steps count, not rounding errors.
    """
    stepped: set[Value] = set()
    for node in imported.module.nodes:
        if isinstance(node.op, Quantize) or stepped.intersection(node.op.operands):
            stepped.add(node.result)
    own: dict[Value, Array] = {}
    run_module(imported.module, list(sample), own.__setitem__)
    floats = {v for v in own if v.dtype.is_float and v not in stepped}
    names = [name for name, value in imported.tensors.items() if value in floats]
    expected = reference.intermediates(sample, names)
    order = {node.result: (position, node) for position, node in enumerate(imported.module.nodes)}
    for name in sorted(names, key=lambda n: order[imported.tensors[n]][0]):
        found = gap(own[imported.tensors[name]], np.asarray(expected[name]))
        if not found.acceptable():
            return f"layer {order[imported.tensors[name]][1].loc or name!r}, tensor {name!r}: {describe(found)}"
    return ""


def first_difference_in_c(program: RowProgram, runner: Runner, sample: Sequence[Array]) -> str:
    """The first stage whose result in C differs from the interpreter's; empty when none does.

    Integers that were made from floats may differ by one where the floats stand at a step; what that does shows in the
    stages after them.
    """
    expected: dict[int, Array] = {}
    run_program(program, list(sample), expected.__setitem__)
    stepped = _made_from_floats(program)
    for stage, array in sorted(runner.trace(sample).items()):
        if program.stages[stage].result in stepped:
            continue
        found = gap(array.reshape(expected[stage].shape), expected[stage])
        if not found.acceptable():
            return f"layer {stage}, {program.stages[stage].where}: {describe(found)}"
    return ""


def is_quantised(module: Module) -> bool:
    """Whether a module converts floats to integers of a scale."""
    return any(isinstance(node.op, Quantize) for node in module.nodes)


def _made_from_floats(program: RowProgram) -> set[Value]:
    """Results that are not floats but depend on floats."""
    floats = {b.value for b in program.buffers if b.value.dtype.is_float}
    stepped: set[Value] = set()
    for stage in program.stages:
        sources = {program.root(v.name)[0].value for v in stage.op.operands}
        if not stage.result.dtype.is_float and sources & (floats | stepped):
            stepped |= {stage.result, program.root(stage.result.name)[0].value}
    return stepped

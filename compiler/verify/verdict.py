"""Verification against the reference, and the search for the first layer that differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.runners import Runner
from tinyc.compiler.frontend import Imported
from tinyc.compiler.reference import ONNXRUNTIME, Reference
from tinyc.compiler.verify.gaps import RELATIVE, VerificationError, describe, gap
from tinyc.compiler.verify.layers import differences, jumps
from tinyc.compiler.verify.stages import Values, first_difference_in_stages
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Verdict:
    """How one executor compares to the reference over all samples and outputs, and the stack that the C needs there,
    where that was measured. `against` says what it was compared with, as in `Agreement`."""

    executor: str
    max_abs_error: float
    max_relative_error: float
    samples: int
    first_difference: str = ""
    stack_bytes: int | None = None
    against: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything agreed."""
        return not self.first_difference


@dataclass(frozen=True)
class Agreement:
    """An import that agrees with its reference.

    Attributes:
        expected: the outputs of each sample, which executors are compared with.
        against: what the reference is called, and which operators it does not know.
        end_to_end: whether outputs must agree with `expected` as a whole. They need not where rounding may move all
            that comes after it by a step: there each layer is compared on its own operands.
        notes: what was found wrong with the reference itself.
    """

    expected: Sequence[Sequence[Array]] = ()
    against: str = ""
    end_to_end: bool = True
    notes: tuple[str, ...] = ()


def check_import(imported: Imported, samples: Sequence[Sequence[Array]]) -> Agreement:
    """Compares an imported module with its reference, layer by layer on the reference's own operands, and, where no
    rounding can move what comes after it, at the outputs as well.

    Raises:
        VerificationError: they differ; the message names the first layer that does.
        FrontendError: there is no reference that takes the model.
    """
    reference = Reference(imported, samples[0])
    stepped = jumps(imported.module)
    expected = [reference.run(sample) for sample in samples]
    faults: dict[str, str] = {}
    inside = next(filter(None, (_inside(imported, reference, sample, faults) for sample in samples)), "")
    if not inside and (faults or not stepped):
        own = [run_module(imported.module, sample) for sample in samples]
        if faults:  # what came after them was computed from wrong numbers
            expected = own
        else:
            inside = compare("import", imported, own, expected).first_difference
    if inside:
        raise VerificationError(f"the import differs from {reference.name}: {inside}")
    notes = [*faults.values()]
    if reference.name != ONNXRUNTIME:
        notes.insert(0, f"onnxruntime refuses this model; it was verified against {reference.name}")
    if not reference.unknown:
        return Agreement(expected, reference.name, not stepped, tuple(notes))
    unknown = ", ".join(reference.unknown)
    notes.insert(
        0,
        f"the import of {unknown} was compared with nothing: neither onnxruntime nor ONNX's evaluator knows operators "
        "of other domains. What tinyc makes of them is taken for granted in all else that was compared",
    )
    against = f"{reference.name}, but for {unknown}" if reference.computed() else f"nothing, as none knows {unknown}"
    return Agreement(expected, against, not stepped, tuple(notes))


def compare(
    executor: str,
    imported: Imported,
    outputs: Sequence[Sequence[Array]],
    expected: Sequence[Sequence[Array]],
    *,
    end_to_end: bool = True,
) -> Verdict:
    """Measures output sets, one a sample, against the reference's; with `end_to_end` they must agree."""
    allowed = RELATIVE if end_to_end else math.inf
    absolute = relative = 0.0
    first = ""
    for sample, (own, reference) in enumerate(zip(outputs, expected, strict=True)):
        for port, a, r in zip(imported.outputs, own, reference, strict=True):
            found = gap(a, r, f"output {port.name!r}")
            absolute, relative = max(absolute, found.absolute), max(relative, found.relative)
            if not found.acceptable(allowed) and not first:
                first = f"output {port.name!r} of sample {sample}: {describe(found)}"
    return Verdict(executor, absolute, relative, len(outputs), first)


def _inside(imported: Imported, reference: Reference, sample: Sequence[Array], faults: dict[str, str]) -> str:
    """The first tensor of the ONNX model whose value differs in the imported module, computed from the reference's own
    tensors; empty when none does.

    Where ONNX's evaluator agrees with the module on a node, and so not with the reference, that is the reference's
    fault: noted in `faults` by the name of the tensor.
    """
    computed = set(reference.computed())
    made = {n.result for n in imported.module.nodes}
    names: dict[Value, str] = {}
    for name, value in imported.tensors.items():
        if value in made and name in computed:
            names.setdefault(value, name)
    arrays = reference.intermediates(sample, list(names.values()))
    for found in differences(imported.module, sample, {value: arrays[name] for value, name in names.items()}):
        name = names[found.node.result]
        alone = reference.alone(sample, name)
        if alone is None or not found.agrees_with(alone):
            return f"layer {found.node.loc or name!r}, tensor {name!r}: {describe(found.gap)}"
        apart = describe(gap(found.other, found.own, found.node.where))
        faults.setdefault(
            name, f"{found.node.loc or name}: in {reference.name} {apart}; ONNX's evaluator agrees with tinyc"
        )
    return ""


def first_difference_in_c(
    program: RowProgram, runner: Runner, samples: Sequence[Sequence[Array]], outputs: Sequence[Sequence[Array]]
) -> str:
    """The first stage whose result in C is not what its operator makes of the C's own operands; empty when none is.

    Args:
        program: what the C was made of.
        runner: the C.
        samples: input sets.
        outputs: what the C gave for them as it is used, without being watched: at least as many.
    """
    for sample, plain in zip(samples, outputs, strict=False):
        results = runner.trace(sample)
        found = first_difference_in_stages(program, sample, results)
        if found:
            return found
        values = Values(program, sample, results)
        for value, array in zip(program.outputs, plain, strict=True):
            if values.array(value).tobytes() != array.tobytes():
                return f"output {value}: the C gives other numbers when its layers are watched"
    return ""


def run_rows(
    program: RowProgram, samples: Sequence[Sequence[Array]], *, in_steps: bool
) -> tuple[list[list[Array]], str]:
    """The outputs of the interpreter of the row program, on the bytes of the planned arena, and the first stage whose
    result is not what its operator makes of its own operands as a whole; empty when none is. With `in_steps`, sums are
    rounded as in the C (see `run_program`)."""
    outputs: list[list[Array]] = []
    first = ""
    for sample in samples:
        results: dict[int, Array] = {}
        outputs.append(run_program(program, list(sample), results.__setitem__, in_steps=in_steps))
        first = first or first_difference_in_stages(program, sample, results)
    return outputs, first

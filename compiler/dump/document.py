"""What `tinyc compare-dump` tells: where the numbers that a device printed first differ from the interpreter's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyc.backends.c.hooks import fingerprint
from tinyc.compiler.dump.compare import CLOSE, MISSING, UNCHECKED, Compared, Difference, compare_inference, result_types
from tinyc.compiler.dump.log import DumpLog, LogError, parse_log, read_log
from tinyc.compiler.session import Compilation
from tinyc.ir.tensor import Array

SHOWN = 5
"""Of many missing layers or damaged lines, so many are named."""


def compare_dump(compiled: Compilation, log: Path, samples: Sequence[Sequence[Array]] | None) -> dict[str, Any]:
    """Holds the dump in a log against the interpreter.

    Args:
        compiled: the model, with the options that the C on the device was made with.
        log: what the device printed.
        samples: inputs in the module's order and layout: one set for all inferences in the log, or one for each in
            turn. Without any, the layers are held against what the interpreter makes of the inputs in the log.

    Raises:
        LogError: the log cannot be read, holds no dump of this program, or nothing that can be compared.
    """
    program, source = compiled.program, str(log)
    program_id = fingerprint(program)
    found = parse_log(read_log(log), program_id, result_types(program), source)
    inferences = found.inferences
    if not any(inference.parts for inference in inferences):
        raise LogError(f"{source} has no line of the dump that arrived whole ({len(found.damaged)} are damaged)")
    notes = _notes(found)
    taken = None if samples is None else compiled.as_taken(samples)
    if taken is not None and 1 < len(taken) < len(inferences):
        notes.append(f"{len(inferences)} inferences in the log, {len(taken)} sets of inputs: the others are left out")
        inferences = inferences[: len(taken)]
    sets = [None if taken is None else taken[k if len(taken) > 1 else 0] for k in range(len(inferences))]
    compared = [compare_inference(program, i, s) for i, s in zip(inferences, sets, strict=True)]
    if len(compared) > 1 and compared[-1].missing and not inferences[-1].ended:
        notes.append("the log ends within the last inference: what there is of it is compared")
        compared[-1] = replace(compared[-1], missing=())
    return {
        "model": compiled.source.name,
        "log": source,
        "program": program_id,
        "passed": all(c.agrees for c in compared),
        "notes": notes,
        "inferences": [_inference(compiled, c) for c in compared],
    }


def _notes(found: DumpLog) -> list[str]:
    """What is odd about a log."""
    notes = []
    if found.began_late:
        notes.append("the log begins within an inference, which is left out")
    if found.damaged:
        some = ", ".join(map(str, found.damaged[:SHOWN])) + (", ..." if len(found.damaged) > SHOWN else "")
        notes.append(f"{len(found.damaged)} damaged line(s) are left out: {some}")
    return notes


def _inference(compiled: Compilation, compared: Compared) -> dict[str, Any]:
    """One inference as data."""
    stages = compiled.program.stages
    return {
        "line": compared.line,
        "passed": compared.agrees,
        "summary": _summary(compiled, compared),
        "input_difference": _difference(compiled, compared.input),
        "first_difference": _difference(compiled, compared.first),
        "missing": [{"index": n, "name": _name(compiled, n)} for n in compared.missing],
        "layers": [
            {
                "index": n,
                "name": stages[n].loc or stages[n].result.name,
                "operator": stages[n].op.mnemonic,
                "verdict": verdict,
            }
            for n, verdict in compared.layers.items()
        ],
    }


def _difference(compiled: Compilation, found: Difference | None) -> dict[str, Any] | None:
    """A difference as data. Numbers that are not finite are words."""
    if found is None:
        return None

    def number(x: float | None) -> float | str | None:
        return x if x is None or math.isfinite(x) else str(x)

    return {
        "index": found.layer,
        "name": _name(compiled, found.layer),
        "element": list(found.element),
        "offset": found.offset,
        "value": number(found.value),
        "expected": number(found.expected),
        "checksum_of": found.covers if found.value is None else None,
        "differing": found.count,
        "elements": math.prod(found.shape),
        "hint": found.hint,
    }


def _name(compiled: Compilation, number: int) -> str:
    """What messages call a layer or an input."""
    if number < 0:
        return f"input {compiled.imported.inputs[-1 - number].name!r}"
    stage = compiled.program.stages[number]
    if compiled.program.takes_rows(stage):
        names = [v.name for v in compiled.program.inputs]
        return f"input {compiled.imported.inputs[names.index(stage.op.operands[0].name)].name!r}"
    return f"layer {number}, {stage.op.mnemonic} {stage.loc or stage.result.name}"


def _summary(compiled: Compilation, compared: Compared) -> str:
    """What became of an inference, in words."""
    parts = []
    if compared.input is not None:
        parts.append(f"{_sentence(compiled, compared.input)}.")
        if not compared.layers:
            parts.append("The layers were not compared: the log does not have the inputs whole.")
        elif compared.first is None:
            parts.append("What the network computed from it is right.")
        else:
            parts.append("Held against what the interpreter computes from the device's own input:")
    if compared.first is not None:
        parts.append(f"{_sentence(compiled, compared.first)}.")
        earlier = [n for n in compared.missing if 0 <= n < compared.first.layer]
        parts.append("Layers before it are missing from the log." if earlier else "The layers before it agree.")
    if compared.input is None and compared.first is None:
        close = sum(v == CLOSE for v in compared.layers.values())
        seen = sum(v not in (MISSING, UNCHECKED) for v in compared.layers.values())
        rounding = f", {close} but for rounding" if close else ""
        parts.append(f"{seen} of {len(compared.layers)} layers agree{rounding}.")
    if unchecked := sum(v == UNCHECKED for v in compared.layers.values()):
        text = "layer(s) of integers come after rounded floats: their checksums tell nothing, -DTINYC_DUMP would"
        parts.append(f"{unchecked} {text}.")
    if compared.missing:
        names = "; ".join(_name(compiled, n) for n in compared.missing[:SHOWN])
        more = f"; and {len(compared.missing) - SHOWN} more" if len(compared.missing) > SHOWN else ""
        parts.append(f"Missing, or not whole in the log: {names}{more}.")
    return " ".join(parts)


def _sentence(compiled: Compilation, found: Difference) -> str:
    """A difference in words, without a full stop."""
    name, element = _name(compiled, found.layer), list(found.element)
    total = math.prod(found.shape)
    if found.value is None:
        last = found.offset + found.covers - 1
        return f"{name} differs: the checksum of elements {found.offset} to {last} of {total} is another"
    text = f"{name} differs: element {element} is {found.value:.9g} where {found.expected:.9g} was expected"
    text += f" ({found.count} of {total} elements differ)"
    return f"{text}; {found.hint}" if found.hint else text

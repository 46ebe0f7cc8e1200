"""What commands tell, as data: one JSON object each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyc.compiler.frontend import Inspection
from tinyc.compiler.verify import Verdict
from tinyc.ir.tensor import Array


def inspection_document(model: Path, found: Inspection, macs: int | None, reason: str) -> dict[str, Any]:
    """What `tinyc inspect` tells, as data. `macs` is null, with the reason, for a model that cannot be imported."""

    def ports(items: Sequence[Any]) -> list[dict[str, Any]]:
        return [{"name": i.name, "shape": None if i.shape is None else list(i.shape), "type": i.dtype} for i in items]

    return {
        "model": str(model),
        "producer": found.producer,
        "opset": found.opset,
        "nodes": found.nodes,
        "inputs": ports(found.inputs),
        "outputs": ports(found.outputs),
        "operators": dict(found.operators),
        "parameters": found.parameters,
        "macs": macs,
        "unsupported": [{"operator": u.operator, "node": u.loc} for u in found.unsupported],
        "problem": reason,
    }


def outputs_document(arrays: Mapping[str, Array], on: str, inferences: int) -> dict[str, Any]:
    """What `tinyc run` tells, as data: shape, range and, for each inference, the largest element of each output."""

    def one(array: Array) -> dict[str, Any]:
        flat = array.reshape(inferences, -1)
        return {
            "shape": list(array.shape),
            "type": str(array.dtype),
            "min": _number(array.min()) if array.size else None,
            "max": _number(array.max()) if array.size else None,
            "argmax": [int(i) for i in flat.argmax(axis=1)] if array.size else [],
        }

    return {"on": on, "inferences": inferences, "outputs": {name: one(a) for name, a in arrays.items()}}


def verdicts_document(found: Sequence[Verdict]) -> dict[str, Any]:
    """What `tinyc verify` tells, as data."""
    return {
        "passed": all(v.passed for v in found),
        "executors": [
            {
                "executor": v.executor,
                "passed": v.passed,
                "against": v.against,
                "samples": v.samples,
                "max_abs_error": _number(v.max_abs_error),
                "max_relative_error": _number(v.max_relative_error),
                "first_difference": v.first_difference,
            }
            for v in found
        ],
    }


def _number(value: Any) -> float | int | str:
    """A number as JSON has it; infinities and NaN as words."""
    number = value.item() if hasattr(value, "item") else value
    finite = not isinstance(number, float) or abs(number) < float("inf")
    return number if finite else str(number)

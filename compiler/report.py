"""What a compilation amounts to, as data (report.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tinyc.backends.c import CSource
from tinyc.compiler.frontend import Imported
from tinyc.compiler.verify import Verdict
from tinyc.ir.op import Op, Value
from tinyc.ir.rows import RowProgram, Space
from tinyc.passes.manager import PassRecord


def make_report(
    imported: Imported,
    program: RowProgram,
    source: CSource,
    target: str,
    records: Sequence[PassRecord],
    verdicts: Sequence[Verdict],
) -> dict[str, Any]:
    """The report: sizes in bytes, MACs of one inference, parameters as counted in the ONNX file.

    `layers` has one entry a stage, in the order of execution; `verification` one an executor that was compared with
    onnxruntime (empty when verification was off).
    """
    plan = program.plan
    return {
        "model": source.name,
        "target": target,
        "parameters": imported.parameters,
        "macs": program.macs(),
        "ram": {
            "arena_bytes": source.arena_bytes,
            "arena_lower_bound_bytes": plan.lower_bound if plan else 0,
            "input_bytes": sum(v.type.bytes for v in program.inputs),
            "output_bytes": sum(v.type.bytes for v in program.outputs),
        },
        "flash": {"weights_bytes": source.weights_bytes},
        "passes": [
            {"name": r.name, "seconds": round(r.seconds, 6), "max_abs_error": _finite(r.max_abs_error)} for r in records
        ],
        "layers": [
            {
                "index": number,
                "name": stage.loc,
                "operator": stage.op.mnemonic,
                "inputs": [str(v.type) for v in _data_operands(program, stage.op)],
                "output": str(stage.result.type),
                "macs": stage.op.macs(),
                "weights_bytes": sum(v.type.bytes for v in stage.op.operands if _is_constant(program, v)),
                "output_bytes": stage.result.type.bytes,
            }
            for number, stage in enumerate(program.stages)
        ],
        "verification": [
            {
                "executor": v.executor,
                "passed": v.passed,
                "samples": v.samples,
                "max_abs_error": _finite(v.max_abs_error),
                "max_relative_error": _finite(v.max_relative_error),
                "first_difference": v.first_difference,
            }
            for v in verdicts
        ],
    }


def to_json(report: Mapping[str, Any]) -> str:
    """The report as a JSON document: strict (no NaN), keys in the report's order."""
    return json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(number: float | None) -> float | str | None:
    """JSON has no infinity: it is written as a word."""
    return str(number) if number in (float("inf"), float("-inf")) else number


def _is_constant(program: RowProgram, value: Value) -> bool:
    return program.root(value.name)[0].space is Space.CONSTANT


def _data_operands(program: RowProgram, op: Op) -> list[Value]:
    return [v for v in op.operands if not _is_constant(program, v)]

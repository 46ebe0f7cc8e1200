"""What a compilation amounts to, as data (report.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinyc.backends.c import CPort, CSource
from tinyc.compiler.evaluate import Evaluation
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering import Lowered
from tinyc.compiler.lowering.cores import core_report
from tinyc.compiler.lowering.memory import buffer_table, segment_table
from tinyc.compiler.verify import Verdict
from tinyc.compiler.witness import Quantisation, Witnessed
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Broadcast, Gather, Reshape, Slice, Transpose
from tinyc.ir.rows import RowProgram, Space
from tinyc.passes.integerise import ScaledPort
from tinyc.passes.quantise import to_dicts

MOVING = {op.mnemonic for op in (Reshape, Transpose, Slice, Broadcast, Gather)}
"""Operators that give what they are given: quantisation costs nothing there."""


def make_report(
    imported: Imported,
    lowered: Lowered,
    source: CSource,
    target: str,
    verdicts: Sequence[Verdict],
    quality: Evaluation | None = None,
) -> dict[str, Any]:
    """The report: sizes in bytes, MACs of one inference, parameters as counted in the ONNX file.

    `ram.arena_bytes` is everything that is written but outputs and stack: inputs too, where they lie in the arena. Of
    two memories it is that of internal RAM, and `ram.psram_arena_bytes` that of PSRAM.
    `ram.buffers` has the place of each buffer in the arena and the first and last layer that touches it, `ram.segments`
    the layers that advance together row by row; `ram.stack_bytes` is what the stack needed where it was measured, null
    where it was not. `layers` has one entry a stage, in the order of execution; `verification` one an executor that was
    compared with onnxruntime (empty when verification was off). `quantisation` is there for a model that was quantised
    here, `witness` for any quantised model that was verified.
    """
    program, plan = lowered.program, lowered.program.plan
    measured = next((v for v in verdicts if v.stack_bytes is not None), None)
    report = {
        "model": source.name,
        "target": target,
        "parameters": imported.parameters,
        "macs": program.macs(),
        "ram": {
            "arena_bytes": source.arena_bytes,
            "psram_arena_bytes": source.psram_bytes,
            "arena_lower_bound_bytes": plan.lower_bound if plan else 0,
            "input_bytes": sum(p.type.bytes for p in source.inputs),
            "input_place": {p.onnx_name: p.place for p in source.inputs},
            "output_bytes": sum(p.type.bytes for p in source.outputs if p.place == "argument"),
            "output_place": {p.onnx_name: p.place for p in source.outputs},
            "stack_bytes": measured.stack_bytes if measured else None,
            "stack_measured_on": measured.executor if measured else None,
            "buffers": buffer_table(program),
            "segments": segment_table(program),
        },
        "interface": _interface(lowered, source),
        "cores": core_report(program),
        "flash": {"weights_bytes": source.weights_bytes},
        "code": {
            "optimize": source.optimize,
            "functions": source.functions,
            "layers": len(source.stages),
            "paired_layers": source.paired_layers,
            "mac16_layers": source.mac16_layers,
            "vector_layers": source.vector_layers,
        },
        "passes": [
            {"name": r.name, "seconds": round(r.seconds, 6), "max_abs_error": _finite(r.max_abs_error)}
            for r in lowered.records
        ],
        "layers": [
            {
                "index": number,
                "name": stage.loc,
                "operator": stage.op.mnemonic,
                "inputs": [str(v.type) for v in _data_operands(program, stage.op)],
                "output": str(stage.result.type),
                "kernels": stage.kernel.library or "tinyc",
                "kernels_because": stage.kernel.note,
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
    if lowered.quantised is not None:
        report["quantisation"] = _quantisation(lowered, quality)
    if lowered.witnessed is not None:
        report["witness"] = _witness(lowered.witnessed, lowered.quantisation)
    return report


def _interface(lowered: Lowered, source: CSource) -> dict[str, Any]:
    """The types of inputs and outputs, and what integers mean."""
    taken = {p.name: p for p in lowered.inputs}

    def side(
        values: Sequence[Value], ports: Sequence[CPort], meant: Sequence[ScaledPort | None]
    ) -> list[dict[str, Any]]:
        found = []
        for value, port, scaled in zip(values, ports, meant, strict=True):
            integers = {} if scaled is None else _meaning(scaled)
            found.append({"name": port.onnx_name, "type": str(value.type), **integers})
        return found

    program = lowered.program
    return {
        "inputs": side(program.inputs, source.inputs, [taken.get(v.name) for v in program.inputs]),
        "outputs": side(program.outputs, source.outputs, lowered.outputs),
    }


def _meaning(port: ScaledPort) -> dict[str, Any]:
    """What the integers of a port stand for: a list of numbers where channels differ."""
    if not port.channels:
        return {"scale": port.scale, "zero_point": port.zero}
    return {"scale": [s for s, _ in port.channels], "zero_point": [z for _, z in port.channels]}


def _witness(found: Witnessed, quantisation: Quantisation | None) -> dict[str, Any]:
    """What of a quantised network was held against what."""
    document: dict[str, Any] = {
        "integer_layers": found.layers,
        "constants_compared": found.constants,
        "exact_arithmetic": found.arithmetic,
        "largest_distance_in_steps": round(found.steps, 4),
        "onnxruntime_distance_in_steps": None if found.reference is None else round(found.reference, 4),
        "onnxruntime_not_asked_because": found.because,
        "without_definition": list(found.left),
    }
    if quantisation is not None:
        document |= {
            "float_layers": quantisation.layers,
            "mean_error_in_steps": None if quantisation.mean_error is None else round(quantisation.mean_error, 4),
            "noise_above_prediction_db": round(quantisation.noise, 2),
            "accepted": list(quantisation.accepted),
        }
    return document


def _quantisation(lowered: Lowered, quality: Evaluation | None) -> dict[str, Any]:
    """What quantisation cost, worst layer first, and what integers at the inputs and outputs mean."""
    assert lowered.quantised is not None

    def port(p: ScaledPort) -> dict[str, Any]:
        return {"name": p.name, "type": p.dtype.value, **_meaning(p), "note": p.note}

    found: dict[str, Any] = {
        "layers": [layer for layer in to_dicts(lowered.quantised.layers) if layer["op"] not in MOVING],
        "float_operators": [{"name": e.node.where, "reason": e.reason} for e in lowered.leftovers],
        "inputs": [port(p) for p in lowered.inputs],
        "outputs": [port(p) for p in lowered.outputs if p is not None],
    }
    if quality is not None:
        found["inferences"] = quality.inferences
        found["output_sqnr_db"] = round(quality.sqnr, 2) if math.isfinite(quality.sqnr) else None
        found["measured_on"] = "calibration data"
        found["top1_agreement"] = quality.agreement
        if quality.top1 is not None:
            found["accuracy"] = {"float": quality.top1[0], "int8": quality.top1[1]}
    return found


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

"""Calls of ESP-DSP's functions: a product of matrices, or of vectors for a single row; bias and limits afterwards."""

from __future__ import annotations

import math

import numpy as np

from tinyc.backends.c.calls import limits, pointer
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, TranslationUnit
from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_dsp import NAME, call_of
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

PREAMBLE = """#include <dspm_mult.h>
#include <dsps_dotprod.h>
"""


@emits(LinearLayer, library=NAME)
def emit_esp_dsp(unit: TranslationUnit, stage: Stage, op: LinearLayer) -> RowCall:
    """The call of a stage that ESP-DSP computes."""
    call = call_of(unit.program, stage, not stage.windows)
    if isinstance(call, str):
        raise CodegenError(f"{stage.where}: {NAME} has no function for it ({call})")
    weights = unit.constant(op.w)
    if weights is None:
        raise CodegenError(f"{stage.where}: weights for {NAME} have to be constants")
    unit.use_library(NAME, PREAMBLE)
    plain = weights.reshape(call.outputs, call.channels)
    floats = pointer(DType.F32)
    if call.height == 1:
        symbol = unit.constants.symbol(plain, op.w.name)
        lines = [
            f"for (int k = 0; k < {call.outputs}; ++k) {{",
            f"    dsps_dotprod_f32(x, w + k * {call.channels}, out + k, {call.channels});",
            "}",
        ]
    else:
        symbol = unit.constants.symbol(np.ascontiguousarray(plain.T), f"{op.w.name}_columns", "weights, by inputs")
        lines = [f"dspm_mult_f32(x, w, out, {call.height}, {call.channels}, {call.outputs});"]
    arguments: list[Argument]
    parameters, arguments = [f"{floats}x", f"{floats}w"], [Pointer(0), symbol]
    if op.b is not None:
        parameters.append(f"{floats}bias")
        arguments.append(Pointer(2))
    if op.b is not None or (op.min, op.max) != (-math.inf, math.inf):
        lines.append(_finish(unit, call, op))
    body = "".join(f"    {line}\n" for line in lines)
    return RowCall(unit.function("esp_dsp_dense", ", ".join([*parameters, "float *out"]), body), tuple(arguments))


def _finish(unit: TranslationUnit, call: LibraryCall, op: LinearLayer) -> str:
    """The statement that adds the bias and limits the results."""
    literals = limits(op.min, op.max, DType.F32)
    if any(text.endswith("INFINITY") for _, text in literals):
        unit.kernels.headers.add("math.h")
    bias = "bias" if op.b is not None else "out"
    values = ["out", bias, f"/*pixels=*/{call.height}", f"/*outputs=*/{call.outputs}"]
    values += [f"/*has_bias=*/{int(op.b is not None)}", *(f"/*{name}=*/{text}" for name, text in literals)]
    return f"{unit.kernels.use('finish', DType.F32)}({', '.join(values)});"

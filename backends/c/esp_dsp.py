"""Calls of ESP-DSP's functions: a product of matrices, or of vectors for a single row; bias and limits afterwards."""

from __future__ import annotations

import math

import numpy as np

from tinyc.backends.c.calls import limits, pointer
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Unit
from tinyc.backends.libraries.esp_dsp import NAME, layer_of
from tinyc.backends.libraries.layer import Layer
from tinyc.ir.ops.conv import Conv2d
from tinyc.ir.ops.linear import Dense
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

PREAMBLE = """#include <dspm_mult.h>
#include <dsps_dotprod.h>
"""


def emit_esp_dsp(unit: Unit, stage: Stage) -> RowCall:
    """The call of a stage that ESP-DSP computes."""
    op = stage.op
    layer = layer_of(unit.program, stage, not stage.windows)
    if isinstance(layer, str) or not isinstance(op, (Conv2d, Dense)):
        raise CodegenError(f"{stage.where}: {NAME} has no function for it ({layer})")
    weights = unit.constant(op.w)
    if weights is None:
        raise CodegenError(f"{stage.where}: weights for {NAME} have to be constants")
    unit.use_library(NAME, PREAMBLE)
    plain = weights.reshape(layer.outputs, layer.channels)
    floats = pointer(DType.F32)
    if layer.height == 1:
        symbol = unit.constants.symbol(plain, op.w.name)
        lines = [
            f"for (int k = 0; k < {layer.outputs}; ++k) {{",
            f"    dsps_dotprod_f32(x, w + k * {layer.channels}, out + k, {layer.channels});",
            "}",
        ]
    else:
        symbol = unit.constants.symbol(np.ascontiguousarray(plain.T), f"{op.w.name}_columns", "weights, by inputs")
        lines = [f"dspm_mult_f32(x, w, out, {layer.height}, {layer.channels}, {layer.outputs});"]
    arguments: list[Argument]
    parameters, arguments = [f"{floats}x", f"{floats}w"], [Pointer(0), symbol]
    if op.b is not None:
        parameters.append(f"{floats}bias")
        arguments.append(Pointer(2))
    if op.b is not None or (op.min, op.max) != (-math.inf, math.inf):
        lines.append(_finish(unit, layer, op))
    body = "".join(f"    {line}\n" for line in lines)
    return RowCall(unit.function("esp_dsp_dense", ", ".join([*parameters, "float *out"]), body), tuple(arguments))


def _finish(unit: Unit, layer: Layer, op: Conv2d | Dense) -> str:
    """The statement that adds the bias and limits the results."""
    literals = limits(op.min, op.max, DType.F32)
    if any(text.endswith("INFINITY") for _, text in literals):
        unit.kernels.headers.add("math.h")
    bias = "bias" if op.b is not None else "out"
    values = ["out", bias, f"/*pixels=*/{layer.height}", f"/*outputs=*/{layer.outputs}"]
    values += [f"/*has_bias=*/{int(op.b is not None)}", *(f"/*{name}=*/{text}" for name, text in literals)]
    return f"{unit.kernels.use('finish', DType.F32)}({', '.join(values)});"

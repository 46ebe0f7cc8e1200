"""C between floats and integers: quantize and dequantize in integer arithmetic, on the bits of the floats.

Both are exact, for every float. `quantize` needs no division, and is fewer instructions than `rintf(x / scale)` with a
floating-point unit, too (a call of the C library); so it is that on every target. To `dequantize`, a multiplication is
shorter where the target has such a unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.backends.c.calls import pointer, wrapped
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

LEAST, MOST = 2.0**-125, 2.0**118
"""The scales that the kernels are for: half a step is a normal number, 256 steps are finite."""


def fits(scale: float) -> bool:
    """Whether the kernels are for a scale. Others are computed as they are defined."""
    return LEAST <= float(np.float32(scale)) <= MOST


def quantize_literals(scale: float, zero: int, to: DType) -> list[tuple[str, str]]:
    """The arguments of tinyc_quantize_bits behind x, by name."""
    bits = _bits(scale)
    unit = bits & 0x7FFFFF | 0x800000
    low, high = to.limits
    numbers = {"zero": zero, "low": low, "high": high}
    exact = {"scale": bits, "reciprocal": -(-(2**54) // unit)}
    return [*((k, f"0x{v:08x}U") for k, v in exact.items()), *((k, str(v)) for k, v in numbers.items())]


def _quantizes(unit: TranslationUnit, stage: Stage, op: Quantize) -> bool:
    return op.to.bytes == 1 and fits(op.scale)


def _dequantizes(unit: TranslationUnit, stage: Stage, op: Dequantize) -> bool:
    return not unit.tuning.fpu and op.whole() and op.x.dtype.bytes == 1 and fits(op.scale[0])


@emits(Quantize, where=_quantizes)
def emit_quantize(unit: TranslationUnit, stage: Stage, op: Quantize) -> RowCall:
    """Elements one after the other; the result may lie over the operand."""
    bits = f"{unit.kernels.use('float_bits')}(x[i])"
    values = [bits, *(f"/*{k}=*/{v}" for k, v in quantize_literals(op.scale, op.zero, op.to))]
    function = unit.kernels.use("quantize_bits")
    return _loop(unit, stage, op, f"out[i] = ({C_TYPES[op.to]}){function}(", values)


@emits(Dequantize, where=_dequantizes)
def emit_dequantize(unit: TranslationUnit, stage: Stage, op: Dequantize) -> RowCall:
    """Elements one after the other."""
    zero = op.zero[0]
    steps = "x[i]" if not zero else f"x[i] {'+' if zero < 0 else '-'} {abs(zero)}"
    values = [f"{unit.kernels.use('dequantize_bits')}({steps}", f"/*scale=*/0x{_bits(op.scale[0]):08x}U)"]
    return _loop(unit, stage, op, f"out[i] = {unit.kernels.use('bits_float')}(", values)


def _loop(
    unit: TranslationUnit, stage: Stage, whole: Quantize | Dequantize, head: str, values: Sequence[str]
) -> RowCall:
    """A call for all elements of a band of rows, `x[i]` to `out[i]`."""
    op = whole.row_op(stage.band, 0) if stage.windows else whole
    step = wrapped(f"        {head}", values, ");")
    body = f"    for (int i = 0; i < {op.type.size}; ++i) {{\n{step}    }}\n"
    out = f"{C_TYPES[whole.type.dtype]} *out"
    function = unit.function(whole.mnemonic, f"{pointer(whole.x.dtype)}x, {out}", body)
    return RowCall(function, (Pointer(0),), long_rows=True)


def _bits(scale: float) -> int:
    """The bits of a scale as the float that operators compute with."""
    return int(np.float32(scale).view(np.uint32))

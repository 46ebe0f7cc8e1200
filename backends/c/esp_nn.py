"""Calls of ESP-NN's functions.

A function is made for each geometry, with the parameters that the library takes in structures as constants of its own;
weights, biases and factors are arguments. Weights stay in their plain order and shifts are int32, as the library takes
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.backends.c.calls import pointer, wrapped
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import Argument, Count, Pointer, RowCall, Rows, Scratch, TranslationUnit
from tinyc.backends.libraries.by_rows import result_at, window_at
from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn import NAME, call_of, input_offset, library_bias
from tinyc.backends.libraries.esp_nn_scratch import scratch_bytes
from tinyc.ir.op import Op
from tinyc.ir.ops import MaxPool2d, QAdd, QAvgPool2d, QDense, QMean, QMul, QSoftmax
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.ops.pool import Pool
from tinyc.ir.ops.qconv import QConvolution
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

PREAMBLE = """#ifdef ESP_PLATFORM
#include "sdkconfig.h" /* Without it esp_nn.h silently takes its slowest functions. */
#endif
#include <esp_nn.h>
#if defined(CONFIG_IDF_TARGET) && {wrong}
#error "ESP-NN differs between chips, and this code was made for {chip}: compile the model for this chip"
#endif
"""
_CHIPS = {"esp32s3": "CONFIG_IDF_TARGET_ESP32S3", "esp32p4": "CONFIG_IDF_TARGET_ESP32P4"}
_I8, _I32 = pointer(DType.I8), pointer(DType.I32)
_OUT = "int8_t *out"


def preamble(chip: str) -> str:
    """What stands before the functions, for a chip with these vector instructions."""
    if chip in _CHIPS:
        return PREAMBLE.format(wrong=f"!defined({_CHIPS[chip]})", chip=chip.upper())
    wrong = " || ".join(f"defined({macro})" for macro in _CHIPS.values())
    return PREAMBLE.format(wrong=f"({wrong})", chip="chips without vectors")


def _called(unit: TranslationUnit, stage: Stage) -> LibraryCall:
    """What the library's function for a stage is called with. Makes the library available."""
    call = call_of(unit.program, stage, not stage.windows, stage.kernel.chip)
    if isinstance(call, str):
        raise CodegenError(f"{stage.where}: {NAME} has no function for it ({call})")
    unit.use_library(NAME, preamble(stage.kernel.chip))
    return call


@emits(QConvolution, library=NAME)
def emit_convolution(unit: TranslationUnit, stage: Stage, op: QConvolution) -> RowCall:
    """A convolution of either kind."""
    call = _called(unit, stage)
    deep = call.kind == "depthwise"
    kind, conv = ("dw_conv_params_t", "depthwise_conv") if deep else ("conv_params_t", "conv")
    (kh, kw), (down, right), (top, left) = call.kernel, call.strides, call.begin
    filters = call.channels if deep else call.channels // call.groups
    how = {
        "in_offset": str(input_offset(op, call)),
        "out_offset": str(op.out_zero),
        **({"ch_mult": str(call.each)} if deep else {}),
        "stride": _fields({"width": right, "height": down}),
        "padding": _fields({"width": left, "height": top}),
        "dilation": _fields({"width": 1, "height": 1}),
        "activation": _fields({"min": op.min, "max": op.max}),
    }
    wanted = f"esp_nn_get_{conv}_scratch_size(&from, &filter, &to, &how)"
    given = "(&from, x, &filter, w, bias, &to, out, &how, &factors);"
    lines = [
        _dims("from", call.width, call.height, call.channels),
        _dims("filter", kw, kh, filters),
        _dims("to", call.out_width, call.out_height, call.outputs),
        f"static const {kind} how = {{",
        *(f"    .{name} = {value}," for name, value in how.items()),
        "};",
        "/* The library reads them only, although the type of its pointers does not say so. */",
        "quant_data_t factors;",
        "factors.shift = (int32_t *)(uintptr_t)shift;",
        "factors.mult = (int32_t *)(uintptr_t)multiplier;",
        *_guarded(
            wanted,
            scratch_bytes(call, stage.kernel.chip),
            f"esp_nn_set_{conv}_scratch_buf(scratch);",
            f"esp_nn_{conv}_s8{given}",
            f"esp_nn_{conv}_s8_ansi{given}",
        ),
    ]
    parameters = [f"{_I8}w", *_factor_parameters()]
    arguments = [*_weights(unit, stage, op, call), *_factors(unit, stage, op)]
    return _call(unit, stage, call, f"esp_nn_{conv}{kh}x{kw}", lines, parameters, arguments)


def _fields(values: Mapping[str, object]) -> str:
    """The initialiser of a structure."""
    return f"{{{', '.join(f'.{name} = {value}' for name, value in values.items())}}}"


def _dims(name: str, width: int, height: int, channels: int) -> str:
    """The definition of the dimensions of a tensor."""
    values = {"width": width, "height": height, "channels": channels, "extra": 1}
    return f"static const data_dims_t {name} = {_fields(values)};"


def _guarded(wanted: str, size: int, setter: str, call: str, portable: str) -> list[str]:
    """The statements of a call that takes scratch memory, or of the portable function where a version of the library
    wants more than there is."""
    lines = [f"if ({wanted} <= {size}) {{"]
    lines += [f"    {setter}"] if size else []
    otherwise = "} else { /* Another version of the library, which wants more. */"
    return [*lines, f"    {call}", otherwise, f"    {portable}", "}"]


def _factor_parameters() -> list[str]:
    return [f"{_I32}bias", f"{_I32}multiplier", f"{_I32}shift"]


def _weights(unit: TranslationUnit, stage: Stage, op: IntegerLayer, call: LibraryCall) -> list[Argument]:
    """The arguments for weights and bias."""
    weights, bias = unit.constant(op.w), unit.constant(op.b)
    if weights is None or bias is None:
        raise CodegenError(f"{stage.where}: weights of integer layers have to be constants")
    own = library_bias(op, call, weights, bias).astype(np.int32)
    note = "" if np.array_equal(own, bias) else "bias, from which the input's zero point is not yet subtracted"
    name = op.b.name if not note else f"{op.b.name}_plain"
    return [unit.constants.symbol(weights, op.w.name), unit.constants.symbol(own, name, note)]


def _factors(unit: TranslationUnit, stage: Stage, op: IntegerLayer) -> list[Argument]:
    """The arguments for multipliers and shifts."""
    multiplier, shift = unit.constant(op.multiplier), unit.constant(op.shift)
    if multiplier is None or shift is None:
        raise CodegenError(f"{stage.where}: factors of integer layers have to be constants")
    # Whatever the shift, nothing comes of a multiplier of zero.
    shift = np.where(multiplier == 0, -1, shift).astype(np.int32)
    return [
        unit.constants.symbol(multiplier, op.multiplier.name),
        unit.constants.symbol(shift, op.shift.name, "shifts as int32, for ESP-NN"),
    ]


@emits(QDense, library=NAME)
def emit_dense(unit: TranslationUnit, stage: Stage, op: QDense) -> RowCall:
    """A dense call: one call for each row."""
    call = _called(unit, stage)
    # The zero point is in the bias already, so neither offset is needed.
    fixed = f"0, {call.channels}, w, 0, bias"
    result = f"{call.outputs}, {op.out_zero}, shift, multiplier, {op.min}, {op.max}"
    rows = call.height
    if rows == 1:
        lines = [f"esp_nn_fully_connected_per_ch_s8(x, {fixed}, out, {result});"]
    else:
        lines = [
            f"for (int k = 0; k < {rows}; ++k) {{",
            f"    esp_nn_fully_connected_per_ch_s8(x + k * {call.channels}, {fixed},",
            f"        out + k * {call.outputs}, {result});",
            "}",
        ]
    parameters = [f"{_I8}w", *_factor_parameters()]
    arguments = [*_weights(unit, stage, op, call), *_factors(unit, stage, op)]
    return _call(unit, stage, call, "esp_nn_dense", lines, parameters, arguments)


@emits(MaxPool2d, QAvgPool2d, library=NAME)
def emit_pool(unit: TranslationUnit, stage: Stage, op: Pool) -> RowCall:
    """The largest or the average of each window."""
    call = _called(unit, stage)
    (kh, kw), (down, right), (top, left) = call.kernel, call.strides, call.begin
    there = "(uint16_t)count" if call.gathered is not None and call.gathered.fewer else None
    values = [
        *("x", call.width, there or call.height, "out", call.out_width, call.out_height),
        *(right, down, kw, there or kh, left, top, call.low, call.high, call.channels),
    ]
    return _plain(unit, stage, call, f"esp_nn_{call.kind}_s8", values)


@emits(QMean, library=NAME)
def emit_mean(unit: TranslationUnit, stage: Stage, op: QMean) -> RowCall:
    """The mean of each channel."""
    call = _called(unit, stage)
    sizes = (call.height, call.width, call.channels)
    return _plain(
        unit, stage, call, "esp_nn_mean_nhwc_s8", ["x", "out", *sizes, op.zero, op.out_zero, op.multiplier, op.shift]
    )


@emits(QAdd, library=NAME)
def emit_add(unit: TranslationUnit, stage: Stage, op: QAdd) -> RowCall:
    """The sum of two values."""
    call = _called(unit, stage)
    values = [
        *("x", "y", -op.x_zero, -op.y_zero, op.x_multiplier, op.y_multiplier, op.x_shift, op.y_shift, op.left),
        *("out", op.out_zero, op.out_multiplier, op.out_shift, op.min, op.max, call.channels),
    ]
    return _plain(unit, stage, call, "esp_nn_add_elementwise_s8", values, _operands(unit, op))


@emits(QMul, library=NAME)
def emit_mul(unit: TranslationUnit, stage: Stage, op: QMul) -> RowCall:
    """The product of two values, or of one and a factor for each of its channels."""
    call = _called(unit, stage)
    name = "esp_nn_mul_elementwise_s8" if call.kind == "mul" else "esp_nn_mul_broadcast_channel_s8"
    sizes = [call.channels] if call.kind == "mul" else [call.width, call.channels]
    out = ["out", op.out_zero, op.multiplier, op.shift, op.min, op.max]
    values = ["x", "y", -op.x_zero, -op.y_zero, *out, *sizes]
    return _plain(unit, stage, call, name, values, _operands(unit, op))


@emits(QSoftmax, library=NAME)
def emit_softmax(unit: TranslationUnit, stage: Stage, op: QSoftmax) -> RowCall:
    """Softmax over the last dimension."""
    call = _called(unit, stage)
    rows, width = call.height, call.channels
    given = f"(x, {rows}, {width}, {op.multiplier}, {op.left}, {max(op.diff_min, -256)}, out);"
    lines = _guarded(
        f"esp_nn_get_softmax_scratch_size({width}, {rows})",
        scratch_bytes(call, stage.kernel.chip),
        "esp_nn_set_softmax_scratch_buf(scratch);",
        f"esp_nn_softmax_s8{given}",
        f"esp_nn_softmax_s8_ansi{given}",
    )
    return _call(unit, stage, call, "esp_nn_softmax", lines)


def _operands(unit: TranslationUnit, op: Op) -> list[Argument]:
    """Both operands; a constant as an array of its own, which is aligned."""
    found: list[Argument] = []
    for number, value in enumerate(op.operands):
        array = unit.constant(value)
        found.append(Pointer(number) if array is None else unit.constants.symbol(array, value.name))
    return found


def _plain(
    unit: TranslationUnit,
    stage: Stage,
    call: LibraryCall,
    name: str,
    values: Sequence[object],
    operands: Sequence[Argument] = (),
) -> RowCall:
    """A function that makes one call with literals. `operands` are those after which the parameters x and y are called;
    without them there is x alone, which may be gathered."""
    parameters = [f"{_I8}{x}" for x in ("x", "y")[: len(operands)]]
    text = wrapped(f"    {name}(", [str(v) for v in values], ");").rstrip("\n")
    hint, lines = name.removesuffix("_s8"), [text.removeprefix("    ")]
    if operands:
        return _function(unit, hint, lines, [*parameters, _OUT], operands)
    return _call(unit, stage, call, hint, lines)


def _call(
    unit: TranslationUnit,
    stage: Stage,
    call: LibraryCall,
    hint: str,
    lines: Sequence[str],
    parameters: Sequence[str] = (),
    arguments: Sequence[Argument] = (),
) -> RowCall:
    """A function of the operand x, then these parameters, the scratch memory if there is some, and the result."""
    gathered, given, asked = call.gathered, [f"{_I8}x"], scratch_bytes(call, stage.kernel.chip)
    taken: list[Argument] = [Pointer(0)]
    if gathered is not None:
        given = ["const int8_t **rows", *(["int count"] if gathered.fewer else [])]
        taken = [Rows(0), *([Count(0)] if gathered.fewer else [])]
        rows = "count" if gathered.fewer else gathered.rows
        sizes = f"{rows}, {gathered.before}, {gathered.size}, {gathered.after}, {gathered.fill}"
        copy = f"{unit.kernels.use('side_by_side', DType.I8)}(x, rows, {sizes});"
        lines = [f"int8_t *const x = (int8_t *)scratch + {window_at(asked)};", copy, *lines]
    if call.aside:
        moved = [f"for (int k = 0; k < {call.results}; ++k) {{", "    result[k] = out[k];", "}"]
        lines = [f"int8_t *const out = (int8_t *)scratch + {result_at(call, asked)};", *lines, *moved]
    scratch = stage.kernel.scratch is not None
    given += [*parameters, *(["void *scratch"] if scratch else []), "int8_t *result" if call.aside else _OUT]
    return _function(unit, hint, lines, given, [*taken, *arguments, *([Scratch()] if scratch else [])])


def _function(
    unit: TranslationUnit, hint: str, lines: Sequence[str], parameters: Sequence[str], arguments: Sequence[Argument]
) -> RowCall:
    body = "".join(f"    {line}\n" for line in lines)
    split = -(-len(parameters) // 2) if len(parameters) > 3 else len(parameters)
    declared = ",\n        ".join(", ".join(part) for part in (parameters[:split], parameters[split:]) if part)
    return RowCall(unit.function(hint, declared, body), tuple(arguments))

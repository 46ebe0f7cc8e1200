"""C for int8 poolings with the vector instructions of the ESP32-S3: 16 channels at a time."""

from __future__ import annotations

from tinyc.backends.c.calls import Literal, limits, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.pie_tables import VECTOR
from tinyc.backends.c.pool import pool_call
from tinyc.backends.c.quantised import factor_form
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.ir.ops import MaxPool2d, QAvgPool2d, QMean
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

_PIXELS = 4096
"""What the pixels of a total of 20 bits are fewer than."""

# Instructions, as counted: an element without vectors; 16 channels of a result, of a row of its window, and of a pixel.
_ELEMENT, _RESULT, _ROW, _PIXEL = 4.5, 110.0, 22.0, 4.0


def _pays(tuning: Tuning, rows: int, columns: int, channels: int) -> bool:
    """Whether windows of so many pixels take fewer instructions by vectors."""
    blocks = -(-channels // VECTOR)
    vectors = blocks * (_RESULT + rows * (_ROW + columns * _PIXEL))
    return tuning.vectors and rows * columns < _PIXELS and vectors < _ELEMENT * rows * columns * channels


def pools(op: QAvgPool2d | MaxPool2d, tuning: Tuning) -> bool:
    """Whether a pooling is computed by vectors."""
    return op.x.dtype is DType.I8 and _pays(tuning, op.kernel[0], op.kernel[1], op.x.shape[3])


def means(op: QMean, tuning: Tuning) -> bool:
    """Whether a mean is computed by vectors."""
    return _pays(tuning, 1, op.x.shape[1] * op.x.shape[2], op.x.shape[3])


def _pools(unit: TranslationUnit, stage: Stage, op: QAvgPool2d | MaxPool2d) -> bool:
    return pools(op, unit.tuning)


def _means(unit: TranslationUnit, stage: Stage, op: QMean) -> bool:
    return means(op, unit.tuning)


@emits(QMean, where=_means)
def emit_qmean(unit: TranslationUnit, stage: Stage, op: QMean) -> RowCall:
    """The mean of each channel."""
    count, height, width, channels = op.x.shape
    multiplier, form = factor_form(255 * height * width, op.multiplier, op.shift)
    values = {"count": count, "pixels": height * width, "channels": channels, "x_zero": op.zero}
    values |= {"multiplier": multiplier, "shift": op.shift, "zero": op.out_zero}
    literals = [*_texts(values), *limits(op.min, op.max, DType.I8), ("form", str(form))]
    parameters = [("const int8_t *", "x"), ("int8_t *", "out")]
    return RowCall(specialise(unit, "qmean", "qpie_mean", DType.I8, parameters, literals), (Pointer(0),))


@emits(QAvgPool2d, where=_pools)
def emit_qavg_pool(unit: TranslationUnit, stage: Stage, op: QAvgPool2d) -> RowCall:
    """The average of each window."""
    return pool_call(unit, stage, op, "qavgpool", "qpie_avg_pool2d", limits(op.min, op.max, DType.I8))


@emits(MaxPool2d, where=_pools)
def emit_max_pool(unit: TranslationUnit, stage: Stage, op: MaxPool2d) -> RowCall:
    """The largest of each window."""
    return pool_call(unit, stage, op, "qmaxpool", "qpie_max_pool2d", [])


def _texts(values: dict[str, int]) -> list[Literal]:
    return [(name, str(value)) for name, value in values.items()]

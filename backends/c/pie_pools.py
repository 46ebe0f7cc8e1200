"""C for int8 poolings with the vector instructions of the ESP32-S3: 16 channels at a time."""

from __future__ import annotations

from tinyc.backends.c.calls import Literal, limits, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.pie_tables import VECTOR
from tinyc.backends.c.pool import pool_call
from tinyc.backends.c.quantised import factor_form
from tinyc.backends.c.quantised_values import average_literals
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.ir.ops import MaxPool2d, QAvgPool2d, QMean
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

_PIXELS = 4096
"""What the pixels of a total of 20 bits are fewer than."""

# Instructions, as counted: an element without vectors; 16 channels of a row of a window, and of a pixel; and of
# results, the largest of a window and its mean, which are divided one by one.
_ELEMENT, _ROW, _PIXEL, _LARGEST, _MEAN = 4.5, 22.0, 4.0, 20.0, 300.0


def _pays(tuning: Tuning, result: float, rows: int, columns: int, channels: int) -> bool:
    """Whether windows of so many pixels take fewer instructions by vectors, of which `result` are for its results."""
    blocks = -(-channels // VECTOR)
    vectors = blocks * (result + rows * (_ROW + columns * _PIXEL))
    return tuning.vectors and rows * columns < _PIXELS and vectors < _ELEMENT * rows * columns * channels


def averages(op: QAvgPool2d, tuning: Tuning) -> bool:
    """Whether an average pooling is computed by vectors."""
    return op.x.dtype is DType.I8 and _pays(tuning, _MEAN, op.kernel[0], op.kernel[1], op.x.shape[3])


def largest(op: MaxPool2d, tuning: Tuning) -> bool:
    """Whether a max pooling is."""
    return op.x.dtype is DType.I8 and _pays(tuning, _LARGEST, op.kernel[0], op.kernel[1], op.x.shape[3])


def means(op: QMean, tuning: Tuning) -> bool:
    """Whether a mean is."""
    return not op.is_wide() and _pays(tuning, _MEAN, 1, op.x.shape[1] * op.x.shape[2], op.x.shape[3])


def _averages(unit: TranslationUnit, stage: Stage, op: QAvgPool2d) -> bool:
    return averages(op, unit.tuning) and not stage.gathers


def _largest(unit: TranslationUnit, stage: Stage, op: MaxPool2d) -> bool:
    return largest(op, unit.tuning) and not stage.gathers


def _means(unit: TranslationUnit, stage: Stage, op: QMean) -> bool:
    return means(op, unit.tuning) and not stage.gathers


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


@emits(QAvgPool2d, where=_averages)
def emit_qavg_pool(unit: TranslationUnit, stage: Stage, op: QAvgPool2d) -> RowCall:
    """The average of each window."""
    return pool_call(unit, stage, op, "qavgpool", "qpie_avg_pool2d", average_literals(op))


@emits(MaxPool2d, where=_largest)
def emit_max_pool(unit: TranslationUnit, stage: Stage, op: MaxPool2d) -> RowCall:
    """The largest of each window."""
    return pool_call(unit, stage, op, "qmaxpool", "qpie_max_pool2d", [])


def _texts(values: dict[str, int]) -> list[Literal]:
    return [(name, str(value)) for name, value in values.items()]

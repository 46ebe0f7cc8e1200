"""Kinds of operators that the witness has one answer for, by the classes they derive from. Answers for a class that
derives from one of these go before."""

from __future__ import annotations

from tinyc.ir.op import Op
from tinyc.ir.ops import (
    AvgPool2d,
    BatchNorm,
    CumSum,
    Elementwise,
    MatMul,
    QAdd,
    QAvgPool2d,
    QCumSum,
    QDiv,
    QMatMul,
    QMean,
    QMul,
    QNorm,
    QPRelu,
    QRecurrent,
    QSoftmax,
    QSum,
    Recurrent,
    Reduce,
    Requantise,
    Softmax,
    Where,
)
from tinyc.ir.ops.along import Ranking
from tinyc.ir.ops.elementwise import Choice
from tinyc.ir.ops.layer import IntegerLayer, LinearLayer
from tinyc.ir.ops.movement import Movement
from tinyc.ir.ops.reduce import Chosen
from tinyc.ir.ops.scatter import PutTogether

Kinds = tuple[type[Op], ...]

GIVING: Kinds = (Movement, Choice, Chosen, Where)
"""The result consists of elements of the operands. Of integers it is rounded nowhere."""
COMPUTING: Kinds = (Elementwise, Reduce, BatchNorm, Softmax, Recurrent, Ranking, PutTogether)
"""Numbers are computed as they are: floats as a rule."""
SUMMING: Kinds = (LinearLayer, MatMul, AvgPool2d, CumSum)
"""Sums are computed, of floats as a rule, that an integer operator of its own computes on int8."""
INTEGER: Kinds = (
    IntegerLayer,
    QAdd,
    QDiv,
    QMul,
    QMatMul,
    QMean,
    QSum,
    QCumSum,
    QNorm,
    QPRelu,
    QAvgPool2d,
    QSoftmax,
    QRecurrent,
    Requantise,
)
"""Numbers are computed that int8 stands for."""

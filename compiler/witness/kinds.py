"""Kinds of operators that the witness has one answer for, by the classes they derive from. Answers for a class that
derives from one of these go before."""

from __future__ import annotations

from tinyc.ir.op import Op
from tinyc.ir.ops import (
    BatchNorm,
    CumSum,
    Elementwise,
    QAdd,
    QAvgPool2d,
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
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.ops.movement import Movement
from tinyc.ir.ops.reduce import Chosen
from tinyc.ir.ops.scatter import PutTogether

Kinds = tuple[type[Op], ...]

GIVING: Kinds = (Movement, Choice, Chosen, Where)
"""The result consists of elements of the operands. Of integers it is rounded nowhere."""
COMPUTING: Kinds = (Elementwise, Reduce, BatchNorm, Softmax, Recurrent, CumSum, Ranking, PutTogether)
"""Numbers are computed as they are: floats as a rule."""
INTEGER: Kinds = (
    IntegerLayer,
    QAdd,
    QDiv,
    QMul,
    QMatMul,
    QMean,
    QSum,
    QNorm,
    QPRelu,
    QAvgPool2d,
    QSoftmax,
    QRecurrent,
    Requantise,
)
"""Numbers are computed that int8 stands for."""

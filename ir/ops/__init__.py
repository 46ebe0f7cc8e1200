"""The tensor operators, one class each. Importing this package registers them all."""

from tinyc.ir.constant import Constant
from tinyc.ir.op import REGISTERED, Op
from tinyc.ir.ops.arithmetic import Add, Div, Maximum, Minimum, Mul, Pow, Sub
from tinyc.ir.ops.conv import Conv2d, DepthwiseConv2d
from tinyc.ir.ops.elementwise import (
    Abs,
    Cast,
    Ceil,
    Clamp,
    Copy,
    Elementwise,
    Erf,
    Exp,
    Floor,
    LeakyRelu,
    Log,
    Neg,
    Round,
    Sigmoid,
    Sqrt,
    Tanh,
)
from tinyc.ir.ops.linear import Dense, MatMul
from tinyc.ir.ops.logic import And, Equal, Less, Not, Or, Where
from tinyc.ir.ops.movement import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose
from tinyc.ir.ops.normalise import BatchNorm, Softmax
from tinyc.ir.ops.pool import AvgPool2d, MaxPool2d
from tinyc.ir.ops.qconv import QConv2d, QConvolution, QDense, QDepthwiseConv2d
from tinyc.ir.ops.qelementwise import Lookup, QAdd, QMul, QSoftmax
from tinyc.ir.ops.qpool import QAvgPool2d, QMean
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.ops.reduce import Reduce, ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum

__all__ = [
    "Abs",
    "Add",
    "And",
    "AvgPool2d",
    "BatchNorm",
    "Broadcast",
    "Cast",
    "Ceil",
    "Clamp",
    "Concat",
    "Constant",
    "Conv2d",
    "Copy",
    "Dense",
    "DepthwiseConv2d",
    "Dequantize",
    "Div",
    "Elementwise",
    "Equal",
    "Erf",
    "Exp",
    "Floor",
    "Gather",
    "LeakyRelu",
    "Less",
    "Log",
    "Lookup",
    "MatMul",
    "MaxPool2d",
    "Maximum",
    "Minimum",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pad",
    "Pow",
    "QAdd",
    "QAvgPool2d",
    "QConv2d",
    "QConvolution",
    "QDense",
    "QDepthwiseConv2d",
    "QMean",
    "QMul",
    "QSoftmax",
    "Quantize",
    "Reduce",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Reshape",
    "Round",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Sqrt",
    "Sub",
    "Tanh",
    "Transpose",
    "Where",
    "registry",
]


def registry() -> dict[str, type[Op]]:
    """All operator classes by mnemonic, in alphabetical order."""
    return dict(sorted(REGISTERED.items()))

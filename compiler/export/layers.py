"""Export of layers: convolutions, dense layers, pools, reductions, normalisation."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinyc.compiler.export.graph import SPELLINGS, Graph
from tinyc.compiler.frontend.importer import TO_NCHW
from tinyc.ir import DType, IRError, Value
from tinyc.ir.ops import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    MaxPool2d,
    Reduce,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Softmax,
)
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.pool import Pool
from tinyc.ir.ops.quantise import Dequantize


@SPELLINGS(Conv2d)
def conv2d(graph: Graph, result: Value, op: Conv2d) -> None:
    """Conv, then the fused activation."""
    w = graph.relaid(op.w, TO_NCHW, (op.out_channels(), op.w.shape[3], *op.window()))
    _convolution(graph, result, op, w, op.groups)


@SPELLINGS(DepthwiseConv2d)
def depthwise_conv2d(graph: Graph, result: Value, op: DepthwiseConv2d) -> None:
    """Conv of as many groups as there are channels, then the fused activation."""
    w = graph.relaid(op.w, (2, 0, 1), (op.out_channels(), 1, *op.window()))
    _convolution(graph, result, op, w, op.x.shape[3])


def _convolution(graph: Graph, result: Value, op: Convolution, w: str, groups: int) -> None:
    """A convolution with weights that are there as ONNX has them."""
    x, pads = graph.name(op.x, first=True), op.pads
    if op.pad_value and any(pads):
        around = graph.initialiser(np.asarray([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64), "pads")
        value = graph.initialiser(np.asarray(op.pad_value, op.x.dtype.numpy), "pad_value")
        x, pads = graph.add("Pad", [x, around, value], f"{result.name}_padded"), (0, 0, 0, 0)
    y = graph.add(
        "Conv",
        [x, w, *_bias(graph, op)],
        result.name,
        kernel_shape=op.window(),
        strides=op.strides,
        pads=pads,
        dilations=op.dilations,
        group=groups,
    )
    graph.define(result, graph.limited(y, op.x.dtype, op.min, op.max, result.name), first=True)


@SPELLINGS(Dense)
def dense(graph: Graph, result: Value, op: Dense) -> None:
    """Gemm for a matrix, MatMul and Add for other ranks; then the fused activation."""
    x, bias = graph.name(op.x), _bias(graph, op)
    if op.x.type.rank == 2:
        y = graph.add("Gemm", [x, graph.name(op.w), *bias], result.name, transB=1)
    else:
        y = graph.add("MatMul", [x, graph.relaid(op.w, (1, 0), op.w.shape[::-1])], result.name)
        y = graph.add("Add", [y, *bias], result.name) if bias else y
    graph.define(result, graph.limited(y, op.x.dtype, op.min, op.max, result.name))


def _bias(graph: Graph, op: LinearLayer) -> list[str]:
    """The bias, if there is one. Of a quantised layer it is int32 of the scale of x times that of w, as integer
    arithmetic has it, also where the module has it in floats; unless that has no int32 value."""
    if op.b is None:
        return []
    bias = graph.module.constant(op.b)
    x, w = (graph.module.made(v, Dequantize) for v in (op.x, op.w))
    if bias is None or x is None or w is None:
        return [graph.name(op.b)]
    scale = x.op.scale[0] * np.asarray(w.op.scale, np.float64)
    with np.errstate(all="ignore"):
        steps = np.rint(bias.astype(np.float64) / scale)
    if not x.op.whole() or not (np.abs(steps) < 2**31).all():
        return [graph.name(op.b)]
    ints = graph.initialiser(steps.astype(np.int32), f"{op.b.name}_quantized")
    return [graph.dequantised(ints, DType.I32, tuple(float(s) for s in scale), (0,) * scale.size, 0, op.b.name)]


@SPELLINGS(MaxPool2d)
def max_pool2d(graph: Graph, result: Value, op: MaxPool2d) -> None:
    """MaxPool."""
    _pool(graph, result, op, "MaxPool")


@SPELLINGS(AvgPool2d)
def avg_pool2d(graph: Graph, result: Value, op: AvgPool2d) -> None:
    """AveragePool."""
    _pool(graph, result, op, "AveragePool", count_include_pad=int(op.count_pads))


def _pool(graph: Graph, result: Value, op: Pool, operator: str, **attributes: int) -> None:
    if any(p >= k for p, k in zip(op.pads, op.kernel * 2, strict=True)):
        raise IRError(f"pads {list(op.pads)} are not below the kernel {list(op.kernel)}")
    y = graph.add(
        operator,
        [graph.name(op.x, first=True)],
        result.name,
        kernel_shape=op.kernel,
        strides=op.strides,
        pads=op.pads,
        dilations=op.dilations,
        **attributes,
    )
    graph.define(result, y, first=True)


@SPELLINGS(ReduceMean)
def reduce_mean(graph: Graph, result: Value, op: ReduceMean) -> None:
    """ReduceMean; GlobalAveragePool for the mean of an image."""
    if graph.lies_first(op.x) and op.axes == (1, 2):
        y = graph.add("GlobalAveragePool", [graph.name(op.x, first=True)], result.name)
        graph.define(result, y, first=True)
    else:
        _reduce(graph, result, op, "ReduceMean")


def _reduce(graph: Graph, result: Value, op: Reduce, operator: str) -> None:
    first = graph.lies_first(op.x)
    axes = sorted(TO_NCHW.index(a) for a in op.axes) if first else list(op.axes)
    # The axes of ReduceSum became an input at opset 13, those of the others at 18.
    inputs = [graph.name(op.x, first), graph.initialiser(np.asarray(axes, np.int64), "axes")]
    y = graph.add(operator, inputs, result.name, keepdims=1, noop_with_empty_axes=1)
    graph.define(result, y, first)


SPELLINGS.declare(ReduceMax, partial(_reduce, operator="ReduceMax"))
SPELLINGS.declare(ReduceMin, partial(_reduce, operator="ReduceMin"))
SPELLINGS.declare(ReduceProd, partial(_reduce, operator="ReduceProd"))
SPELLINGS.declare(ReduceSum, partial(_reduce, operator="ReduceSum"))


@SPELLINGS(Softmax)
def softmax(graph: Graph, result: Value, op: Softmax) -> None:
    """Softmax along the last dimension, which is the second where channels come first."""
    first = graph.lies_first(op.x)
    y = graph.add("Softmax", [graph.name(op.x, first)], result.name, axis=1 if first else op.x.type.rank - 1)
    graph.define(result, y, first)


@SPELLINGS(BatchNorm)
def batch_norm(graph: Graph, result: Value, op: BatchNorm) -> None:
    """BatchNormalization, which has its channels in the second dimension."""
    statistics = [graph.name(v) for v in op.operands[1:]]
    rank = op.x.type.rank
    if rank in (2, 4):
        first = rank == 4
        y = graph.add("BatchNormalization", [graph.name(op.x, first), *statistics], result.name, epsilon=op.epsilon)
        graph.define(result, y, first)
        return
    rows = graph.reshaped(graph.name(op.x), (-1, op.x.shape[-1]), result.name)
    y = graph.add("BatchNormalization", [rows, *statistics], result.name, epsilon=op.epsilon)
    graph.define(result, graph.reshaped(y, op.x.shape, result.name))

"""An instance of every operator that is exported to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinyc.ir import Builder, DType, Op, Value, ops
from tinyc.ir.ops import registry
from tinyc.ir.ops.elementwise import Function

SHAPE = (1, 6, 5, 4)
"""Of the value that each works on."""
F32 = DType.F32

Make = Callable[[Builder, Value], Op]


def constant(b: Builder, *shape: int, dtype: Any = np.float32, seed: int = 1) -> Value:
    array = np.random.default_rng(seed).uniform(0.2, 2, shape)
    return b.constant((array * (1 if dtype is np.float32 else 50)).astype(dtype), "c")


def integer(b: Builder, x: Value) -> Value:
    return b.add(ops.Cast(b.add(ops.Mul(x, b.constant(np.float32(40)))), DType.I32))


def truth(b: Builder, x: Value) -> Value:
    return b.add(ops.Less(x, b.constant(np.float32(1))))


def recurrent(b: Builder, x: Value, kind: type[ops.Recurrent], **more: Any) -> Op:
    """A recurrent layer with 3 hidden elements over the rows of an image, whose pixels are a batch."""
    steps, rows, none = b.add(ops.Reshape(x, (6, 5, 4))), 3 * kind.gates, (0.0,) * len(kind.usual)
    weights = [b.constant(np.sin(np.arange(rows * n, dtype=np.float32)).reshape(rows, n)) for n in (4, 3)]
    given = (steps, *weights, constant(b, rows), constant(b, 5, 3))
    return kind(*given, functions=kind.usual, alpha=none, beta=none, **more)


CASES: dict[str, Make] = {
    **{k.mnemonic: lambda b, x, k=k: k(x) for k in registry().values() if issubclass(k, Function)},  # type: ignore[misc]
    "abs": lambda b, x: ops.Abs(x),
    "add": lambda b, x: ops.Add(x, constant(b, 4)),
    "add_rank_3": lambda b, x: ops.Add(constant(b, 1, 5, 1), x),
    "add_scalar": lambda b, x: ops.Add(x, constant(b)),
    "add_computed": lambda b, x: ops.Add(x, b.add(ops.Reshape(b.add(ops.ReduceSum(x, (1, 2))), (4,)))),
    "and": lambda b, x: ops.And(truth(b, x), b.add(ops.Less(b.constant(np.float32(0.5)), x))),
    "arg_max": lambda b, x: ops.ArgMax(x, 3),
    "arg_min": lambda b, x: ops.ArgMin(integer(b, x), 1, last=True),
    "avg_pool": lambda b, x: ops.AvgPool2d(x, (3, 2), (2, 1), (1, 0, 1, 1)),
    "avg_pool_counting": lambda b, x: ops.AvgPool2d(x, (3, 2), (1, 2), (1, 1, 2, 0), count_pads=True),
    "avg_pool_dilated": lambda b, x: ops.AvgPool2d(x, (2, 2), dilations=(2, 3)),
    "batch_norm": lambda b, x: ops.BatchNorm(x, *(constant(b, 4, seed=k) for k in range(4)), epsilon=1e-3),
    "batch_norm_rank_3": lambda b, x: ops.BatchNorm(
        b.add(ops.Reshape(x, (1, 30, 4))), *(constant(b, 4, seed=k) for k in range(4))
    ),
    "broadcast": lambda b, x: ops.Broadcast(b.add(ops.ReduceMean(x, (1, 2))), (2, 6, 5, 4)),
    "cast": lambda b, x: ops.Cast(integer(b, x), DType.I8),
    "clamp": lambda b, x: ops.Clamp(x, 0.5, 1.5),
    "clamp_above": lambda b, x: ops.Clamp(x, max=1.5),
    "clamp_integers": lambda b, x: ops.Clamp(integer(b, x), 0.0, 30.0),
    "concat": lambda b, x: ops.Concat((x, constant(b, 1, 6, 5, 2), x), 3),
    "concat_rows": lambda b, x: ops.Concat((constant(b, 1, 2, 5, 4), x), 1),
    "conv": lambda b, x: ops.Conv2d(
        x, constant(b, 6, 3, 2, 2), constant(b, 6), (2, 1), (1, 0, 0, 1), (1, 2), groups=2, min=0.0, max=9.0
    ),
    "conv_pad_value": lambda b, x: ops.Conv2d(x, constant(b, 6, 3, 2, 4), pads=(1, 2, 0, 1), pad_value=1.5, min=0.0),
    "cum_sum": lambda b, x: ops.CumSum(x, 3, exclusive=True),
    "cum_sum_narrow": lambda b, x: ops.CumSum(b.add(ops.Cast(integer(b, x), DType.I16)), 2, reverse=True),
    "dense": lambda b, x: ops.Dense(x, constant(b, 7, 4), constant(b, 7), max=20.0),
    "dense_matrix": lambda b, x: ops.Dense(b.add(ops.Reshape(x, (2, 60))), constant(b, 7, 60), constant(b, 7), min=0.0),
    "depthwise": lambda b, x: ops.DepthwiseConv2d(x, constant(b, 3, 2, 8), constant(b, 8), (1, 2), (1, 1, 1, 0)),
    "dequantize": lambda b, x: ops.Dequantize(b.add(ops.Quantize(x, 0.02, -50)), (0.03,), (-40,)),
    "dequantize_channels": lambda b, x: ops.Dequantize(
        b.add(ops.Quantize(x, 0.02, 50, DType.U8)), (0.03, 0.04, 0.05, 0.06), (1, 2, 3, 4), 3
    ),
    "div": lambda b, x: ops.Div(x, constant(b, 5, 4)),
    "equal": lambda b, x: ops.Equal(integer(b, x), b.constant(np.int32(40))),
    "gather": lambda b, x: ops.Gather(x, b.constant(np.array([[0, 99], [-5, 2]], np.int32)), 2),
    "gather_computed": lambda b, x: ops.Gather(constant(b, 30, 3), b.add(ops.Cast(integer(b, x), DType.I16)), 0),
    "take_along": lambda b, x: ops.TakeAlong(x, b.add(ops.TopK(x, 3, 2)), 3),
    "take_along_constants": lambda b, x: ops.TakeAlong(
        x, b.constant((np.arange(90).reshape(1, 6, 5, 3) % 7 - 1).astype(np.int8)), 3
    ),
    "top_k": lambda b, x: ops.TopK(x, 2, 3, largest=False),
    **{
        kind.mnemonic: lambda b, x, kind=kind: kind(  # type: ignore[misc]
            b.add(ops.Reshape(x, (30, 4))), b.constant(np.array([3, 40, -2], np.int32)), constant(b, 3, 4)
        )
        for kind in (ops.Scatter, ops.ScatterAdd, ops.ScatterMul, ops.ScatterMax, ops.ScatterMin)
    },
    "leaky_relu": lambda b, x: ops.LeakyRelu(b.add(ops.Log(x)), 0.3),
    "less": lambda b, x: ops.Less(constant(b, 4), x),
    "matmul": lambda b, x: ops.MatMul(x, constant(b, 4, 3)),
    "max_pool": lambda b, x: ops.MaxPool2d(x, (3, 2), (2, 1), (1, 0, 1, 1), (1, 2)),
    "maximum": lambda b, x: ops.Maximum(x, constant(b, 1, 1, 1, 4)),
    "minimum": lambda b, x: ops.Minimum(x, constant(b, 6, 1, 4)),
    "mul": lambda b, x: ops.Mul(x, b.add(ops.ReduceMax(x, (1, 2)))),
    "copy": lambda b, x: ops.Copy(x),
    "neg": lambda b, x: ops.Neg(x),
    "not": lambda b, x: ops.Not(truth(b, x)),
    "or": lambda b, x: ops.Or(truth(b, x), b.add(ops.Less(b.constant(np.float32(1.5)), x))),
    "pad": lambda b, x: ops.Pad(x, (0, 1, 2, 3), (0, 0, 1, 1), value=-1.5),
    "pad_between": lambda b, x: ops.Pad(x, (0, 1, 0, 0), (0, 0, 1, 0), (0, 2, 1, 0), 0.5),
    "pow": lambda b, x: ops.Pow(x, b.constant(np.float32(1.7))),
    "quantize": lambda b, x: ops.Quantize(x, 0.01, -100),
    "quantize_unsigned": lambda b, x: ops.Quantize(x, 0.01, 3, DType.U8),
    "reduce_max": lambda b, x: ops.ReduceMax(x, (3,)),
    "reduce_mean": lambda b, x: ops.ReduceMean(x, (1, 2)),
    "reduce_mean_columns": lambda b, x: ops.ReduceMean(x, (2, 3)),
    "reduce_min": lambda b, x: ops.ReduceMin(x, (1,)),
    "reduce_nothing": lambda b, x: ops.ReduceSum(x, ()),
    "reduce_prod": lambda b, x: ops.ReduceProd(x, (3,)),
    "recurrent_rnn": lambda b, x: recurrent(b, x, ops.Rnn, reverse=True),
    "recurrent_gru": lambda b, x: recurrent(b, x, ops.Gru, after=True, rb=constant(b, 3)),
    "recurrent_lstm": lambda b, x: recurrent(b, x, ops.Lstm, every=False),
    "reduce_sum": lambda b, x: ops.ReduceSum(x, (0, 3)),
    "reshape": lambda b, x: ops.Reshape(x, (4, 30)),
    "reshape_pixel": lambda b, x: ops.Reshape(b.add(ops.ReduceMean(x, (1, 2))), (1, 4)),
    "round": lambda b, x: ops.Round(b.add(ops.Mul(x, b.constant(np.float32(3))))),
    "sigmoid": lambda b, x: ops.Sigmoid(x),
    "slice": lambda b, x: ops.Slice(x, (0, 1, 4, 0), (1, 2, 3, 4), (1, 3, -2, 1)),
    "slice_backwards": lambda b, x: ops.Slice(x, (0, 5, 0, 3), (1, 6, 5, 2), (1, -1, 1, -3)),
    "softmax": lambda b, x: ops.Softmax(x),
    "sub": lambda b, x: ops.Sub(constant(b, 1, 6, 1, 1), x),
    "take_rows": lambda b, x: ops.TakeRows(b.add(ops.TakeRows(x, 8, pad=1, reflect=True)), 9, 2, -1, 3),
    "transpose": lambda b, x: ops.Transpose(x, (0, 3, 1, 2)),
    "transpose_last": lambda b, x: ops.Transpose(x, (0, 2, 3, 1)),
    "transpose_other": lambda b, x: ops.Transpose(x, (3, 1, 0, 2)),
    "where": lambda b, x: ops.Where(truth(b, x), x, constant(b, 4)),
}  # fmt: skip

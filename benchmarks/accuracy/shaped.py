"""Kinds of operators that look at several elements: layers, products, norms, reductions, pools, moves, recurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.accuracy.micro import CHANNELS, Kind, Micro
from tinyc.ir.tensor import Array

Body = Callable[[Micro], str]


def kinds() -> Iterator[Kind]:
    """All of them."""
    yield from _layers()
    yield from _products()
    yield from _norms()
    yield from _reductions()
    yield from _pools()
    yield from _movement()
    yield from _recurrent()


def ints(m: Micro, *values: int) -> str:
    """A constant of int64."""
    return m.constant(np.array(values, np.int64))


def floats(m: Micro, *values: float) -> str:
    """A constant of float32."""
    return m.constant(np.array(values, np.float32))


def _conv(name: str, *shape: int, **attributes: Any) -> Body:
    def body(m: Micro) -> str:
        weights = m.normal(*shape, spread=float(np.prod(shape[1:])) ** -0.5)
        return m.add(name, m.image(), m.constant(weights), **attributes)

    return body


def _layers() -> Iterator[Kind]:
    c, pads = CHANNELS, [1, 1, 1, 1]
    yield Kind("Conv_depthwise", _conv("Conv", c, 1, 3, 3, group=c, pads=pads))
    yield Kind("Conv_groups", _conv("Conv", c, c // 2, 3, 3, group=2, pads=pads))
    yield Kind("Conv_dilated", _conv("Conv", c, c, 3, 3, dilations=[2, 2], pads=[2, 2, 2, 2]))
    yield Kind("ConvTranspose", _conv("ConvTranspose", c, c, 2, 2, strides=[2, 2]))
    yield Kind("Conv_1d", _conv1d)
    yield Kind("Gemm", _gemm)


def _conv1d(m: Micro) -> str:
    x = m.add("Transpose", m.tokens(), perm=[0, 2, 1])
    return m.add("Conv", x, m.constant(m.normal(16, 16, 3, spread=0.15)), pads=[1, 1])


def _gemm(m: Micro) -> str:
    x = m.reshape(m.tokens(), 12, 16)
    return m.add("Gemm", x, m.constant(m.normal(10, 16, spread=0.25)), m.constant(m.normal(10)), transB=1)


def _products() -> Iterator[Kind]:
    yield Kind("MatMul", lambda m: m.add("MatMul", m.tokens(), _turned(m, m.tokens())))
    yield Kind("MatMul_batches", lambda m: m.add("MatMul", m.vectors((2, 6, 8)), m.vectors((2, 8, 6))))
    yield Kind("MatMul_broadcast", lambda m: m.add("MatMul", m.vectors((2, 6, 8)), m.vectors((1, 8, 12))))
    yield Kind("Gemm_two", lambda m: m.add("Gemm", m.vectors((12, 16)), m.vectors((12, 16)), transB=1, alpha=0.25))
    yield Kind("Attention_spelt", lambda m: _attention(m, None))
    yield Kind("Attention_masked", lambda m: _attention(m, _causal))
    yield Kind("Attention_mask_added", lambda m: _attention(m, _added))
    yield Kind("Attention_mask_infinite", lambda m: _attention(m, _infinite))
    yield Kind("Einsum", lambda m: m.add("Einsum", m.tokens(), m.tokens(), equation="bqd,bkd->bqk"))
    yield Kind("Softmax", lambda m: m.add("Softmax", m.tokens(spread=2.0), axis=-1))
    yield Kind("Softmax_channels", lambda m: m.add("Softmax", m.image(spread=2.0), axis=1))
    yield Kind("LogSoftmax", lambda m: m.add("LogSoftmax", m.tokens(spread=2.0), axis=-1))
    yield Kind("LogSoftmax_channels", lambda m: m.add("LogSoftmax", m.image(spread=2.0), axis=1))


def _turned(m: Micro, x: str) -> str:
    return m.add("Transpose", x, perm=[0, 2, 1])


def _attention(m: Micro, mask: Callable[[Micro, str], str] | None) -> str:
    q, k, v = m.tokens(), m.tokens(), m.tokens()
    scores = m.add("Mul", m.add("MatMul", q, _turned(m, k)), floats(m, 0.25))
    scores = mask(m, scores) if mask is not None else scores
    return m.add("MatMul", m.add("Softmax", scores, axis=-1), v)


def _causal(m: Micro, scores: str) -> str:
    allowed = np.tril(np.ones((1, 12, 12), np.bool_))
    return m.add("Where", m.constant(allowed), scores, m.constant(np.float32(-1e9)))


def _added(m: Micro, scores: str) -> str:
    return m.add("Add", scores, m.constant(np.triu(np.full((12, 12), -1e4, np.float32), 1)))


def _infinite(m: Micro, scores: str) -> str:
    return m.add("Add", scores, m.constant(np.triu(np.full((12, 12), -np.inf, np.float32), 1)))


def _norms() -> Iterator[Kind]:
    yield Kind("BatchNormalization", _batch_norm)
    yield Kind("LayerNormalization", lambda m: m.add("LayerNormalization", m.tokens(), *_of(m, 16), axis=-1))
    yield Kind("LayerNorm_spelt", _layer_norm)
    yield Kind("RMSNorm_spelt", _rms_norm)
    yield Kind("InstanceNormalization", lambda m: m.add("InstanceNormalization", m.image(), *_of(m, CHANNELS)))
    yield Kind("GroupNorm_groups", lambda m: _groups(m, 2))
    yield Kind("GroupNorm_channels", lambda m: _groups(m, CHANNELS), 21)
    yield Kind("GroupNorm_spelt", _group_norm)
    yield Kind("MeanVariance", lambda m: m.add("MeanVarianceNormalization", m.image(), axes=[2, 3]))
    yield Kind("LRN", lambda m: m.add("LRN", m.image(spread=2.0), size=5, alpha=0.5, beta=0.75, bias=1.0))
    yield Kind("LpNorm_1", lambda m: m.add("LpNormalization", m.tokens(), p=1, axis=-1))
    yield Kind("LpNorm_2", lambda m: m.add("LpNormalization", m.tokens(), p=2, axis=-1))
    yield Kind("LpNorm_2_channels", lambda m: m.add("LpNormalization", m.image(), p=2, axis=1))
    yield Kind("L2_spelt", _l2)


def _of(m: Micro, size: int) -> tuple[str, str]:
    """Scale and bias."""
    return m.constant(m.normal(size, spread=0.3, mean=1.0)), m.constant(m.normal(size, spread=0.3))


def _groups(m: Micro, size: int) -> str:
    """With scale and bias of so many."""
    y = m.add("GroupNormalization", m.image(), *_of(m, size), num_groups=2)
    return m.typed(y, 1, CHANNELS, 8, 8)


def _batch_norm(m: Micro) -> str:
    """Behind a sum, where no layer takes it in."""
    x = m.add("Add", m.image(), m.image())
    vectors = (*_of(m, CHANNELS), m.constant(m.normal(CHANNELS, spread=0.2)), floats(m, *m.rng.uniform(0.5, 1.5, 8)))
    return m.add("BatchNormalization", x, *vectors)


def _layer_norm(m: Micro) -> str:
    x, axes, (scale, bias) = m.tokens(), ints(m, -1), _of(m, 16)
    d = m.add("Sub", x, m.add("ReduceMean", x, axes))
    variance = m.add("ReduceMean", m.add("Pow", d, floats(m, 2.0)), axes)
    y = m.add("Div", d, m.add("Sqrt", m.add("Add", variance, floats(m, 1e-5))))
    return m.add("Add", m.add("Mul", y, scale), bias)


def _rms_norm(m: Micro) -> str:
    x = m.tokens()
    square = m.add("ReduceMean", m.add("Mul", x, x), ints(m, -1))
    y = m.add("Div", x, m.add("Sqrt", m.add("Add", square, floats(m, 1e-5))))
    return m.add("Mul", y, _of(m, 16)[0])


def _group_norm(m: Micro) -> str:
    """As PyTorch exports it: an instance norm of groups, then scale and bias of channels."""
    grouped = m.reshape(m.image(), 1, 2, -1)
    y = m.add("InstanceNormalization", grouped, floats(m, 1, 1), floats(m, 0, 0))
    scale, bias = (m.constant(m.normal(CHANNELS, 1, 1, spread=0.3, mean=mean)) for mean in (1.0, 0.0))
    return m.add("Add", m.add("Mul", m.reshape(y, 1, CHANNELS, 8, 8), scale), bias)


def _l2(m: Micro) -> str:
    """As PyTorch's F.normalize is exported."""
    x = m.tokens()
    norm = m.add("Clip", m.add("ReduceL2", x, ints(m, -1)), m.constant(np.float32(1e-12)))
    return m.add("Div", x, m.add("Expand", norm, ints(m, 1, 12, 16)))


def _reductions() -> Iterator[Kind]:
    for name in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"):
        yield Kind(f"{name}_places", _reduced(name, 2, 3))
        yield Kind(f"{name}_channels", _reduced(name, 1))
    yield Kind("ReduceMean_rows", _reduced("ReduceMean", 2))
    yield Kind("ReduceSum_apart", _reduced("ReduceSum", 1, 3))
    for name in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
        yield Kind(f"{name}_places", _reduced(name, 2, 3))
        yield Kind(f"{name}_channels", _reduced(name, 1))
    yield Kind("ReduceLogSum", lambda m: m.add("ReduceLogSum", m.image(0.4, 2.0), ints(m, 1)))
    yield Kind("TopK", lambda m: m.add("TopK", m.image(), ints(m, 3), axis=1, outputs=2))
    yield Kind("TopK_last", lambda m: m.add("TopK", m.tokens(), ints(m, 5), largest=0, outputs=2))
    yield Kind("ArgMax_taken", lambda m: m.add("GatherElements", x := m.image(), _most(m, x), axis=1))
    yield Kind("CumSum", lambda m: m.add("CumSum", m.tokens(), m.constant(np.int64(1))))
    yield Kind("CumSum_last", lambda m: m.add("CumSum", m.tokens(), m.constant(np.int64(2)), exclusive=1, reverse=1))
    yield Kind("ReduceProd", lambda m: m.add("ReduceProd", m.image(0.2, 1.0), ints(m, 1)))


def _reduced(name: str, *axes: int) -> Body:
    return lambda m: m.add(name, m.image(), ints(m, *axes))


def _most(m: Micro, x: str) -> str:
    return m.add("ArgMax", x, axis=1)


def _pools() -> Iterator[Kind]:
    window: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    yield Kind("MaxPool", lambda m: m.add("MaxPool", m.image(), **window))
    yield Kind("AveragePool", lambda m: m.add("AveragePool", m.image(), **window))
    yield Kind("AveragePool_pads", lambda m: m.add("AveragePool", m.image(), count_include_pad=1, **window))
    yield Kind("LpPool", lambda m: m.add("LpPool", m.image(), kernel_shape=[2, 2], strides=[2, 2]))
    yield Kind("GlobalAveragePool", lambda m: m.add("GlobalAveragePool", m.image()))
    yield Kind("GlobalMaxPool", lambda m: m.add("GlobalMaxPool", m.image()))


def _movement() -> Iterator[Kind]:
    yield Kind("Transpose", lambda m: m.add("Transpose", m.image(), perm=[0, 1, 3, 2]))
    yield Kind("Reshape_Flatten", lambda m: m.add("Flatten", m.image(), axis=1))
    yield Kind("Concat", lambda m: m.add("Concat", m.image(), m.image(spread=2.0), axis=1))
    yield Kind("Split_Add", _split)
    yield Kind(
        "Slice", lambda m: m.add("Slice", m.image(), ints(m, 1, 7), ints(m, 7, 0), ints(m, 2, 3), ints(m, 2, -2))
    )
    yield Kind("Gather", lambda m: m.add("Gather", m.image(), ints(m, 5, 0, 3), axis=1))
    yield Kind("Gather_by_input", _gather)
    yield Kind("Gather_elements", _elements)
    yield Kind("Gather_nd", lambda m: m.add("GatherND", m.tokens(), m.constant(np.array([[[0, 3]], [[0, 7]]]))))
    yield Kind("Scatter_elements", lambda m: _scattered(m, "ScatterElements"))
    yield Kind("Scatter_nd", lambda m: _scattered(m, "ScatterND"))
    yield Kind(
        "Reverse_sequence", lambda m: m.add("ReverseSequence", m.tokens(), ints(m, 7), batch_axis=0, time_axis=1)
    )
    yield Kind("Grid_sample", _grid_sample)
    yield Kind("Pad", lambda m: m.add("Pad", m.image(), ints(m, 0, 0, 1, 2, 0, 0, 2, 1), floats_scalar(m, 0.5)))
    yield Kind("Pad_reflect", lambda m: m.add("Pad", m.image(), ints(m, 0, 0, 1, 2, 0, 0, 2, 1), mode="reflect"))
    yield Kind("Pad_edge", lambda m: m.add("Pad", m.image(), ints(m, 0, 0, 1, 2, 0, 0, 2, 1), mode="edge"))
    yield Kind("Tile", lambda m: m.add("Tile", m.image(), ints(m, 1, 1, 2, 1)))
    yield Kind("Expand", lambda m: m.add("Expand", m.vectors((1, 4, 1, 48)), ints(m, 1, 4, 3, 48)))
    yield Kind("DepthToSpace", lambda m: m.add("DepthToSpace", m.image(), blocksize=2))
    yield Kind("SpaceToDepth", lambda m: m.add("SpaceToDepth", m.image(), blocksize=2))
    yield Kind("Trilu", lambda m: m.add("Trilu", m.image(), upper=0))
    for mode in ("nearest", "linear", "cubic"):
        yield Kind(f"Resize_{mode}", _resized(mode, (1, 1, 2, 2)))
    yield Kind("Resize_linear_odd", _resized("linear", (1, 1, 1.625, 0.75)))


def floats_scalar(m: Micro, value: float) -> str:
    """A constant without dimensions."""
    return m.constant(np.float32(value))


def _split(m: Micro) -> str:
    parts = m.add("Split", m.image(), axis=1, num_outputs=2, outputs=2)
    return m.add("Add", parts, f"{parts}_1")


def _elements(m: Micro) -> str:
    """Each by a number of its own."""
    return m.add("GatherElements", m.tokens(), m.constant(m.rng.integers(0, 12, (1, 12, 16))), axis=1)


def _scattered(m: Micro, operator: str) -> str:
    """Two of the rows replaced by others."""
    if operator == "ScatterND":
        return m.add(operator, m.tokens(), m.constant(np.array([[[0, 3], [0, 7]]])), _first_rows(m, 2))
    rows = np.broadcast_to(np.array([3, 7])[:, np.newaxis], (1, 2, 16))
    return m.add(operator, m.tokens(), m.constant(rows), _first_rows(m, 2), axis=1)


def _first_rows(m: Micro, count: int) -> str:
    return m.add("Slice", m.tokens(spread=2.0), ints(m, 0), ints(m, count), ints(m, 1))


def _grid_sample(m: Micro) -> str:
    """At places that are known."""
    return m.add("GridSample", m.image(), m.constant(m.rng.uniform(-1.1, 1.1, (1, 6, 7, 2))), mode="bilinear")


def _gather(m: Micro) -> str:
    """By numbers that the network computes."""
    number = m.add("Cast", m.add("Clip", m.add("Round", _mean(m)), floats_scalar(m, 0), floats_scalar(m, 7)), to=7)
    return m.add("Gather", m.image(), m.reshape(number, -1), axis=1)


def _mean(m: Micro) -> str:
    return m.add("ReduceMax", m.image(), ints(m, 1, 2, 3))


def _resized(mode: str, scales: tuple[float, ...]) -> Body:
    return lambda m: m.add("Resize", m.image(), "", m.constant(np.array(scales, np.float32)), mode=mode)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _recurrent() -> Iterator[Kind]:
    for name in GATES:
        for direction in ("forward", "reverse", "bidirectional"):
            yield Kind(f"{name}_{direction}", _layer(name, direction))
    yield Kind("GRU_reset_after", _layer("GRU", "forward", linear_before_reset=1))


def _layer(name: str, direction: str, **attributes: Any) -> Body:
    def body(m: Micro) -> str:
        x, hidden, ways = m.steps(), 10, 2 if direction == "bidirectional" else 1

        def uniform(*shape: int) -> str:
            array: Array = m.rng.uniform(-(hidden**-0.5), hidden**-0.5, shape).astype(np.float32)
            return m.constant(array)

        rows = GATES[name] * hidden
        weights = uniform(ways, rows, 12), uniform(ways, rows, hidden), uniform(ways, 2 * rows)
        y = m.add(name, x, *weights, hidden_size=hidden, direction=direction, **attributes)
        return m.reshape(m.add("Transpose", y, perm=[0, 2, 1, 3]), 8, ways * hidden)

    return body

"""Random ONNX models of ordinary operators, as exporters write them: what broadcasts, what is shown under other shapes,
what is used several times, and what is an output besides.

`float_model(random)` gives a model. Values stay of order one and no operator is steep, so that rounding stays small: a
condition is an input or a constant, and a divisor stays away from zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.onnx_grower import GiveUp, Grower, Shape, Tensor


def binary(g: Grower) -> Tensor:
    """A sum, difference, product, maximum or minimum, or a quotient by a constant."""
    x = g.pick()
    if g.chance(0.1):
        divisor = g.array(g.masked(x.shape))
        away = np.asarray(np.where(divisor < 0, divisor - 1, divisor + 1), np.float32)
        return g.node("Div", [x.name, g.constant(away)], x.shape)
    names = [x.name, x.name if g.chance(0.08) else g.partner(x)]
    if g.chance(0.4):
        names.reverse()
    return g.node(g.random.choice(["Add", "Add", "Sub", "Mul", "Mul", "Max", "Min"]), names, g.broadcast(*names))


def unary(g: Grower) -> Tensor:
    """A function of one value."""
    x = g.pick()
    kinds: list[tuple[str, dict[str, Any]]] = [
        *((name, {}) for name in ("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Erf", "HardSwish", "Softplus")),
        ("LeakyRelu", {"alpha": 0.2}),
        ("HardSigmoid", {}),
        ("Elu", {}),
    ]
    kind, attributes = g.random.choice(kinds)
    return g.node(kind, [x.name], x.shape, **attributes)


def clip(g: Grower) -> Tensor:
    """Limits."""
    x = g.pick()
    bounds = [np.float32(g.random.choice([0.0, -1.0])), np.float32(g.random.choice([6.0, 1.0, 0.5]))]
    return g.node("Clip", [x.name, *(g.constant(np.asarray(b)) for b in bounds)], x.shape)


def prelu(g: Grower) -> Tensor:
    """A PRelu whose slopes are of one number, one a channel, or any that broadcast to x."""
    x = g.pick()
    channels = (x.shape[1], *(1 for _ in x.shape[2:])) if x.rank > 1 else x.shape
    shape = g.random.choice([channels, channels, g.masked(x.shape), (1,) * min(x.rank, 1)])
    return g.node("PRelu", [x.name, g.constant(np.abs(g.array(shape)) * np.float32(0.3))], x.shape)


def where(g: Grower) -> Tensor:
    """A choice by a condition that is an input or constant."""
    x = g.pick()
    y = g.partner(x)
    shape = g.masked(g.broadcast(x.name, y))
    if g.chance(0.3) and not g.batch:
        condition = g.input(shape, TensorProto.BOOL).name
    else:
        condition = g.constant(g.array(shape) > 0)
    names = [condition, *g.random.sample([x.name, y], 2)]
    return g.node("Where", names, g.broadcast(*names))


def channels_first(g: Grower) -> Tensor:
    """What networks do with the channels of an image: a scale, a shift or slopes of each, or a plane for all."""
    x = g.pick(lambda v: v.rank == 4)
    _, c, h, w = x.shape
    shape = g.random.choice([(c, 1, 1), (c, 1, 1), (1, c, 1, 1), (c, h, 1), (c, 1, w), (1, h, w), (h, w), (c, h, w)])
    kind = g.random.choice(["Mul", "Add", "PRelu", "Sub", "Max"])
    fits = [v for v in g.values if v.shape == x.shape and v.shape[0] == 1 and math.prod(shape) == math.prod(x.shape)]
    if fits and g.chance(0.5):
        # Another image without its first dimension.
        axis = g.constant(np.asarray([0], np.int64), "k")
        other = g.node("Squeeze", [g.random.choice(fits).name, axis], x.shape[1:]).name
    elif g.chance(0.25) and not (g.batch and shape[0] != 1):
        other = g.input(shape).name
    else:
        other = g.constant(np.asarray(np.abs(g.array(shape)), np.float32))
    names = [x.name, other]
    if kind != "PRelu" and g.chance(0.3):
        names.reverse()
    return g.node(kind, names, x.shape)


def excite(g: Grower) -> Tensor:
    """An image times a factor for each channel, which depends on all of it."""
    x = g.pick(lambda v: v.rank == 4)
    mean = g.node("GlobalAveragePool", [x.name], (*x.shape[:2], 1, 1))
    gate = g.node(g.random.choice(["Sigmoid", "HardSigmoid"]), [mean.name], mean.shape)
    return g.node("Mul", [x.name, gate.name], x.shape)


def _window(g: Grower, size: Shape) -> tuple[list[int], dict[str, list[int]], Shape]:
    """A kernel, its attributes, and the size of the result."""
    kernel = [g.random.randint(1, 3) for _ in size]
    strides = [g.random.choice([1, 1, 2]) for _ in size]
    pads = [g.random.randint(0, k - 1) if g.chance(0.5) else 0 for k in (*kernel, *kernel)]
    out = [(n + pads[d] + pads[d + 2] - kernel[d]) // strides[d] + 1 for d, n in enumerate(size)]
    if min(out) < 1 or any(k > n + pads[d] + pads[d + 2] for d, (k, n) in enumerate(zip(kernel, size, strict=True))):
        raise GiveUp
    return kernel, {"kernel_shape": kernel, "strides": strides, "pads": pads}, tuple(out)


def conv(g: Grower) -> Tensor:
    """A convolution: plain, grouped or depthwise."""
    x = g.pick(lambda v: v.rank == 4 and v.shape[0] == 1)
    channels = x.shape[1]
    kernel, attributes, size = _window(g, x.shape[2:])
    groups = g.random.choice([1, 1, channels, *(n for n in (2, 3) if channels % n == 0)])
    outputs = groups * g.random.randint(1, max(1, 6 // groups))
    scale = 1 / math.sqrt(channels // groups * kernel[0] * kernel[1])
    operands = [x.name, g.constant(g.array((outputs, channels // groups, *kernel), scale), "w")]
    if g.chance(0.6):
        operands.append(g.constant(g.array((outputs,)), "b"))
    return g.node("Conv", operands, (1, outputs, *size), group=groups, **attributes)


def separable(g: Grower) -> Tensor:
    """What mobile networks are made of: a convolution of one pixel to more channels, a depthwise one, one to fewer."""
    x = g.pick(lambda v: v.rank == 4 and v.shape[0] == 1 and v.shape[2] > 1)
    _, channels, height, width = x.shape
    wide, stride = g.random.randint(2, 6), g.random.choice([1, 1, 2])
    one = g.constant(g.array((wide, channels, 1, 1), 1 / math.sqrt(channels)), "w")
    y = g.node("Conv", [x.name, one], (1, wide, height, width))
    if g.chance(0.7):
        y = g.node("Relu", [y.name], y.shape)
    size = [(n - 1) // stride + 1 for n in (height, width)]
    operands = [y.name, g.constant(g.array((wide, 1, 3, 3), 1 / 3), "w"), g.constant(g.array((wide,)), "b")]
    y = g.node("Conv", operands, (1, wide, *size), group=wide, strides=[stride] * 2, pads=[1, 1, 1, 1])
    last = g.constant(g.array((channels, wide, 1, 1), 1 / math.sqrt(wide)), "w")
    y = g.node("Conv", [y.name, last], (1, channels, *size))
    return g.node("Add", [x.name, y.name], x.shape) if x.shape == y.shape and g.chance(0.5) else y


def pool(g: Grower) -> Tensor:
    """A pooling."""
    x = g.pick(lambda v: v.rank == 4 and v.shape[0] == 1)
    _, attributes, size = _window(g, x.shape[2:])
    kind = g.random.choice(["MaxPool", "AveragePool"])
    counted = {"count_include_pad": g.random.randint(0, 1)} if kind == "AveragePool" else {}
    return g.node(kind, [x.name], (1, x.shape[1], *size), **attributes, **counted)


def batch_norm(g: Grower) -> Tensor:
    """A batch norm."""
    x = g.pick(lambda v: v.rank in (3, 4))
    c = (x.shape[1],)
    vectors = [g.array(c), g.array(c), g.array(c), np.asarray(np.abs(g.array(c)) + 0.5, np.float32)]
    return g.node("BatchNormalization", [x.name, *(g.constant(v) for v in vectors)], x.shape)


def gemm(g: Grower) -> Tensor:
    """A dense layer, or a product of matrices of any rank."""
    x = g.pick(lambda v: v.rank >= 2)
    inputs, outputs = x.shape[-1], g.random.randint(1, 6)
    w = g.constant(g.array((inputs, outputs), 1 / math.sqrt(inputs)), "w")
    if x.rank == 2 and g.chance(0.5):
        return g.node("Gemm", [x.name, w, g.constant(g.array((outputs,)), "b")], (x.shape[0], outputs))
    return g.node("MatMul", [x.name, w], (*x.shape[:-1], outputs))


def softmax(g: Grower) -> Tensor:
    """A softmax along any axis."""
    x = g.pick(lambda v: v.rank > 0)
    return g.node("Softmax", [x.name], x.shape, axis=g.random.randrange(x.rank))


def reduce(g: Grower) -> Tensor:
    """A mean or maximum over some axes."""
    x = g.pick(lambda v: v.rank > 0)
    axes = sorted(g.random.sample(range(x.rank), g.random.randint(1, x.rank)))
    keep = g.random.randint(0, 1)
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keep or d not in axes]
    return g.node(g.random.choice(["ReduceMean", "ReduceMax"]), [x.name], shape, axes=axes, keepdims=keep)


def concat(g: Grower) -> Tensor:
    """A concatenation of values that fit, of one twice, or with a constant."""
    x = g.pick(lambda v: v.rank > 0)
    axis = g.random.randrange(x.rank)

    def rest(v: Tensor) -> list[tuple[int, int]]:
        return [(d, n) for d, n in enumerate(v.shape) if d != axis]

    others = [v for v in g.values if v.rank == x.rank and rest(v) == rest(x)]
    names = [x.name, *(g.random.choice(others).name for _ in range(g.random.randint(1, 2)))]
    if g.chance(0.2):
        names.append(g.constant(g.array(x.shape)))
    g.random.shuffle(names)
    shape = list(x.shape)
    shape[axis] = sum(g.shape_of(n)[axis] for n in names)
    return g.node("Concat", names, shape, axis=axis)


def cut(g: Grower) -> Tensor:
    """A slice along some axes."""
    x = g.pick(lambda v: v.rank > 0)
    axes = sorted(g.random.sample(range(x.rank), g.random.randint(1, min(2, x.rank))))
    cuts, shape = [], list(x.shape)
    for d in axes:
        start = g.random.randrange(x.shape[d])
        end, step = g.random.randint(start + 1, x.shape[d]), g.random.choice([1, 1, 2])
        shape[d] = -(-(end - start) // step)
        cuts.append((start, end, d, step))
    numbers = [g.constant(np.asarray(n, np.int64), "k") for n in zip(*cuts, strict=True)]
    return g.node("Slice", [x.name, *numbers], shape)


def pad(g: Grower) -> Tensor:
    """A pad of any axes with a constant."""
    x = g.pick(lambda v: v.rank > 0)
    first = 1 if g.batch or x.shape[0] == 1 else 0
    pads = [g.random.choice([0, 0, 1, 2]) if d % x.rank >= first else 0 for d in range(2 * x.rank)]
    shape = [n + pads[d] + pads[d + x.rank] for d, n in enumerate(x.shape)]
    value = g.constant(np.asarray(g.random.choice([0.0, 0.0, 0.5]), np.float32))
    return g.node("Pad", [x.name, g.constant(np.asarray(pads, np.int64), "k"), value], shape)


def transpose(g: Grower) -> Tensor:
    """A transpose, often between the two orders of an image."""
    x = g.pick(lambda v: v.rank > 1)
    perm = list(range(x.rank))
    g.random.shuffle(perm)
    if x.rank == 4 and g.chance(0.6):
        perm = g.random.choice([[0, 2, 3, 1], [0, 3, 1, 2]])
    return g.node("Transpose", [x.name], [x.shape[p] for p in perm], perm=perm)


def view(g: Grower, x: Tensor | None = None) -> Tensor:
    """The same elements: itself, under another shape, or with dimensions of 1 more or less."""
    x = x or g.pick()
    kind = g.random.randrange(5)
    if kind == 0:
        return g.node("Identity", [x.name], x.shape)
    if kind == 1 and x.rank > 0:
        axis = g.random.randint(0, x.rank)
        shape = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return g.node("Flatten", [x.name], shape, axis=axis)
    if kind == 2:
        at = g.random.randint(0, x.rank)
        axes = g.constant(np.asarray([at], np.int64), "k")
        return g.node("Unsqueeze", [x.name, axes], (*x.shape[:at], 1, *x.shape[at:]))
    if kind == 3 and 1 in x.shape:
        at = g.random.choice([d for d, n in enumerate(x.shape) if n == 1])
        axes = g.constant(np.asarray([at], np.int64), "k")
        return g.node("Squeeze", [x.name, axes], (*x.shape[:at], *x.shape[at + 1 :]))
    dims = list(x.shape)
    for _ in range(g.random.randint(1, 3)):
        if len(dims) > 1 and g.chance(0.5):
            at = g.random.randrange(len(dims) - 1)
            dims[at : at + 2] = [dims[at] * dims[at + 1]]
        elif dims:
            at = g.random.randrange(len(dims))
            factor = g.random.choice([f for f in range(1, dims[at] + 1) if dims[at] % f == 0])
            dims[at : at + 1] = [factor, dims[at] // factor]
    if not dims:
        dims = [1]
    return g.node("Reshape", [x.name, g.constant(np.asarray(dims, np.int64), "k")], dims)


MAKERS: list[tuple[int, Callable[[Grower], Tensor]]] = [
    (8, binary), (3, unary), (1, clip), (2, prelu), (2, where), (3, channels_first), (1, excite), (4, conv), (2, pool),
    (1, batch_norm), (2, gemm), (1, softmax), (2, reduce), (2, concat), (2, cut), (1, pad), (3, transpose), (2, view),
]  # fmt: skip


NETWORK: list[tuple[int, Callable[[Grower], Tensor]]] = [
    (8, conv), (4, separable), (3, pool), (6, channels_first), (3, unary), (2, clip), (3, binary), (1, excite),
    (1, batch_norm), (1, concat), (1, cut), (1, pad), (1, transpose), (1, gemm), (1, softmax),
]  # fmt: skip


def grow(random: Random, batch: bool = False) -> Grower:
    """A bush of operators of all kinds, or a chain as networks for images are; without outputs."""
    network = random.random() < 0.5
    g = Grower(random, batch, late=5 if network else 2)
    shape = (1, *(random.randint(1, n) for n in (5, 16, 9))) if network else g.shape()
    x = g.input(shape)
    g.values.append(x)
    if len(shape) == 4 and g.chance(0.2):
        # An exporter whose images are channels last.
        g.node("Transpose", [x.name], [shape[p] for p in (0, 3, 1, 2)], perm=[0, 3, 1, 2])
    makers = [m for weight, m in (NETWORK if network else MAKERS) for _ in range(weight)]
    wanted = random.randint(1, 9)
    for _ in range(60):
        if len(g.nodes) >= wanted:
            break
        kept = len(g.nodes), len(g.values), len(g.inputs), dict(g.constants)
        try:
            random.choice(makers)(g)
        except GiveUp:
            nodes, values, inputs, g.constants = kept
            del g.nodes[nodes:], g.values[values:], g.inputs[inputs:]
    if not g.nodes:
        g.node("Relu", [x.name], x.shape)
    return g


def outputs_of(g: Grower) -> list[Tensor]:
    """The outputs: the last value, at times others, and others that show the same elements, an input or a constant."""
    made = {n.output[0] for n in g.nodes}
    computed = [v for v in g.values if v.name in made]
    found = [g.values[-1]]
    if g.chance(0.4):
        found += g.random.sample(computed, g.random.randint(1, min(2, len(computed))))
    for x in list(found):
        for _ in range(2):
            if g.chance(0.12):
                try:
                    found.append(transpose_of(g, x) if g.chance(0.3) else view(g, x))
                except GiveUp:
                    continue
    if g.chance(0.05):
        found.append(g.node("Identity", [g.inputs[0].name], g.shape_of(g.inputs[0].name)))
    if g.chance(0.03):
        shape = g.masked((2, 3, 4))
        found.append(g.node("Identity", [g.constant(g.array(shape))], shape))
    unique = list(dict.fromkeys(found))
    g.random.shuffle(unique)
    return unique


def transpose_of(g: Grower, x: Tensor) -> Tensor:
    """A transpose of a value."""
    if not x.rank:
        raise GiveUp
    perm = list(range(x.rank))
    g.random.shuffle(perm)
    return g.node("Transpose", [x.name], [x.shape[p] for p in perm], perm=perm)


def model_of(g: Grower, outputs: Sequence[Tensor]) -> onnx.ModelProto:
    """The model with these outputs. Inputs that no operator takes are left out."""
    used = {name for n in g.nodes for name in n.input}
    graph = helper.make_graph(
        g.nodes,
        "random",
        [i for i in g.inputs if i.name in used],
        [helper.make_tensor_value_info(v.name, TensorProto.FLOAT, v.shape) for v in outputs],
        [numpy_helper.from_array(a, n) for n, a in g.constants.items() if n in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


def float_model(random: Random, batch: bool = False) -> onnx.ModelProto:
    """A random model in float."""
    g = grow(random, batch)
    return model_of(g, outputs_of(g))

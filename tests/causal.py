"""Random networks of signals of which no layer looks ahead: each can be made for windows of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.c.quantised import Maker, Shape, int8
from tests.rows import F32, I8, Floats, Integers, Network, pointwise
from tinyc.ir import DType, Op, TensorType, Value, fixed_point, ops, q15


class _Signal:
    """Takes the numbers of its input from elsewhere: what is made after it does not depend on how many they are."""

    def input(self, shape: Shape) -> Value:
        rng = np.random.default_rng(len(self.arrays))  # type: ignore[attr-defined]
        integers = isinstance(self, Integers)
        array = int8(rng, shape) if integers else np.asarray(rng.standard_normal(shape), np.float32)
        self.arrays.append(array)  # type: ignore[attr-defined]
        name = f"x{len(self.arrays)}"  # type: ignore[attr-defined]
        return self.builder.input(name, TensorType(shape, I8 if integers else F32))  # type: ignore[attr-defined, no-any-return]


class CausalIntegers(_Signal, Integers):
    """int8 operators."""


class CausalFloats(_Signal, Floats):
    """The same in float."""


def causal_maker(seed: int, dtype: DType) -> Maker:
    """Makes operators of that element type."""
    rng = np.random.default_rng(seed)
    return CausalIntegers(rng) if dtype is I8 else CausalFloats(rng)


def causal_network(seed: int, dtype: DType, rows: int, late: bool = False) -> Network:
    """A network of some blocks on a window of so many rows, a multiple of 16; the same weights for each length. Those
    that are `late` have windows of rows that come after theirs, and give fewer rows."""
    maker = causal_maker(seed, dtype)
    grower = Causal(maker, late)
    width, channels = (int(maker.rng.integers(1, most)) for most in (4, 8))
    x = maker.input((1, rows, width, channels))
    kept = [x]
    for _ in range(int(maker.rng.integers(1, 6))):
        x = grower.block(x)
        kept.append(x)
    outputs = [x] if maker.rng.random() < 0.7 or late else [x, kept[-2]]
    return Network(maker.builder.build(outputs), maker.arrays)


class Causal:
    """Blocks of a network: each takes an image whose rows are samples, and gives one."""

    def __init__(self, maker: Maker, late: bool) -> None:
        self.maker, self.rng, self.late, self._stride = maker, maker.rng, late, 1

    def block(self, x: Value) -> Value:
        """Some block."""
        kinds: list[Callable[[Value], Value]] = [self.layer, self.layer, self.separable]
        kinds += [self.layer] if self.late else [self.residual, self.joined, self.strided, self.repeated]
        kinds.append(self.recurrent)
        return kinds[self.rng.integers(len(kinds))](x)

    def geometry(self, size: int, stride: int = 1, dilation: int = 0) -> dict[str, Any]:
        """A window of so many rows that ends with the newest, or before; strided ones end with one of those that came
        since the last."""
        dilation = dilation or int(self.rng.choice([1, 1, 2, 3, 5]))
        reach = (size - 1) * dilation
        top = max(reach - int(self.rng.integers(stride)), 0)
        if self.late:
            top = int(self.rng.integers(top + 1))
        return {"strides": (stride, 1), "pads": (top, 0, 0, 0), "dilations": (dilation, 1)}

    def layer(self, x: Value) -> Value:
        """One operator."""
        m, size = self.maker, int(self.rng.integers(1, 5))
        kind = int(self.rng.integers(6))
        if kind < 2:
            return m.conv(x, kernel=(size, 1), **self.geometry(size))
        if kind == 2:
            return m.depthwise(x, kernel=(size, 1), **self.geometry(size))
        if kind == 3:
            return m.pool(x, kernel=(size, 1), **self.geometry(size, dilation=1))
        if kind == 4:
            return m.add(ops.MaxPool2d(x, (size, 1), **self.geometry(size)))
        return m.lookup(x)

    def separable(self, x: Value) -> Value:
        """Depthwise and pointwise, as in keyword spotting."""
        size = int(self.rng.integers(2, 6))
        return pointwise(self.maker, self.maker.depthwise(x, kernel=(size, 1), each=1, **self.geometry(size)))

    def same(self, x: Value) -> Value:
        """A dilated layer with a result of the type of x."""
        size = int(self.rng.integers(2, 4))
        return self.maker.conv(x, kernel=(size, 1), groups=1, outputs=x.shape[3], **self.geometry(size))

    def residual(self, x: Value) -> Value:
        """x and what two dilated layers make of it."""
        return self.maker.sum(x, self.same(self.same(x)))

    def joined(self, x: Value) -> Value:
        """The channels of two ways."""
        return self.maker.joined(self.same(x), pointwise(self.maker, x))

    def recurrent(self, x: Value) -> Value:
        """A recurrent layer, each of whose steps is a row; at times with states to begin with."""
        _, rows, width, channels = x.shape
        inputs, hidden = width * channels, int(self.rng.integers(1, 8))
        signal = self.maker.add(ops.Reshape(x, (1, rows, inputs)))
        integers = isinstance(self.maker, Integers)
        if integers and hidden % 3 == 0:
            signal = self.maker.add(ops.Requantise(signal, 0, 2**30, 8, 0, *DType.I16.limits, DType.I16))
        make = self._integers if integers else self._floats
        y = self.maker.add(make(int(self.rng.integers(3)), signal, inputs, hidden))
        if y.dtype is DType.I16:
            y = self.maker.add(ops.Requantise(y, 0, 2**30, -7))
        return self.maker.add(ops.Reshape(y, (1, rows, 1, hidden)))

    def _floats(self, kind: int, x: Value, inputs: int, hidden: int) -> Op:
        b, rng = self.maker.builder, self.rng
        of: Any = (ops.Rnn, ops.Gru, ops.Lstm)[kind]
        shapes = ((of.gates * hidden, inputs), (of.gates * hidden, hidden), (of.gates * hidden,))
        w, r, bias = (b.constant(rng.uniform(-0.7, 0.7, s).astype(np.float32)) for s in shapes)
        state = b.constant(rng.uniform(-1, 1, (1, hidden)).astype(np.float32)) if rng.random() < 0.4 else None
        more: dict[str, Any] = {"after": bool(rng.integers(2))} if kind == 1 else {"c": state} if kind == 2 else {}
        none = (0.0,) * len(of.usual)
        return of(x, w, r, bias, h=state, functions=of.usual, alpha=none, beta=none, signal=True, **more)  # type: ignore[no-any-return]

    def _integers(self, kind: int, x: Value, inputs: int, hidden: int) -> Op:
        b, rng = self.maker.builder, self.rng
        of: Any = (ops.QRnn, ops.QGru, ops.QLstm)[kind]
        rows = of.gates * hidden
        w, r = (b.constant(int8(rng, (rows, n))) for n in (inputs, hidden))
        to = DType.I16 if hidden % 2 else I8
        most = [1 << 21 if dtype is I8 else 1 << 13 for dtype in (x.dtype, to)]
        words = [rng.integers(-q15.ONE, q15.ONE, rows), *(rng.integers(0, n, rows) for n in most)]
        bias, wm, rm = (b.constant(a.astype(np.int32)) for a in words)
        state = b.constant(rng.integers(-q15.ONE, q15.ONE, (1, hidden)).astype(np.int32))
        first = state if rng.random() < 0.4 else None
        more: dict[str, Any] = {"after": bool(rng.integers(2))} if kind == 1 else {"c": first} if kind == 2 else {}
        none = (0,) * len(of.usual)
        multiplier, shift = fixed_point.to_multiplier(1 / q15.ONE / (1 / 100 if to is I8 else 1 / 25_000))
        more |= {"multiplier": multiplier, "shift": shift, "zero": int(rng.integers(-9, 9)), "places": 20, "to": to}
        return of(x, w, r, bias, wm, rm, h=first, functions=of.usual, alpha=none, beta=none, signal=True, **more)  # type: ignore[no-any-return]

    def strided(self, x: Value) -> Value:
        """A row for two or three."""
        stride = 2 if self._stride < 4 else 1
        self._stride *= stride
        size = int(self.rng.integers(stride, 5))
        return self.maker.conv(x, kernel=(size, 1), groups=1, outputs=5, **self.geometry(size, stride))

    def repeated(self, x: Value) -> Value:
        """Each row twice, between layers."""
        _, rows, width, channels = x.shape
        apart = self.maker.add(ops.Reshape(x, (1, rows, 1, width, channels)))
        twice = self.maker.add(ops.Broadcast(apart, (1, rows, 2, width, channels)))
        self._stride = max(self._stride // 2, 1)
        return self.same(self.maker.add(ops.Reshape(twice, (1, 2 * rows, width, channels))))

"""QDQ modules by hand, and the comparison that every rule must stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.helpers import count, run
from tinyc.ir import Builder, DType, Module, Op, TensorType, Value, verify
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.tensor import Array
from tinyc.passes.core.rewrite import tracing
from tinyc.passes.integerise import Integerise


class Net:
    """A module in which every value is quantized and dequantized."""

    def __init__(self, seed: int = 0) -> None:
        self.b = Builder("m")
        self.rng = np.random.default_rng(seed)
        self.scales: dict[Value, tuple[float, int]] = {}

    def input(self, *shape: int, scale: float = 0.05, zero: int = 3, dtype: DType = DType.I8) -> Value:
        """An input of integers, dequantized."""
        return self.dq(self.b.input("x", TensorType(shape, dtype)), scale, zero)

    def dq(self, x: Value, scale: float, zero: int) -> Value:
        """The dequantize of a value."""
        return self.b.add(Dequantize(x, (scale,), (zero,)))

    def q(self, x: Value, scale: float, zero: int = -5, to: DType = DType.I8) -> Value:
        """The quantize of a value."""
        return self.b.add(Quantize(x, scale, zero, to))

    def qdq(self, x: Value, scale: float, zero: int = -5, to: DType = DType.I8) -> Value:
        """A value, quantized and dequantized."""
        return self.dq(self.q(x, scale, zero, to), scale, zero)

    def op(self, op: Op, scale: float, zero: int = -5, to: DType = DType.I8) -> Value:
        """An operator's result, quantized and dequantized."""
        return self.qdq(self.b.add(op), scale, zero, to)

    def weights(self, *shape: int, axis: int | None = 0, dtype: type = np.int8, zero: int = 0) -> Value:
        """Constant weights, with a scale for each entry of a dimension or one for all."""
        low, high = (-127, 128) if dtype is np.int8 else (0, 256)
        data = self.b.constant(self.rng.integers(low, high, shape).astype(dtype), "w")
        scales = self.rng.uniform(0.002, 0.02, 1 if axis is None else shape[axis])
        return self.b.add(Dequantize(data, tuple(scales), (zero,) * len(scales), axis or 0))

    def bias(self, x_scale: float, w: Value) -> Value:
        """An int32 bias in units of the sums."""
        node = self.b.node(w)
        assert node is not None
        op = node.op
        assert isinstance(op, Dequantize)
        channels = w.shape[0 if w.type.rank != 3 else 2]
        scale = tuple(float(np.float32(x_scale) * np.float32(s)) for s in op.scale)
        data = self.b.constant(self.rng.integers(-3000, 3000, channels).astype(np.int32), "b")
        return self.b.add(Dequantize(data, scale, (0,) * len(scale), 0))

    def numbers(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Value:
        """A float constant."""
        return self.b.constant(self.rng.uniform(low, high, shape).astype(np.float32), "c")

    def integers(self, *values: Value) -> Module:
        """The module whose outputs are the int8 values behind these dequantized ones."""
        found = []
        for value in values:
            node = self.b.node(value)
            assert node is not None
            found.append(node.op.operands[0] if isinstance(node.op, Dequantize) else value)
        return self.b.build(found)


def random_inputs(module: Module, seed: int) -> list[Array]:
    """Arrays over the whole range of each input's type."""
    rng = np.random.default_rng(seed)
    found = []
    for v in module.inputs:
        if v.dtype.is_float:
            found.append(rng.uniform(-4, 4, v.shape).astype(np.float32))
        else:
            low, high = v.dtype.limits
            found.append(rng.integers(low, high + 1, v.shape).astype(v.dtype.numpy))
    return found


def integerised(module: Module) -> Module:
    """The module after the pass: well-formed, with the same interface, and left alone by the pass."""
    after = Integerise().run(module)
    verify(after)
    assert (after.inputs, after.outputs) == (module.inputs, module.outputs)
    assert Integerise().run(after) is after
    return after


def check(module: Module, expected: dict[str, int], exact: bool = False, equal: float = 0.95) -> Module:
    """The integerised module, which has these operators and computes what the QDQ module does.

    At most one quantisation step lies between them: float rounds a result once, integer arithmetic twice. That is
    rare, so at least 95 % are equal. Tables, moves and limits are `exact`.
    """
    after = integerised(module)
    assert count(after) == expected
    distance = compare(module, after)
    assert max(distance) <= (0 if exact else 1)
    assert sum(d == 0 for d in distance) >= equal * len(distance)
    return after


def compare(before: Module, after: Module, samples: int = 8) -> list[int]:
    """How many steps apart the integer outputs of two modules are, element by element, over random inputs."""
    found: list[int] = []
    for seed in range(samples):
        inputs = random_inputs(before, seed)
        for a, b in zip(run(before, inputs), run(after, inputs), strict=True):
            assert a.dtype == b.dtype
            assert a.dtype in (np.int8, np.uint8, np.int16)
            found.extend(np.abs(a.astype(int) - b.astype(int)).reshape(-1).tolist())
    return found


def stays(module: Module, reason: str, kinds: Sequence[str]) -> None:
    """Asserts that operators of these kinds stay in float, and that the pass says why."""
    said: list[str] = []
    with tracing(said.append):
        after = integerised(module)
    for kind in kinds:
        assert count(after)[kind] == count(module)[kind]
    assert any(reason in line for line in said), said

"""The integer operators against one integer at a time, and the conversions to and from float against onnxruntime."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.generate import OPERATORS, quantised_chain, random_inputs
from tests.quantised import reference
from tests.quantised.support import Maker, cases, modules
from tests.sessions import open_onnxruntime
from tinyc.backends.interpreter import run_module, run_program
from tinyc.ir import Builder, DType, IRError, Op, TensorType, Value
from tinyc.ir import ops as o
from tinyc.ir.op import Accuracy
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers


@pytest.mark.parametrize("kind", reference.ELEMENT, ids=lambda kind: kind.mnemonic)
def test_operators_against_one_integer_at_a_time(kind: type[Op]) -> None:
    different = set()
    for op, arrays in islice(cases(kind), 400):
        got = op.run(arrays)
        np.testing.assert_array_equal(got, reference.evaluate(op, arrays), err_msg=str(op))
        different.update(got.reshape(-1).tolist())
    assert len(different) > 200, "the cases saturate"


def test_sums_by_whole_factors_are_what_the_operator_means() -> None:
    """Of all pairs of int8 values."""
    x, y = (a.astype(np.int64) for a in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    whole = rounded = 0
    for op, _ in islice(cases(o.QAdd), 200):
        found = op.whole()
        rounded += found is None
        if found is None:
            continue
        a, b, start, places = found
        sums = a * x + b * y + start
        assert all(np.abs(v).max() < 2**31 for v in (a * x, a * x + b * y, sums))
        all_pairs = dataclasses.replace(op, x=int8(256, 256), y=int8(256, 256))
        expected = all_pairs.run([x.astype(np.int8), y.astype(np.int8)])
        np.testing.assert_array_equal(np.clip(sums >> places, op.min, op.max), expected, err_msg=str(op))
        whole += 1
    assert whole > 40
    assert rounded > 40


EXACT = [kind for kind in OPERATORS if kind.accuracy is Accuracy.EXACT]


@pytest.mark.parametrize("maker", [*EXACT, quantised_chain], ids=lambda m: getattr(m, "mnemonic", m.__name__))
def test_rows_compute_what_tensors_compute(maker: Maker) -> None:
    used = 0
    for seed, module in islice(modules(maker, 1000), 60):
        if any(n.op.unrunnable() for n in module.nodes):
            continue
        program = PlanArena().run(ShareBuffers().run(Lower().run(module)))
        inputs = random_inputs(Random(seed), module)
        for expected, got in zip(run_module(module, inputs), run_program(program, inputs), strict=True):
            assert expected.dtype == got.dtype
            np.testing.assert_array_equal(expected, got)
        used += 1
    assert used >= 25


def onnxruntime_runs(operator: str, to: int, operands: Sequence[Array], axis: int) -> Array:
    names = [f"operand{k}" for k in range(len(operands))]
    node = helper.make_node(operator, names, ["y"], axis=axis)
    graph = helper.make_graph(
        [node],
        "one",
        [],
        [helper.make_tensor_value_info("y", to, None)],
        [numpy_helper.from_array(a, n) for a, n in zip(operands, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return np.asarray(open_onnxruntime(model).run(None, {})[0])


@pytest.mark.parametrize("to", [DType.I8, DType.U8])
@pytest.mark.parametrize("seed", range(12))
def test_quantize_is_onnxruntimes(to: DType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = to.limits
    zero = int(rng.choice([low, high, 0, int(rng.integers(low, high + 1))]))
    scale = np.asarray(rng.choice(np.array([0.5, 1.0, 1 / 255, 0.037, 1e-20, 1e20], np.float32)))
    steps = np.concatenate([np.arange(-300, 300), np.arange(-300, 300) + 0.5, rng.standard_normal(999) * 99])
    steps = np.concatenate([steps, [0.0, -0.0, 1e9, -1e9, np.inf, -np.inf]])
    x = (steps.astype(np.float32) * scale).astype(np.float32)
    op = o.Quantize(Value("x", TensorType(x.shape, DType.F32)), float(scale), zero, to)
    kind = TensorProto.INT8 if to is DType.I8 else TensorProto.UINT8
    expected = onnxruntime_runs("QuantizeLinear", kind, [x, scale, np.asarray(zero, to.numpy)], 0)
    np.testing.assert_array_equal(op.run([x]), expected)


def test_quantize_of_nan_is_zero() -> None:
    x = np.array([np.nan], np.float32)
    assert o.Quantize(Value("x", TensorType((1,), DType.F32)), 0.5, 7).run([x])[0] == 0


@pytest.mark.parametrize("dtype", [DType.I8, DType.U8, DType.I32])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_dequantize_is_onnxruntimes(dtype: DType, axis: int | None) -> None:
    rng = np.random.default_rng(axis)
    low, high = dtype.limits
    shape = (3, 4, 256)
    x = rng.integers(low, high + 1, shape).astype(dtype.numpy)
    count = 1 if axis is None else shape[axis]
    scale = np.exp(rng.uniform(-9, 3, count)).astype(np.float32)
    zero = rng.integers(low, high + 1, count) if dtype is not DType.I32 else np.zeros(count, np.int64)
    one = axis is None
    operands = [x, scale[0] if one else scale, (zero[0] if one else zero).astype(dtype.numpy)]
    expected = onnxruntime_runs("DequantizeLinear", TensorProto.FLOAT, [np.asarray(a) for a in operands], axis or 0)
    value = Value("x", TensorType(shape, dtype))
    op = o.Dequantize(value, tuple(map(float, scale)), tuple(map(int, zero)), axis or 0)
    np.testing.assert_array_equal(op.run([x]), expected)


def int8(*shape: int, dtype: DType = DType.I8) -> Value:
    return Builder("x").input("x", TensorType(shape, dtype))


def norm(
    x: Value,
    axes: tuple[int, ...],
    shape: tuple[int, ...] = (),
    epsilon: int = 0,
    shift: int = -20,
    dtype: DType = DType.I16,
) -> o.QNorm:
    own = shape or (1,) * x.type.rank
    return o.QNorm(x, int8(*own, dtype=dtype), int8(*own, dtype=I32), axes, 0, epsilon, True, 2**30, shift)


FACTOR = {"x_multiplier": 2**30, "y_multiplier": 2**30, "out_multiplier": 2**30}
SHIFTS = {"x_shift": 0, "y_shift": 0, "out_shift": 0}
I32 = DType.I32


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: o.QSoftmax(int8(2, 4096), 2**30, 3, -9), "last dimension of 1 to 4095"),
        (lambda: o.QSoftmax(int8(2, 9), 2**30, 24, -255), "does not fit int32"),
        (lambda: o.QSoftmax(int8(2, 9), 2**30, 3, 1), "diff_min of at most 0"),
        (lambda: o.QAdd(int8(3), int8(3), 0, 0, **FACTOR, **SHIFTS, left=23), "left is 0 to 22"),
        (lambda: o.QAdd(int8(3), int8(3), 0, 0, **FACTOR, **(SHIFTS | {"out_shift": 1})), "shift -31 to 0"),
        (lambda: o.QAdd(int8(3), int8(4), 0, 0, **FACTOR, **SHIFTS), "differ in shape"),
        (lambda: o.QMul(int8(3), int8(3), 0, 0, 2**30, 16), "do not fit int32"),
        (lambda: o.QMul(int8(2, 3), int8(2, 1), 0, 0, 2**30, 0), "one entry for each of its channels"),
        (lambda: o.QMatMul(int8(2, 3), int8(2, 3), 0, 0, 2**30, 0), "no matrix product"),
        (lambda: o.QMatMul(int8(2, 2, 3), int8(3, 3, 3), 0, 0, 2**30, 0), "do not broadcast"),
        (lambda: o.QMatMul(int8(1, 32769), int8(32769, 1), 0, 0, 2**30, 0), "at most 32768"),
        (lambda: o.QMatMul(int8(1, 30000), int8(30000, 1), 0, 0, 2**30, 3), "do not fit int32"),
        (lambda: o.QSum(int8(2, 3, 4), (0, 2), 0, 2**30, 0), "that follow each other"),
        (lambda: o.QSum(int8(2, 3, 4), (), 0, 2**30, 0), "that follow each other"),
        (lambda: o.QSum(int8(2, 3, 4), (2, 3), 0, 2**30, 0), "that follow each other"),
        (lambda: o.QSum(int8(2, 0, 4), (1,), 0, 2**30, 0), "no elements"),
        (lambda: o.QPRelu(int8(2, 3), int8(2, dtype=DType.I16), 0, 1, 2**30, 0), "one entry a channel"),
        (lambda: o.QPRelu(int8(2, 3), int8(3, dtype=DType.I16), 0, 2**15, 2**30, 0), "0 to 32767, not 32768"),
        (lambda: o.QDiv(int8(2, 3), int8(2, 1), 0, 0, 1, 8), "one entry for each of its channels"),
        (lambda: o.QDiv(int8(2, 3), int8(2, 3), 0, 0, 2**23, 8), "a factor is 0 to 8388607"),
        (lambda: o.QDiv(int8(2, 3), int8(2, 3), 0, 0, 1, 7), "in 8 to 22 places, not 1 in 7"),
        (lambda: norm(int8(2, 3, 4), (0, 2)), "that follow each other"),
        (lambda: norm(int8(2, 32769), (1,)), "1 to 32768 elements together, not 32769"),
        (lambda: norm(int8(2, 3, 4), (2,), shape=(3, 4)), "neither of the size of"),
        (lambda: norm(int8(2, 3, 4), (1, 2), shape=(1, 3, 1)), "neither of the size of"),
        (lambda: norm(int8(2, 3, 4), (2,), epsilon=-1), "epsilon is 0 to"),
        (lambda: norm(int8(2, 3, 4), (2,), shift=1), "shift -31 to 0"),
        (lambda: norm(int8(2, 3, 4), (2,), dtype=DType.I32), "int16 and int32 of one shape"),
        (lambda: o.QMean(int8(1, 50, 50, 2), 0, 2**31, 0), "2\\^31 - 1"),
        (lambda: o.QMean(int8(1, 50, 50, 2), 0, 2**30, 12), "do not fit int32"),
        (lambda: o.QMean(int8(1, 5, 5, 2), 200, 2**30, 0), "are int8 values"),
        (lambda: o.QAvgPool2d(int8(1, 5, 5, 2), (2, 2), min=3, max=2), "limits in order"),
        (lambda: o.QAvgPool2d(int8(1, 5, 5, 2), (2, 2), pads=(2, 0, 0, 0)), "wholly outside"),
        (lambda: o.QAvgPool2d(int8(1, 5, 5, 2, dtype=DType.U8), (2, 2)), "not int8"),
        (lambda: o.Lookup(int8(3), int8(255)), "256 entries"),
        (
            lambda: o.QDense(int8(2, 3), int8(4, 3), int8(4, dtype=I32), int8(4, dtype=I32), int8(3, dtype=I32)),
            "one entry an output channel",
        ),
        (lambda: o.Quantize(int8(3, dtype=DType.F32), 0.0), "scale is positive"),
        (lambda: o.Quantize(int8(3, dtype=DType.F32), 0.5, 128), "zero point 128"),
        (lambda: o.Quantize(int8(3, dtype=DType.F32), 0.5, 0, DType.I32), "makes int8, uint8 or int16"),
        (lambda: o.Dequantize(int8(3, 4), (0.5, 0.5), (0, 0), 1), "do not fit dimension 1"),
        (lambda: o.Dequantize(int8(3, 4), (0.5,) * 4, (0,) * 4, -1), "do not fit dimension -1"),
        (lambda: o.Dequantize(int8(3, dtype=I32), (0.5,), (1,)), "has the zero point 0"),
    ],
)
def test_fields_that_do_not_fit(make: Callable[[], Op], reason: str) -> None:
    with pytest.raises(IRError, match=reason):
        make()

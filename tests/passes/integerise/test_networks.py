from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import ROOT, count, run
from tests.passes.integerise.support import Net, compare, integerised, random_inputs
from tests.sampling import some
from tinyc.backends.interpreter import run_module, run_program
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import DType, Module, TensorType, Value, verify
from tinyc.ir.ops import (
    Add,
    AvgPool2d,
    BatchNorm,
    Clamp,
    Concat,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    Dequantize,
    LeakyRelu,
    MaxPool2d,
    Mul,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
    Transpose,
)
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import apply
from tinyc.passes.integerise import leftovers
from tinyc.passes.pipeline import default_pipeline, integer_passes, tensor_passes
from tinyc.passes.quantise import quantise_module
from tinyc.passes.tensor.fold_constants import FoldConstants


def mobile_net(n: Net) -> Module:
    """An input in NCHW, a convolution, two separable ones with a residual, a pooling, a dense layer and softmax."""
    x = n.b.input("image", TensorType((1, 3, 12, 12), DType.F32))
    y = n.b.add(Transpose(n.qdq(x, 0.02, 0), (0, 2, 3, 1)))
    w = n.weights(8, 3, 3, 3)
    y = n.op(Conv2d(y, w, n.bias(0.02, w), (2, 2), (0, 0, 1, 1), min=0.0, max=6.0), 6 / 255, -128)
    for _ in range(2):
        w = n.weights(3, 3, 8, axis=2)
        z = n.op(DepthwiseConv2d(y, w, n.bias(6 / 255, w), pads=(1, 1, 1, 1), min=0.0), 6 / 255, -128)
        w = n.weights(8, 1, 1, 8)
        z = n.op(Conv2d(z, w, n.bias(6 / 255, w)), 0.04, 0)
        y = n.op(Clamp(n.b.add(Add(y, z)), 0.0), 6 / 255, -128)
    y = n.b.add(Reshape(n.op(AvgPool2d(y, (6, 6)), 6 / 255, -128), (1, 8)))
    w = n.weights(10, 8)
    y = n.op(Dense(y, w, n.bias(6 / 255, w)), 0.1, 0)
    return n.b.build([n.op(Softmax(y), 1 / 256, -128)])


INTEGER = {"qconv2d": 3, "qdepthwise_conv2d": 2, "qadd": 2, "qavg_pool2d": 1, "qdense": 1, "qsoftmax": 1}


def test_a_mobile_net_is_all_integers() -> None:
    """Conversions stand at the two ends only."""
    module = mobile_net(Net())
    after = integerised(module)
    assert count(after) == {**INTEGER, "quantize": 1, "transpose": 1, "reshape": 1, "dequantize": 1}
    assert after.nodes[-1].op.mnemonic == "dequantize"
    assert leftovers(after) == []


def test_the_whole_pipeline_keeps_the_integers() -> None:
    """Weights survive the float passes as integers, and the row level computes what the tensor level does."""
    module = mobile_net(Net())
    ir: Module | RowProgram = module
    for step in default_pipeline():
        ir = apply(step, ir)
        if step.name == "integerise":
            assert isinstance(ir, Module)
            assert {k: v for k, v in count(ir).items() if k.startswith("q") and k != "quantize"} == INTEGER
            integers = ir
    assert isinstance(ir, RowProgram)
    for seed in range(3):
        inputs = random_inputs(module, seed)
        np.testing.assert_array_equal(run(integers, inputs)[0], run_program(ir, inputs)[0])
        # The network's result: a step is 1/256, and what layers add up stays below a few.
        assert np.abs(run(integers, inputs)[0] - run(module, inputs)[0]).max() <= 3 / 256


def test_weights_of_what_stays_in_float_are_folded() -> None:
    n = Net()
    x = n.b.input("x", TensorType((1, 40), DType.F32))
    module = n.b.build([n.b.add(Dense(x, n.weights(50, 40)))])
    assert FoldConstants().run(module) is module
    ir: Module | RowProgram = module
    for step in integer_passes():
        ir = apply(step, ir)
    assert isinstance(ir, Module)
    assert count(ir) == {"dense": 1}
    inputs = random_inputs(module, 0)
    np.testing.assert_array_equal(run(module, inputs)[0], run(ir, inputs)[0])


def test_a_flattened_image_meets_quantised_weights() -> None:
    """The layout pass permutes the integers of dense weights, and their scales, instead of transposing the image."""
    n = Net()
    w = n.weights(4, 1, 1, 3)
    y = n.b.add(Transpose(n.op(Conv2d(n.input(1, 5, 5, 3), w), 0.05), (0, 3, 1, 2)))
    y = n.op(Dense(n.b.add(Reshape(y, (1, 100))), n.weights(7, 100), n.numbers(7)), 0.5)
    module = n.integers(y)
    ir: Module | RowProgram = module
    for step in [*tensor_passes(), *integer_passes()]:
        ir = apply(step, ir)
    assert isinstance(ir, Module)
    assert count(ir) == {"qconv2d": 1, "reshape": 1, "qdense": 1}
    assert max(compare(module, ir)) <= 1


def test_leftovers_say_why() -> None:
    n = Net()
    x = n.b.input("x", TensorType((1, 4, 4, 3), DType.F32))
    raw = n.b.add(Tanh(x))
    float_weights = n.op(Conv2d(n.qdq(raw, 0.01), n.numbers(4, 1, 1, 3)), 0.05)
    unquantised = n.b.add(Conv2d(float_weights, n.weights(2, 1, 1, 4)))
    channels = [n.numbers(2, low=0.5) for _ in range(4)]
    normal = n.op(BatchNorm(n.qdq(unquantised, 0.05), *channels), 0.05)
    module = n.b.build([unquantised, normal])
    reasons = {left.node.op.mnemonic + str(left.node.result): left.reason for left in leftovers(integerised(module))}
    assert reasons == {
        f"tanh{raw}": "its operand %x is not quantised",
        "conv2d%conv2d": "the weights %c are not the dequantize of a constant",
        "conv2d%conv2d_1": "%conv2d_1 is needed in float as well",
        "batch_norm%batch_norm": "batch_norm has no integer form",
    }


def test_a_calibrated_network_is_all_integers() -> None:
    """The float road: quantise by calibration, then integerise. The example's own digits are the calibration."""
    folder = ROOT / "examples" / "mobile_lenet"
    module: Module | RowProgram = load_onnx(folder / "mobile_lenet.onnx").module
    for step in tensor_passes():
        module = apply(step, module)
    assert isinstance(module, Module)
    (taken,) = module.inputs
    with np.load(folder / "digits.npz") as digits:
        images = digits["image"].astype(np.float32).reshape(-1, *taken.shape) / 255
    samples = [[image] for image in images[:16]]
    quantised = quantise_module(module, samples, run_module).module
    ir: Module | RowProgram = quantised
    for step in integer_passes():
        ir = apply(step, ir)
    assert isinstance(ir, Module)
    assert leftovers(ir) == []
    assert (count(ir)["quantize"], count(ir)["dequantize"]) == (1, 1)
    (softmax,) = (n.op for n in quantised.nodes if isinstance(n.op, Softmax))
    logits = quantised.producer[softmax.x].op
    assert isinstance(logits, Dequantize)
    for sample in samples:
        values: list[dict[str, Array]] = [{}, {}]
        (before,), (after,) = (
            run_module(m, sample, lambda v, array, known=known: known.update({v.name: array}))
            for m, known in zip((quantised, ir), values, strict=True)
        )
        assert before.argmax() == after.argmax()
        exact, integer = (known[logits.x.name].astype(np.int64).reshape(-1) for known in values)
        assert np.abs(exact - integer).max() <= 1
        # Two logits a step off in opposite directions move a probability by at most a quarter of twice the step (the
        # slope of the logistic function), and it is rounded to a step of its own.
        assert np.abs(before - after).max() <= 2 * logits.scale[0] / 4 + 1 / 256


def grow(random: Random, size: int) -> Module:
    """A random QDQ module: layers, sums, products, poolings, joins and tables, at random scales and zero points."""
    n = Net(random.getrandbits(30))
    channels = random.randint(1, 5)
    values = [n.input(1, random.randint(2, 6), random.randint(2, 6), channels, scale=scale(random), zero=zero(random))]

    def add(value: Value) -> None:
        values.append(n.qdq(value, scale(random), zero(random)))

    for _ in range(size):
        x = random.choice(values[-3:])
        kind = random.randrange(9)
        side = random.randint(1, min(x.shape[1], x.shape[2], 3))
        limits = random.choice([{}, {"min": 0.0}, {"min": 0.0, "max": 6.0}, {"min": -0.7, "max": 0.4}])
        same = [v for v in values if v.shape == x.shape]
        if kind in (0, 1):
            w = n.weights(random.randint(1, 6), side, side, x.shape[3], axis=random.choice([0, None]))
            pad = random.randint(0, 1)
            add(n.b.add(Conv2d(x, w, n.numbers(w.shape[0]), pads=(pad, 0, 0, pad), **limits)))  # type: ignore[arg-type]
        elif kind == 2:
            w = n.weights(side, side, x.shape[3] * random.randint(1, 2), axis=2)
            add(n.b.add(DepthwiseConv2d(x, w, **limits)))  # type: ignore[arg-type]
        elif kind == 3:
            add(n.b.add(Dense(x, n.weights(random.randint(1, 6), x.shape[3]), **limits)))  # type: ignore[arg-type]
        elif kind == 4:
            add(n.b.add(Add(x, random.choice(same))))
        elif kind == 5:
            add(n.b.add(Mul(x, random.choice(same))))
        elif kind == 6:
            pool = random.choice([MaxPool2d, AvgPool2d])
            add(n.b.add(pool(x, (side, side))))
        elif kind == 7:
            add(n.b.add(Concat((x, random.choice(same)), random.randrange(1, 4))))
        else:
            op = random.choice([Sigmoid(x), Tanh(x), LeakyRelu(x, alpha=0.1), Clamp(x, -0.5, 0.7)])
            add(n.b.add(op))
    return n.integers(*values[1:])


def scale(random: Random) -> float:
    return float(2.0 ** random.uniform(-8, -2))


def zero(random: Random) -> int:
    return random.choice([-128, 0, 127, random.randint(-128, 127)])


def layer_by_layer(before: Module, after: Module, inputs: list[np.ndarray]) -> list[int]:
    """How many steps each int8 value is off what the QDQ module computes of the same int8 values before it.

    All values are outputs, so both modules are cut there: the QDQ module is run from the integers that the other
    module has computed, else differences would add up along the way.
    """
    integers = dict(zip(after.outputs, run(after, inputs), strict=True))
    found = []
    known: dict[Value, np.ndarray] = dict(zip(before.inputs, inputs, strict=True))
    for node in before.nodes:
        computed = node.op.run([known[v] for v in node.op.operands])
        if node.result in integers:
            found.extend(np.abs(computed.astype(int) - integers[node.result].astype(int)).reshape(-1).tolist())
            computed = integers[node.result]
        known[node.result] = computed
    return found


def check_random(random: Random) -> None:
    module = grow(random, 8)
    after = integerised(module)
    verify(after)
    assert leftovers(after) == []
    assert count(after)["quantize"] == count(after)["dequantize"] == 0
    for seed in range(2):
        found = layer_by_layer(module, after, random_inputs(module, seed))
        # Two roundings instead of one; averages to another scale in a lookup are rounded once more, within the step.
        assert max(found) <= 1


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_random_networks(seed: int) -> None:
    check_random(Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", some(range(0, 2000, 100), 5))
def test_more_random_networks(seed: int) -> None:
    for k in range(seed, seed + 100):
        check_random(Random(k))

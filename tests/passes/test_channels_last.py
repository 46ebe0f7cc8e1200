from __future__ import annotations

import numpy as np
import pytest

from tests.generate import TO_NCHW, TO_NHWC
from tests.helpers import count, model
from tests.passes.checks import check, input_, numbers
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Builder, DType, Module, Op, Value
from tinyc.ir.ops import (
    Add,
    Broadcast,
    Clamp,
    Concat,
    Conv2d,
    Dense,
    Exp,
    Gather,
    Log,
    MaxPool2d,
    Mul,
    Pad,
    ReduceMean,
    ReduceSum,
    Reshape,
    Slice,
    Softmax,
    Sub,
    Transpose,
    Where,
)
from tinyc.passes.pipeline import tensor_passes
from tinyc.passes.tensor.channels_last import ChannelsLast, transposed


class Net:
    """A channel-last input [1,4,5,3] behind a convolution, and NCHW operators written as the frontend writes them."""

    def __init__(self) -> None:
        self.b = Builder("m")
        self.x = self.conv(self.b.add(Transpose(input_(self.b, 1, 4, 5, 3), TO_NCHW)), 6)

    def add(self, op: Op) -> Value:
        return self.b.add(op)

    def conv(self, x: Value, outputs: int) -> Value:
        nhwc = self.add(Transpose(x, TO_NHWC))
        w = self.b.constant(numbers(outputs, 1, 1, nhwc.shape[3]))
        return self.add(Transpose(self.add(Conv2d(nhwc, w)), TO_NCHW))

    def finish(self, x: Value) -> Module:
        """Ends channel-last, behind another convolution."""
        return self.b.build([self.add(Transpose(self.conv(x, 2), TO_NHWC))])


def middle(net: Net, kind: str) -> Value:
    """Operators on net.x, [1,6,4,5] as written."""
    b, x = net.b, net.x
    image = (1, 6, 4, 5)
    if kind == "clamp":
        return net.add(Clamp(x, min=0.0))
    if kind in ("[C,1,1]", "[W]", "[]", "[1,C,H,W]", "[H,1]"):
        shape = {"[C,1,1]": (6, 1, 1), "[W]": (5,), "[]": (), "[1,C,H,W]": image, "[H,1]": (4, 1)}[kind]
        return net.add(Mul(b.constant(numbers(*shape)), x))
    if kind == "where":
        return net.add(Where(b.constant(numbers(4, 5) > 0), x, b.constant(numbers(6, 1, 1))))
    if kind == "pad":
        return net.add(Pad(x, (0, 1, 0, 2), (0, 0, 3, 0), (0, 0, 1, 0), 0.5))
    if kind == "slice":
        return net.add(Slice(x, (0, 1, 3, 4), (1, 4, 2, 5), (1, 1, -2, -1)))
    if kind == "concat":
        return net.add(Concat((x, net.conv(x, 2), b.constant(numbers(1, 3, 4, 5))), 1))
    if kind == "reduce":
        return net.add(Mul(x, net.add(ReduceMean(x, (2, 3)))))
    if kind == "broadcast":
        return net.add(Add(x, net.add(Broadcast(net.add(ReduceMean(x, (1, 3))), image))))
    if kind == "gather":
        return net.add(Gather(x, b.constant(np.asarray([3, 0, 0, 5, 1])), 1))
    if kind == "residual":
        return net.add(Add(x, net.conv(net.add(Clamp(x, min=0.0)), 6)))
    if kind == "flat and back":
        flat = net.add(Reshape(x, (1, 6, 20)))
        return net.add(Reshape(net.add(Clamp(flat, max=0.0)), image))
    assert kind == "split channels"
    split = net.add(Reshape(x, (1, 2, 3, 4, 5)))
    scaled = net.add(Mul(split, b.constant(numbers(2, 1, 1, 1))))
    return net.add(Reshape(scaled, image))


KINDS = ["clamp", "[C,1,1]", "[W]", "[]", "[1,C,H,W]", "[H,1]", "where", "pad", "slice", "concat", "reduce"]
KINDS += ["broadcast", "gather", "residual", "flat and back", "split channels"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_transposed_between_convolutions(kind: str) -> None:
    net = Net()
    module = net.finish(middle(net, kind))
    assert transposed(module)[0] > 0
    assert transposed(check(ChannelsLast(), module)) == (0, 0)


def test_flatten_permutes_the_weights_of_a_dense_layer() -> None:
    net = Net()
    x = net.add(Clamp(net.add(Reshape(net.x, (1, 120))), min=0.0))
    x = net.add(Dense(x, net.b.constant(numbers(7, 120)), net.b.constant(numbers(7))))
    assert transposed(check(ChannelsLast(), net.b.build([x]))) == (0, 0)


def test_flatten_into_computed_weights_is_transposed() -> None:
    net = Net()
    x = net.add(Dense(net.add(Reshape(net.x, (1, 120))), input_(net.b, 7, 120)))
    assert transposed(check(ChannelsLast(), net.b.build([x])))[0] == 480


def test_dense_outputs_are_permuted_for_a_convolution() -> None:
    b = Builder("m")
    x = b.add(Dense(input_(b, 1, 8), b.constant(numbers(24, 8)), b.constant(numbers(24)), min=0.0))
    x = b.add(Transpose(b.add(Reshape(x, (1, 4, 3, 2))), TO_NHWC))
    module = b.build([b.add(Conv2d(x, b.constant(numbers(2, 2, 2, 4))))])
    assert transposed(check(ChannelsLast(), module)) == (0, 0)


def test_dense_between_two_permutations() -> None:
    net = Net()
    x = net.add(Reshape(net.x, (1, 120)))
    x = net.add(Reshape(net.add(Dense(x, net.b.constant(numbers(60, 120)))), (1, 3, 4, 5)))
    assert transposed(check(ChannelsLast(), net.finish(x))) == (0, 0)


def test_leading_dimensions_of_softmax_may_be_in_any_order() -> None:
    b = Builder("m")
    x = b.add(Softmax(b.add(Transpose(input_(b, 2, 3, 4, 5), (1, 0, 2, 3)))))
    assert transposed(check(ChannelsLast(), b.build([b.add(Transpose(x, (1, 0, 2, 3)))]))) == (0, 0)
    b = Builder("m")
    x = b.add(Softmax(b.add(Transpose(input_(b, 2, 3), (1, 0)))))
    assert transposed(check(ChannelsLast(), b.build([b.add(Transpose(x, (1, 0)))])))[0] == 48


def test_transposes_of_the_model_stay_at_its_boundary() -> None:
    b = Builder("m")
    x = b.add(Clamp(b.add(Transpose(input_(b, 1, 3, 4, 5), TO_NHWC)), min=0.0))
    x = b.add(Conv2d(x, b.constant(numbers(3, 2, 2, 3))))
    module = b.build([b.add(Clamp(b.add(Transpose(x, TO_NCHW)), min=0.0))])
    after = check(ChannelsLast(), module)
    assert [n.op.mnemonic for n in after.nodes if n.op.operands] == [
        "transpose",
        "clamp",
        "conv2d",
        "clamp",
        "transpose",
    ]


def test_transposes_move_to_where_least_is_moved() -> None:
    """Before a broadcast, behind a reduction, before a cast to a larger type."""
    b = Builder("m")
    small = b.add(Broadcast(input_(b, 3, 1, 4), (3, 10, 4)))
    module = b.build([b.add(Clamp(b.add(Transpose(small, (2, 1, 0))), min=0.0))])
    assert transposed(check(ChannelsLast(), module))[0] == 48
    b = Builder("m")
    mean = b.add(ReduceMean(b.add(Transpose(input_(b, 3, 5, 4), (2, 1, 0))), (1,)))
    assert transposed(check(ChannelsLast(), b.build([mean])))[0] == 48


def test_a_second_operand_that_would_have_to_move_instead_keeps_it() -> None:
    b = Builder("m")
    x = b.add(Transpose(input_(b, 4, 6), (1, 0)))
    module = b.build([b.add(Add(x, input_(b, 6, 4)))])
    assert ChannelsLast().run(module) is module


def test_the_smaller_operand_moves() -> None:
    b = Builder("m")
    x = b.add(Transpose(b.add(Clamp(input_(b, 4, 6, 5), min=0.0)), (2, 1, 0)))
    y = b.add(Add(x, input_(b, 5, 6, 1)))
    module = b.build([b.add(Transpose(y, (2, 1, 0)))])
    assert transposed(check(ChannelsLast(), module))[0] == 120


def test_integers_and_pools() -> None:
    b = Builder("m")
    x = input_(b, 1, 3, 6, 6, dtype=DType.I8)
    pooled = b.add(Transpose(b.add(MaxPool2d(b.add(Transpose(x, TO_NHWC)), (2, 2), (2, 2))), TO_NCHW))
    again = b.add(Transpose(b.add(MaxPool2d(b.add(Transpose(pooled, TO_NHWC)), (2, 2))), TO_NCHW))
    module = b.build([again])
    assert transposed(check(ChannelsLast(), module, exact=True))[0] == 108 + 12


def test_outputs_keep_their_names_and_values() -> None:
    net = Net()
    twice = net.add(Transpose(net.add(Transpose(net.x, TO_NHWC)), TO_NCHW))
    check(ChannelsLast(), net.b.build([net.x, twice, net.conv(net.x, 3)]))


def test_what_reductions_over_channels_leave_has_rows() -> None:
    """One number a pixel has the same bytes in both layouts; with rows, what follows can come row by row."""
    net = Net()
    total = net.add(ReduceSum(net.add(Exp(net.x)), (1,)))
    scaled = net.add(Mul(net.add(Sub(net.x, net.add(Log(total)))), net.add(Clamp(total, max=2.0))))
    module = check(ChannelsLast(), net.finish(scaled))
    assert transposed(module)[0] == 0
    rows = {n.op.mnemonic: n.result.shape[1] for n in module.nodes if n.op.mnemonic not in ("constant", "conv2d")}
    assert rows == dict.fromkeys(("reduce_sum", "exp", "log", "sub", "clamp", "mul"), 4)


# Bytes still transposed: those of the model's own NCHW input (96*96*3, 128*128*3, 256*96... as float32) and, for
# super resolution, of the pixel shuffle, which is a transpose by definition.
MODELS = {
    "lenet5_relu_maxpool.onnx": 0,
    "lenet5_tanh_avgpool.onnx": 0,
    "micro_kws_m_fp32.onnx": 0,
    "mlperf_vww96_mbv1_025_tflite2onnx.onnx": 4 * 96 * 96 * 3,
    "st_mbv2_128_05.onnx": 4 * 128 * 128 * 3,
    "ultraface_slim320_simplified.onnx": 4 * 240 * 320 * 3,
    "super_resolution_224.onnx": 4 * 224 * 224 * 9,
    "basic_pitch_nmp.onnx": 0,
    "dnsmos_p808_keras2onnx.onnx": 0,
    "nemo_dscnn_int.onnx": 0,
    "mnist_dynamo_rten.onnx": 0,
}


@pytest.mark.parametrize("name", MODELS)
def test_transposed_bytes_of_models(name: str) -> None:
    module = load_onnx(model(name)).module
    for step in tensor_passes():
        module = step.run(module)
    assert transposed(module)[0] == MODELS[name]
    assert count(module)["batch_norm"] == 0

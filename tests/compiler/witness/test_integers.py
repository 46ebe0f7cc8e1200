"""Integer networks that came quantised, or at random: right ones pass, wrong ones do not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tests.passes.integerise.support import Net, random_inputs
from tests.passes.integerise.test_networks import grow, mobile_net
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import Witnessed, check_integers
from tinyc.compiler.witness import integers as witness
from tinyc.ir import Module, Op, TinycError
from tinyc.ir.module import Builder, Node, remove_dead
from tinyc.ir.ops import Add, Clamp, Dequantize, QAdd, QConvolution, QDense, QMul, Quantize
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.manager import PassManager
from tinyc.passes.pipeline import integer_passes, tensor_passes


def quiet(_: str) -> None:
    """Progress that nobody follows."""


def integers_of(module: Module) -> Module:
    made, _ = PassManager(integer_passes()).run(module)
    assert isinstance(made, Module)
    return made


def network(seed: int) -> Module:
    """A random QDQ module; of every other one only the last value is an output, so that more of it merges."""
    module = grow(Random(seed), 8)
    if seed % 2:
        module = dataclasses.replace(module, outputs=module.outputs[-1:])
    return remove_dead(module)


def check(quantised: Module, integers: Module) -> Witnessed:
    return check_integers(quantised, integers, [random_inputs(quantised, seed) for seed in range(2)], quiet)


@pytest.mark.parametrize("first", [0, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_networks(first: int) -> None:
    layers = left = 0
    for seed in range(first, first + max(30, first // 5)):
        module = network(seed)
        found = check(module, integers_of(module))
        assert not found.because
        left += len(found.left)
        # A value is rounded once more inside some operators, by less than half a step.
        assert found.steps < 1.0
        layers += found.layers
    assert layers > 100
    # Operands of a concat that are brought to its scale on the way in have no name in the module before.
    assert left <= layers // 100


def worse(op: Op) -> Op | None:
    """The operator with something a little wrong; None if it has nothing of the kind."""
    if isinstance(op, QAdd):
        return dataclasses.replace(op, y_multiplier=int(op.y_multiplier * 0.99))
    if isinstance(op, QMul):
        return dataclasses.replace(op, multiplier=int(op.multiplier * 0.99))
    if isinstance(op, (QConvolution, QDense)):
        return dataclasses.replace(op, out_zero=op.out_zero + (1 if op.out_zero < 127 else -1))
    return None


def test_random_networks_with_a_fault_each() -> None:
    planted = caught = 0
    for seed in range(60):
        module = network(seed)
        made = integers_of(module)
        found = [k for k, n in enumerate(made.nodes) if worse(n.op) is not None]
        if not found:
            continue
        at = Random(seed).choice(found)
        wrong = worse(made.nodes[at].op)
        assert wrong is not None
        node = Node(made.nodes[at].result, wrong, made.nodes[at].loc)
        planted += 1
        try:
            check(module, dataclasses.replace(made, nodes=(*made.nodes[:at], node, *made.nodes[at + 1 :])))
        except VerificationError:
            caught += 1
    assert planted > 40
    # What limits leave one number of is the same with any factor.
    assert caught >= planted - 4


@pytest.mark.parametrize("name", ["x_multiplier", "y_multiplier"])
@pytest.mark.parametrize("units", [-1, 1])
def test_a_whole_factor_that_is_one_unit_off(name: str, units: int) -> None:
    """Half a unit is what it is rounded by."""
    n = Net()
    x, y = n.input(4, 50, scale=0.03), n.input(4, 50, scale=0.05, zero=9)
    module = n.integers(n.op(Add(x, y), 0.07))
    made = integers_of(module)
    (at,) = (k for k, node in enumerate(made.nodes) if isinstance(node.op, QAdd))
    op = made.nodes[at].op
    assert isinstance(op, QAdd)
    assert op.whole() is not None
    check(module, made)
    wrong = dataclasses.replace(op, **{name: getattr(op, name) + units * 2 ** (31 - op.left)})
    assert wrong.whole() is not None
    node = Node(made.nodes[at].result, wrong, made.nodes[at].loc)
    with pytest.raises(VerificationError, match="factor of its"):
        check(module, dataclasses.replace(made, nodes=(*made.nodes[:at], node, *made.nodes[at + 1 :])))


def test_a_reference_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The definition alone is the witness then, and the result says why."""

    def refused(*_: object) -> None:
        raise TinycError("no equivalent in ONNX")

    module = mobile_net(Net())
    made = integers_of(module)
    asked = check(module, made)
    assert asked.reference is not None
    monkeypatch.setattr(witness, "QdqModel", refused)
    found = check(module, made)
    assert (found.reference, found.because) == (None, "no equivalent in ONNX")
    assert found.layers == asked.layers


def test_limits_on_integers() -> None:
    """They are in steps, not in real numbers: here those of a clamp are three of tens."""
    b = Builder("limits")
    x = b.add(Quantize(b.input("x", TensorType((1, 4, 4, 2), DType.F32)), 10.0, 0), "x_q")
    limited = b.add(Dequantize(b.add(Clamp(x, min=-3.0, max=5.0)), (10.0,), (0,)), "limited")
    y = b.add(Quantize(limited, 20.0, 0), "y_q")
    module = b.build([b.add(Dequantize(y, (20.0,), (0,)), "y")])
    sample = np.linspace(-90, 90, 32, dtype=np.float32).reshape(1, 4, 4, 2)
    assert check_integers(module, integers_of(module), [[sample]], quiet).left == []


def qdq_of_uint8(path: Path) -> Path:
    """Convolution, ReLU and convolution as onnxruntime's static quantisation writes them: uint8 times int8."""
    rng = np.random.default_rng(5)
    arrays: dict[str, np.ndarray] = {"s": np.float32(0.02), "z": np.uint8(120), "t": np.float32(0.05), "u": np.uint8(0)}
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["x_q"])]
    nodes.append(helper.make_node("DequantizeLinear", ["x_q", "s", "z"], ["y0"]))
    for k in range(2):
        arrays |= {
            f"w{k}": rng.integers(-127, 128, (3, 3, 3, 3)).astype(np.int8),
            f"ws{k}": rng.uniform(0.002, 0.01, 3).astype(np.float32),
            f"wz{k}": np.zeros(3, np.int8),
        }
        nodes += [
            helper.make_node("DequantizeLinear", [f"w{k}", f"ws{k}", f"wz{k}"], [f"wd{k}"], axis=0),
            helper.make_node("Conv", [f"y{k}", f"wd{k}"], [f"c{k}"], name=f"conv{k}", pads=[1, 1, 0, 0]),
            helper.make_node("Relu", [f"c{k}"], [f"r{k}"], name=f"relu{k}"),
            helper.make_node("QuantizeLinear", [f"r{k}", "t", "u"], [f"r{k}_q"]),
            helper.make_node("DequantizeLinear", [f"r{k}_q", "t", "u"], [f"y{k + 1}"]),
        ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 3, s, s)) for n, s in (("x", 8), ("y2", 6))]
    held = [numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_model_that_came_quantised(tmp_path: Path) -> None:
    module, _ = PassManager(tensor_passes()).run(tinyc.load(qdq_of_uint8(tmp_path / "qdq.onnx")).module)
    assert isinstance(module, Module)
    found = check(module, integers_of(module))
    assert (found.layers, found.constants, found.left) == (3, 2, [])
    assert found.reference is not None

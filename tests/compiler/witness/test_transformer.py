"""A transformer's block becomes integers throughout, and a fault planted in any of its operators is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tinyc.compiler.verify import VerificationError
from tinyc.ir import Module
from tinyc.ir.op import Op
from tinyc.ir.ops import QMatMul, QNorm, QSum
from tinyc.passes.core.manager import PassVerificationError
from tinyc.passes.integerise import Integerise

TOKENS, WIDTH, HEADS = 12, 16, 2


def network(path: Path) -> Path:
    """Layer norm, attention of two heads, a residual sum, an RMS norm, a sum over channels, a dense layer."""
    rng = np.random.default_rng(5)
    nodes: list[onnx.NodeProto] = []
    held: list[onnx.TensorProto] = []

    def constant(name: str, array: Any) -> str:
        held.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def floats(name: str, *shape: int, scale: float, offset: float = 0.0) -> str:
        return constant(name, (rng.normal(0, scale, shape) + offset).astype(np.float32))

    def add(operator: str, name: str, *operands: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(operands), [name], name=name, **attributes))
        return name

    heads = constant("heads", [1, TOKENS, HEADS, WIDTH // HEADS])
    x = add("MatMul", "embed", "x", floats("we", WIDTH, WIDTH, scale=WIDTH**-0.5))
    factors = floats("scale", WIDTH, scale=0.3, offset=1.0), floats("bias", WIDTH, scale=0.3)
    normal = add("LayerNormalization", "norm", x, *factors, epsilon=1e-3)
    parts = []
    for name, order in ("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3)):
        y = add("MatMul", name, normal, floats(f"w{name}", WIDTH, WIDTH, scale=0.2))
        parts.append(add("Transpose", f"{name}h", add("Reshape", f"{name}r", y, heads), perm=order))
    chances = add("Softmax", "chances", add("MatMul", "scores", parts[0], parts[1]), axis=-1)
    mixed = add("Transpose", "mixed", add("MatMul", "context", chances, parts[2]), perm=(0, 2, 1, 3))
    y = add("Add", "residual", add("Reshape", "flat", mixed, constant("flat_shape", [1, TOKENS, WIDTH])), x)
    mean = add("ReduceMean", "mean_square", add("Mul", "square", y, y), axes=[2])
    root = add("Sqrt", "root", add("Add", "mean_square_e", mean, constant("epsilon", np.float32(1e-3))))
    y = add("Mul", "rms", add("Div", "over", y, root), floats("gain", WIDTH, scale=0.3, offset=1.0))
    y = add("ReduceSum", "total", y, constant("axis", [2]), keepdims=0)
    add("MatMul", "out", y, floats("wo", TOKENS, 4, scale=0.2))
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, TOKENS, WIDTH)),
        helper.make_tensor_value_info("out", TensorProto.FLOAT, (1, 4)),
    ]
    graph = helper.make_graph(nodes, "transformer", ports[:1], ports[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def calibration() -> tinyc.Calibration:
    rng = np.random.default_rng(1)
    return tinyc.Calibration([[rng.standard_normal((1, TOKENS, WIDTH)).astype(np.float32)] for _ in range(12)])


def compiled(model: Path) -> tinyc.Compilation:
    return tinyc.compile(model, quantise=tinyc.QuantiseOptions(calibration()))


def changed(kind: type[Op], change: Callable[[Any], Op]) -> Callable[[pytest.MonkeyPatch], None]:
    """Operators of a class are other ones behind integerise."""
    right = Integerise.run

    def plant(patch: pytest.MonkeyPatch) -> None:
        def wrong(self: Integerise, module: Module) -> Module:
            after = right(self, module)
            nodes = (dataclasses.replace(n, op=change(n.op)) if isinstance(n.op, kind) else n for n in after.nodes)
            return dataclasses.replace(after, nodes=tuple(nodes))

        patch.setattr(Integerise, "run", wrong)

    return plant


def other(name: str, change: Callable[[int], int]) -> Callable[[Any], Op]:
    """The same operator with another number."""
    return lambda op: dataclasses.replace(op, **{name: change(getattr(op, name))})


def one_more(zero: int) -> int:
    """Another zero point."""
    return zero + 1 if zero < 127 else zero - 1


FAULTS = {
    "matrix product's multiplier": changed(QMatMul, other("multiplier", lambda m: int(m * 0.98))),
    "matrix product's first zero point": changed(QMatMul, other("x_zero", one_more)),
    "matrix product's second zero point": changed(QMatMul, other("y_zero", one_more)),
    "sum's multiplier": changed(QSum, other("multiplier", lambda m: int(m * 0.98))),
    "norm's multiplier": changed(QNorm, other("multiplier", lambda m: int(m * 0.98))),
    "norm's zero point": changed(QNorm, other("out_zero", one_more)),
    "norm's epsilon": changed(QNorm, other("epsilon", lambda e: e * 100)),
    "norm without its mean": changed(QNorm, lambda op: dataclasses.replace(op, centred=not op.centred)),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.onnx")


def test_a_transformers_block_is_integers_throughout(model: Path) -> None:
    made = compiled(model)
    kinds = [s.op.mnemonic for s in made.program.stages]
    wanted = {"qmatmul": 2, "qnorm": 2, "qsoftmax": 1, "qsum": 1}
    assert {kind: kinds.count(kind) for kind in wanted} == wanted
    assert made.report["quantisation"]["float_operators"] == []
    assert made.lowered.witnessed is not None
    assert not made.lowered.witnessed.left


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault(name: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    with pytest.raises((VerificationError, PassVerificationError)) as found:
        compiled(model)
    print(name, "->", found.value)

"""Faults in what recurrent layers are made of, which the witness must find."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import check_recurrent
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.module import Node, made
from tinyc.ir.ops import Constant, Dequantize, Gru, Lstm, QRecurrent, Quantize, Recurrent, Rnn
from tinyc.ir.ops.qrecurrent import most_products
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.integerise.recurrent import RecurrentToIntegers
from tinyc.passes.quantise import Quantise, calibrate
from tinyc.passes.quantise.widths import NONE, Widths

STEPS, INPUTS, HIDDEN = 20, 6, 8


WIDTHS = {"int8": NONE, "int16": Widths(everywhere=True)}


def quantised(kind: type[Recurrent], more: dict[str, Any], types: str) -> tuple[Module, list[list[Array]]]:
    b = Builder("net")
    rng = np.random.default_rng(3)
    x = b.input("x", TensorType((STEPS, 1, INPUTS), DType.F32))
    rows = kind.gates * HIDDEN
    shapes = ((rows, INPUTS), (rows, HIDDEN), (rows,))
    weights = [b.constant((rng.standard_normal(s) / 3).astype(np.float32)) for s in shapes]
    none = (0.0,) * len(kind.usual)
    m = b.build([b.add(kind(x, *weights, functions=kind.usual, alpha=none, beta=none, **more))])
    samples: list[list[Array]] = [[rng.standard_normal((STEPS, 1, INPUTS)).astype(np.float32)] for _ in range(4)]
    return Quantise(calibrate(m, samples, run_module, "mse"), widths=WIDTHS[types]).run(m), samples


def changed(m: Module, field: str, change: Any) -> Module:
    """The module with another constant, or another attribute, of its recurrent layer."""
    (layer,) = [found for n in m.nodes if (found := made(n, QRecurrent)) is not None]
    given = getattr(layer.op, field)
    nodes: list[Node] = []
    for node in m.nodes:
        op = node.op
        if node.result == given:
            array = op.run([])
            op = Constant(Tensor(np.asarray(change(array)).astype(array.dtype)))
        elif node is layer.node and not hasattr(given, "dtype"):
            op = dataclasses.replace(layer.op, **{field: change(given)})
        nodes.append(Node(node.result, op, node.loc))
    return Module(m.name, m.inputs, tuple(nodes), m.outputs)


@pytest.mark.parametrize("scale", [2.0**-14, 2.0**-2, 2.0**4])
def test_multipliers_leave_sums_in_int64(scale: float) -> None:
    """Whatever scales are: as many places as int64 has room for."""
    b = Builder("net")
    x = b.input("x", TensorType((2, 1, 3000), DType.I16))
    w = b.add(Dequantize(b.constant(np.full((2, 3000), 127, np.int8)), (0.5, 0.25), (0, 0), 0))
    r = b.add(Dequantize(b.constant(np.full((2, 2), -128, np.int8)), (0.125,), (0,)))
    bias = b.constant(np.zeros(2, np.float32))
    layer = Rnn(b.add(Dequantize(x, (scale,), (0,))), w, r, bias, functions=Rnn.usual, alpha=(0.0,), beta=(0.0,))
    m = RecurrentToIntegers().run(b.build([b.add(Quantize(b.add(layer), 2.0**-14, 0, DType.I16))]))
    (op,) = [found.op for n in m.nodes if (found := made(n, QRecurrent)) is not None]
    numbers = [m.constant(v) for v in (op.w, op.r, op.wm, op.rm)]
    w_, r_, wm, rm = (a for a in numbers if a is not None)
    most = max(most_products(DType.I16, DType.I16, w_, r_, wm, rm).tolist())
    assert most <= 2**62
    assert most >= 2**59 or max(wm.max(), rm.max()) >= 2**30 or op.places == 40


CASES: list[tuple[type[Recurrent], dict[str, Any]]] = [(Rnn, {}), (Gru, {"after": True}), (Gru, {}), (Lstm, {})]


@pytest.mark.parametrize("types", WIDTHS)
@pytest.mark.parametrize(("kind", "more"), CASES)
def test_what_the_pass_makes(kind: type[Recurrent], more: dict[str, Any], types: str) -> None:
    before, samples = quantised(kind, more, types)
    after = RecurrentToIntegers().run(before)
    (layer,) = [found.op for n in after.nodes if (found := made(n, QRecurrent)) is not None]
    assert layer.x.dtype.numpy.name == layer.type.dtype.numpy.name == types
    assert check_recurrent(before, after, samples) == 1


@pytest.mark.parametrize("types", WIDTHS)
@pytest.mark.parametrize(("kind", "more"), CASES)
@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("wm", lambda a: a * 1.05),
        ("rm", lambda a: a * 0.9),
        ("b", lambda a: a + 1500),
        ("places", lambda p: p + 1),
        ("multiplier", lambda m: int(m * 0.96)),
        ("reverse", lambda r: not r),
        ("w", lambda w: np.roll(w, 1, axis=0)),
        ("r", lambda r: np.roll(r, 1, axis=1)),
    ],
)
def test_faults_are_found(kind: type[Recurrent], more: dict[str, Any], types: str, field: str, change: Any) -> None:
    faulty(kind, more, types, field, change)


@pytest.mark.parametrize(("types", "steps"), [("int8", 2), ("int16", 500)])
@pytest.mark.parametrize(("kind", "more"), CASES)
def test_a_wrong_zero_point(kind: type[Recurrent], more: dict[str, Any], types: str, steps: int) -> None:
    faulty(kind, more, types, "zero", lambda z: z + steps)


def faulty(kind: type[Recurrent], more: dict[str, Any], types: str, field: str, change: Any) -> None:
    """Sees that the witness finds a fault."""
    before, samples = quantised(kind, more, types)
    after = changed(RecurrentToIntegers().run(before), field, change)
    with pytest.raises(VerificationError, match="by the definition of its step"):
        check_recurrent(before, after, samples)

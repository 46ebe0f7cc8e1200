"""Masks do not stretch the ranges of what softmaxes take."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import run
from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Add, Constant, Dequantize, MatMul, Quantize, Reshape, Softmax, Where
from tinyc.passes.quantise import quantise_module
from tinyc.passes.quantise.choose import worst_sqnr
from tinyc.passes.quantise.logits import LOWEST, REACH, finite_masks, limited, logits
from tinyc.passes.quantise.units import find_units

MASK = np.triu(np.ones((6, 6), np.bool_), 1)


def masked(number: float, added: bool) -> Module:
    """A softmax of scores, of which each row sees itself and those before."""
    b = Builder("m")
    x = b.input("x", TensorType((6, 8), DType.F32))
    y = b.input("y", TensorType((8, 6), DType.F32))
    scores = b.add(MatMul(x, y))
    zero = np.float32(0)
    if added:
        value = b.add(Add(scores, b.constant(np.where(MASK, np.float32(number), zero))))
    else:
        value = b.add(Where(b.constant(MASK), b.constant(np.float32(number)), scores))
    shares = b.add(Softmax(b.add(Reshape(value, (1, 6, 6)))))
    return b.build([b.add(MatMul(b.add(Reshape(shares, (6, 6))), x))])


def samples(count: int) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(0, 1, s).astype(np.float32) for s in ((6, 8), (8, 6))] for _ in range(count)]


@pytest.mark.parametrize("number", [-1e4, -1e9, -np.inf, float(np.finfo(np.float32).min)])
@pytest.mark.parametrize("added", [True, False])
def test_masked_scores_keep_their_steps(number: float, added: bool) -> None:
    module, data = masked(number, added), samples(16)
    made = quantise_module(module, data, run_module)
    ends = [n.op for n in made.module.nodes if isinstance(n.op, Quantize)]
    assert max(op.scale for op in ends if op.scale != 1 / 256) < 0.2
    exact, own = ([run_module(m, s) for s in samples(24)[16:]] for m in (module, made.module))
    assert worst_sqnr(exact, own) > 25


def test_rows_that_are_masked_as_a_whole_do_not_count() -> None:
    array = np.array([[5.0, 1.0, -1e9], [3.0, -20.0, 0.0], [-1e9, -1e9, -1e9]], np.float32)
    np.testing.assert_array_equal(limited(array).min(axis=1), [3 - REACH] * 3)
    plain = array[:2, :2]
    assert limited(plain) is plain


def test_a_value_of_other_use_is_taken_as_it_is() -> None:
    module = masked(-1e9, True)
    units = find_units(module)
    assert len(logits(module, units)) == 2
    shown = Module(module.name, module.inputs, module.nodes, (*module.outputs, _result(module, Add)))
    assert len(logits(shown, find_units(shown))) == 1


def test_infinite_masks_become_finite() -> None:
    module = masked(-np.inf, False)
    after = finite_masks(module)
    constants = [n.op.data.array for n in after.nodes if isinstance(n.op, Constant) and n.op.type.dtype is DType.F32]
    assert [float(a.min()) for a in constants] == [np.float32(LOWEST)]
    (inputs,) = samples(1)
    np.testing.assert_array_equal(run(module, inputs)[0], run(after, inputs)[0])
    finite = masked(-1e4, False)
    assert finite_masks(finite) is finite


def test_masks_stay_where_others_see_what_a_softmax_takes() -> None:
    module = masked(-np.inf, False)
    operand = next(n.op.operands[0] for n in module.nodes if isinstance(n.op, Softmax))
    shown = Module(module.name, module.inputs, module.nodes, (*module.outputs, operand))
    assert finite_masks(shown) is shown


def test_a_mask_in_two_places_has_one_scale() -> None:
    """A constant that is added to other numbers as well keeps all of its range."""
    b = Builder("m")
    x, y = b.input("x", TensorType((6, 8), DType.F32)), b.input("y", TensorType((8, 6), DType.F32))
    mask = b.constant(np.where(MASK, np.float32(-1e4), np.float32(0)))
    scores = b.add(MatMul(x, y))
    sums = b.add(Add(b.add(MatMul(x, y)), mask))
    module = b.build([b.add(Softmax(b.add(Add(scores, mask)))), sums])
    made = quantise_module(module, samples(4), run_module).module
    constants = {n.result for n in made.nodes if isinstance(n.op, Constant)}
    reals = [n.op for n in made.nodes if isinstance(n.op, Dequantize) and n.op.x in constants]
    assert max(op.scale[0] for op in reals) == pytest.approx(1e4 / 255, rel=1e-3)


def _result(module: Module, kind: type) -> Value:
    return next(n.result for n in module.nodes if isinstance(n.op, kind))

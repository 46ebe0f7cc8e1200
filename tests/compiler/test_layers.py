"""One layer's error each: modules and stages held against a witness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tinyc.backends.interpreter import observe, run_module, run_program
from tinyc.compiler.verify.layers import Difference, differences, jumps
from tinyc.compiler.verify.pass_layers import ComparePasses
from tinyc.compiler.verify.stages import Values, first_difference_in_stages
from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Add, Cast, Clamp, Concat, Conv2d, Floor, Mul, Neg, Quantize, Reshape, Slice, Softmax, Sub
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes import Pass, PassVerificationError
from tinyc.passes.core.base import Slack
from tinyc.passes.core.manager import PassManager
from tinyc.passes.core.rewrite import Replaced, rewrite
from tinyc.passes.pipeline import row_passes
from tinyc.passes.rows.lower import Lower

F32 = DType.F32
RNG = np.random.default_rng(5)


def steps(scale: float = 0.1) -> Module:
    """x * 3, quantized, dequantized, + x."""
    b = Builder("steps")
    x = b.input("x", TensorType((1, 4, 5, 3), F32))
    y = b.add(Mul(x, b.constant(np.float32(3.0))), "y", "Mul_0")
    q = b.add(Quantize(y, scale, 3), "q", "Quant_1")
    d = b.add(Dequantize(q, (scale,), (3,)), "d", "Dequant_2")
    return b.build([b.add(Add(d, x), "z", "Add_3")])


def arrays(module: Module, inputs: list[Array]) -> dict[Value, Array]:
    found: dict[Value, Array] = {}
    run_module(module, inputs, found.__setitem__)
    return found


def inputs(module: Module) -> list[Array]:
    return [RNG.normal(size=v.shape).astype(np.float32) for v in module.inputs]


def first_difference(module: Module, given: list[Array], witness: dict[Value, Array]) -> Difference | None:
    return next(differences(module, given, witness), None)


def test_a_module_agrees_with_itself() -> None:
    module = steps()
    x = inputs(module)
    assert first_difference(module, x, arrays(module, x)) is None


def test_the_layer_that_differs_is_named_and_those_after_it_are_not_blamed() -> None:
    module = steps()
    x = inputs(module)
    witness = arrays(module, x)
    node = module.nodes[-1]
    for wrong in (1, 2, 3, 4):
        value = module.nodes[wrong].result
        shifted = witness[value] + (2 if value.dtype is not F32 else 0.01)
        found = first_difference(module, x, witness | {value: shifted.astype(value.dtype.numpy)})
        assert found is not None
        assert found.node.result == value
    # What follows is computed from the witness's own array, so there is one difference and not three.
    moved = arrays(dataclasses.replace(module), [x[0] + np.float32(0.02)])
    blamed = [found.node.result.name for found in differences(module, x, moved)]
    assert blamed == ["y", node.result.name]  # those that take x themselves


def test_an_integer_may_be_the_next_one_only_where_the_float_stands_between_two() -> None:
    b = Builder("edge")
    x = b.input("x", TensorType((4,), F32))
    module = b.build([b.add(Quantize(x, 1.0), "q")])
    q = module.outputs[0]
    x0 = np.array([0.5, 1.5, 2.4, -0.5], np.float32)
    own = arrays(module, [x0])[q]
    assert own.tolist() == [0, 2, 2, 0]
    assert first_difference(module, [x0], {q: np.array([1, 1, 2, -1], np.int8)}) is None
    found = first_difference(module, [x0], {q: np.array([0, 2, 3, 0], np.int8)})
    assert found is not None
    assert found.gap.index == (2,)


def test_what_rounding_may_move_is_followed_through_a_layer_of_several_operators() -> None:
    b = Builder("several")
    x = b.input("x", TensorType((3,), F32))
    half = b.add(Mul(x, b.constant(np.float32(1 / 3))), "half")
    floored = b.add(Floor(half), "floored")
    moved = b.add(Add(floored, b.constant(np.float32(7.0))), "moved")
    module = b.build([b.add(Cast(moved, DType.I32), "out")])
    out = module.outputs[0]
    x0 = np.array([3.0, 6.0, 7.0], np.float32)
    assert first_difference(module, [x0], {out: np.array([7, 8, 9], np.int32)}) is None
    assert first_difference(module, [x0], {out: np.array([8, 9, 9], np.int32)}) is None
    assert first_difference(module, [x0], {out: np.array([8, 9, 8], np.int32)}) is not None
    assert first_difference(module, [x0], {out: np.array([6, 9, 9], np.int32)}) is not None


def test_integers_made_of_integers_are_exact() -> None:
    b = Builder("exact")
    x = b.input("x", TensorType((3,), DType.I8))
    module = b.build([b.add(Add(x, x), "twice")])
    x0 = np.array([1, 2, 3], np.int8)
    assert first_difference(module, [x0], {module.outputs[0]: np.array([2, 4, 7], np.int8)}) is not None


def test_small_numbers_are_compared_as_closely_as_large_ones() -> None:
    b = Builder("small")
    x = b.input("x", TensorType((1, 4, 4, 2), F32))
    w = b.constant((RNG.normal(size=(3, 1, 1, 2)) * 1e-9).astype(np.float32))
    y = b.add(Conv2d(x, w, None), "y")
    module = b.build([b.add(Clamp(y, min=0.0), "z")])
    x0 = inputs(module)
    witness = arrays(module, x0)
    assert first_difference(module, x0, witness) is None
    for value in witness:
        if value.name in "yz":
            found = first_difference(module, x0, witness | {value: witness[value] * np.float32(1.001)})
            assert found is not None
            assert found.node.result == value


def test_zero_but_for_rounding_is_no_difference() -> None:
    b = Builder("cancel")
    x = b.input("x", TensorType((4,), F32))
    third = b.add(Mul(x, b.constant(np.float32(1 / 3))), "third")
    module = b.build([b.add(Sub(third, third), "zero")])
    x0 = [np.ones(4, np.float32)]
    assert first_difference(module, x0, {module.outputs[0]: np.full(4, 6e-8, np.float32)}) is None


def test_integers_of_what_has_none_are_not_compared() -> None:
    b = Builder("undefined")
    x = b.input("x", TensorType((3,), F32))
    module = b.build([b.add(Cast(x, DType.U8), "q")])
    x0 = [np.array([-1.5, 3.0, 300.0], np.float32)]
    assert first_difference(module, x0, {module.outputs[0]: np.array([255, 3, 44], np.uint8)}) is None
    assert first_difference(module, x0, {module.outputs[0]: np.array([255, 4, 44], np.uint8)}) is not None


def test_which_modules_jump() -> None:
    assert jumps(steps())
    b = Builder("smooth")
    x = b.input("x", TensorType((3,), F32))
    assert not jumps(b.build([b.add(Add(x, x))]))


@dataclasses.dataclass(frozen=True)
class Rescale(Pass, name="rescale-for-a-test"):
    """Multiplies by a factor what a multiplication gives: 1 + 1e-7 is rounding, 1.02 is not."""

    slack = Slack(1e-6, "a test")
    factor: float = 1.0

    def run(self, module: Module) -> Module:
        def rule(node, rewriter):  # type: ignore[no-untyped-def]
            constant = rewriter.constant(node.op.y) if isinstance(node.op, Mul) else None
            if constant is None or constant == np.float32(3.0 * self.factor):
                return None
            return Replaced(Mul(node.op.x, rewriter.constant_value(np.float32(3.0 * self.factor), "factor")))

        return rewrite(module, [rule])


def test_a_pass_may_round_otherwise_although_a_step_moves() -> None:
    module = steps(0.1)
    # Every product stands between two steps: the last bit decides.
    x = [(np.arange(60, dtype=np.float32).reshape(1, 4, 5, 3) % 50 + np.float32(0.5)) * np.float32(0.1 / 3)]
    after = Rescale(1.0 + 2e-7).run(module)
    assert not np.array_equal(run_module(module, x)[0], run_module(after, x)[0])
    error = ComparePasses([x]).after(Rescale(1.0 + 2e-7), module, after)
    assert error is not None
    assert error < 1e-5
    with pytest.raises(PassVerificationError, match=r"rescale-for-a-test: changed the meaning: output 0.*%y"):
        ComparePasses([x]).after(Rescale(1.02), module, Rescale(1.02).run(module))


def parts() -> Module:
    """Two convolutions into one concat, a view of it, and a sum."""
    b = Builder("parts")
    x = b.input("x", TensorType((1, 6, 6, 2), F32))
    w = [b.constant(RNG.normal(size=(3, 3, 3, 2)).astype(np.float32)) for _ in range(2)]
    a, c = (b.add(Conv2d(x, v, None, pads=(1, 1, 1, 1)), f"conv{k}") for k, v in enumerate(w))
    joined = b.add(Concat((a, c), 3), "joined")
    flat = b.add(Reshape(joined, (1, 216)), "flat")
    return b.build([b.add(Add(flat, flat), "twice")])


def test_stages_are_compared_on_their_own_operands() -> None:
    module = parts()
    x = inputs(module)
    program, _ = PassManager(row_passes()).run(module)
    results: dict[int, Array] = {}
    outputs = run_program(program, x, lambda n, a: results.update({n: a.copy()}))  # type: ignore[arg-type]
    assert first_difference_in_stages(program, x, results) == ""  # type: ignore[arg-type]
    values = Values(program, x, results)  # type: ignore[arg-type]
    for value, array in zip(program.outputs, outputs, strict=True):
        np.testing.assert_array_equal(values.array(value), array)
    for number in results:
        spoilt = {n: a + np.float32(0.001) if n == number else a for n, a in results.items()}
        assert first_difference_in_stages(program, x, spoilt).startswith(f"layer {number}, ")  # type: ignore[arg-type]


def test_a_whole_is_what_was_written_before_the_stage_that_overwrites_it() -> None:
    b = Builder("over")
    x = b.input("x", TensorType((1, 4, 5, 3), F32))
    joined = b.add(Concat((b.add(Mul(x, x)), b.add(Neg(x))), 1), "joined")
    module = b.build([b.add(Neg(b.add(Add(joined, b.constant(np.float32(1.0))), "over")))])
    program, _ = PassManager(row_passes(cores=2)).run(module)
    assert isinstance(program, RowProgram)
    assert program.root("over")[0].name == "joined"
    results: dict[int, Array] = {}
    x0 = inputs(module)
    run_program(program, x0, lambda n, a: results.update({n: a.copy()}))
    assert first_difference_in_stages(program, x0, results) == ""


def test_what_a_softmax_takes_is_observed_where_all_of_it_is_one_value() -> None:
    b = Builder("part")
    x = b.input("x", TensorType((1, 11), F32))
    moved = b.add(Mul(x, x), "moved")
    part = b.add(Slice(moved, (0, 3), (1, 8), (1, 1)), "part")
    module = b.build([b.add(Softmax(part), "y")])
    seen = observe(module, inputs(module))
    assert [a.size for name, a in seen.items() if "operand" in name] == [8]
    program, _ = PassManager([Lower()]).run(module)
    assert not [name for name in observe(program, inputs(module)) if "operand" in name]

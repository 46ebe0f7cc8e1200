"""Folding of constants, elimination of dead and common nodes, special cases, and the rewriter under them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers, unchanged
from tinyc.ir import Builder, DType, IRError, Module, Node
from tinyc.ir.ops import Add, Broadcast, Clamp, Constant, Dense, MatMul, Neg, Pad, Pow, Reshape, Sqrt, Tanh
from tinyc.passes.core.rewrite import Replaced, Rewriter, rewrite
from tinyc.passes.tensor.eliminate_common import EliminateCommon
from tinyc.passes.tensor.eliminate_dead import EliminateDead
from tinyc.passes.tensor.fold_constants import FoldConstants
from tinyc.passes.tensor.specialise import Specialise


def test_constants_fold() -> None:
    b = Builder("m")
    c = b.add(Sqrt(b.add(Add(b.constant(np.float32(2)), b.constant(numbers(3) ** 2)))))
    after = check(FoldConstants(), b.build([b.add(Add(input_(b, 3), c))]))
    assert count(after) == {"add": 1}
    assert len(after.nodes) == 2


def test_a_constant_output_folds() -> None:
    b = Builder("m")
    after = check(FoldConstants(), b.build([b.add(Neg(b.constant(numbers(3))))]))
    assert isinstance(after.nodes[-1].op, Constant)


def test_a_large_constant_is_left_to_run_time() -> None:
    b = Builder("m")
    module = b.build([b.add(Broadcast(b.constant(np.float32(1)), (30, 30)))])
    assert "3596 bytes larger" in unchanged(FoldConstants(), module)[0]
    assert count(check(FoldConstants(max_growth=3596), module)) == {}


def test_dead_nodes_go_and_inputs_stay() -> None:
    b = Builder("m")
    x, unused = input_(b, 3), input_(b, 4)
    b.add(Neg(b.add(Tanh(unused))))
    module = b.build([b.add(Neg(x))])
    assert count(check(EliminateDead(), module)) == {"neg": 1}


def test_common_nodes_merge_with_their_locations() -> None:
    b = Builder("m")
    x = input_(b, 3)
    sides = [b.add(Add(b.add(Neg(x), loc=loc), b.constant(numbers(3))), loc=loc) for loc in ("first", "second")]
    after = check(EliminateCommon(), b.build([b.add(Tanh(b.add(Add(*sides))))]))
    assert [(n.op.mnemonic, n.loc) for n in after.nodes[:3]] == [
        ("neg", "first+second"),
        ("constant", ""),
        ("add", "first+second"),
    ]


def test_zeros_of_different_sign_do_not_merge() -> None:
    b = Builder("m")
    x = input_(b, 2)
    pads = [b.add(Pad(x, (1,), (0,), (), value)) for value in (0.0, -0.0)]
    unchanged(EliminateCommon(), b.build([b.add(Add(*pads))]))


def test_common_outputs_keep_their_names() -> None:
    b = Builder("m")
    x = input_(b, 2)
    first, inner, second = (b.add(Neg(x), name) for name in ("first", "inner", "second"))
    after = check(EliminateCommon(), b.build([first, b.add(Tanh(inner)), second]))
    assert count(after) == {"neg": 2, "tanh": 1}
    b = Builder("m")
    x = input_(b, 2)
    inner, outer, last = (b.add(Neg(x), name) for name in ("inner", "outer", "last"))
    assert count(check(EliminateCommon(), b.build([b.add(Tanh(inner)), outer, last]))) == {"neg": 2, "tanh": 1}


@pytest.mark.parametrize("lead", [(), (1,), (1, 1)])
@pytest.mark.parametrize("rows", [(1, 2), (3, 2)])
def test_matmul_with_a_constant_becomes_dense(lead: tuple[int, ...], rows: tuple[int, ...]) -> None:
    b = Builder("m")
    x = input_(b, 2, *rows, 4)
    y = b.constant(numbers(*lead, 4, 5))
    assert count(check(Specialise(), b.build([b.add(MatMul(x, y))]))) == {"dense": 1}


@pytest.mark.parametrize(("left", "right"), [((2, 4), (1, 4, 5)), ((1, 2, 4), (1, 1, 4, 5)), ((1, 2, 4), (3, 4, 5))])
def test_matmul_with_other_constants_stays(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    b = Builder("m")
    assert (
        "not one matrix"
        in unchanged(Specialise(), b.build([b.add(MatMul(input_(b, *left), b.constant(numbers(*right))))]))[0]
    )


def test_integer_matmul_stays() -> None:
    b = Builder("m")
    y = b.constant(np.ones((4, 5), np.int32))
    module = b.build([b.add(MatMul(input_(b, 2, 4, dtype=DType.I32), y))])
    assert "integer" in unchanged(Specialise(), module)[0]


def test_powers() -> None:
    b = Builder("m")
    x = input_(b, 2, 3)
    powers = [b.add(Pow(x, b.constant(np.full(shape, e, np.float32)))) for shape, e in (((), 2), ((3,), 0.5), ((), 3))]
    assert count(check(Specialise(), b.build(powers))) == {"mul": 1, "sqrt": 1, "pow": 1}


def test_rewriting_that_does_not_end_is_an_error() -> None:
    b = Builder("m")
    module = b.build([b.add(Neg(input_(b, 2)))])
    with pytest.raises(IRError, match="does not come to an end"):
        rewrite(module, [lambda node, _: Replaced(node.op)])


def test_a_rule_may_not_change_the_type() -> None:
    def wrong(node: Node, rewriter: Rewriter) -> Replaced | None:
        return Replaced(Reshape(node.op.operands[0], (1, 2))) if isinstance(node.op, Neg) else None

    b = Builder("m")
    with pytest.raises(IRError, match="replaced"):
        rewrite(b.build([b.add(Neg(input_(b, 2)))]), [wrong])


def test_dead_users_do_not_count() -> None:
    def uses(module: Module) -> set[int]:
        seen = set()

        def look(node: Node, rewriter: Rewriter) -> None:
            seen.update(rewriter.uses(v) for v in node.op.operands)

        assert rewrite(module, [look]) is module
        return seen

    b = Builder("m")
    x = input_(b, 2)
    b.add(Tanh(x))
    assert uses(b.build([b.add(Clamp(x, min=0.0))])) == {1}
    w = b.constant(numbers(2, 2))
    assert uses(b.build([b.add(Dense(x, w))])) == {1}

"""Folding of constants, elimination of dead and common nodes, special cases, and the rewriter under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers, unchanged
from tinyc.ir import Builder, IRError, Module, Node
from tinyc.ir.ops import Broadcast, Clamp, Dense, MatMul, Neg, Reshape, Tanh
from tinyc.passes.core.rewrite import Replaced, Rewriter, on, rewrite
from tinyc.passes.tensor.fold_constants import FoldConstants
from tinyc.passes.tensor.specialise import Specialise


def test_a_large_constant_is_left_to_run_time() -> None:
    b = Builder("m")
    module = b.build([b.add(Broadcast(b.constant(np.float32(1)), (30, 30)))])
    assert "3596 bytes larger" in unchanged(FoldConstants(), module)[0]
    assert count(check(FoldConstants(max_growth=3596), module)) == {}


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


@pytest.mark.parametrize(("given", "named"), [(5, "int"), (Replaced(None), "NoneType")])  # type: ignore[arg-type]
def test_what_a_rule_may_answer(given: Any, named: str) -> None:
    def odd(node: Node, rewriter: Rewriter) -> Any:
        """Turn it around."""
        return given

    b = Builder("m")
    said = (
        rf"^neg %neg.*: the rule 'Turn it around' gave {named}; a rule gives Replaced by an operator or a value, Skip"
    )
    with pytest.raises(IRError, match=said):
        rewrite(b.build([b.add(Neg(input_(b, 2)))]), [odd])
    with pytest.raises(TypeError, match="`on` takes a class of operators, not 'Neg'"):
        on("Neg")  # type: ignore[arg-type]


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

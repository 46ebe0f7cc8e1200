"""What the witness knows of operators, and that it is true. tests/ir/test_declarations.py names what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.generate import samples
from tinyc.compiler.witness.arithmetic import EXACT, compute
from tinyc.compiler.witness.definition import MEANING
from tinyc.compiler.witness.factors import FACTORS
from tinyc.compiler.witness.ran import ERRORS
from tinyc.compiler.witness.region import TOGETHER
from tinyc.compiler.witness.rounding import REQUANTISED
from tinyc.ir.concern import CONCERNS
from tinyc.ir.op import Op
from tinyc.ir.ops import registry


def test_all_of_them_are_here() -> None:
    known = (EXACT, MEANING, TOGETHER, FACTORS, REQUANTISED, ERRORS)
    found = {name for name, concern in CONCERNS.items() if "compiler/witness/" in concern.belongs}
    assert found == {concern.name for concern in known}


@pytest.mark.parametrize("kind", [kind for kind in registry().values() if EXACT.find(kind) is not None])
def test_exact_arithmetic_is_what_the_operator_means(kind: type[Op]) -> None:
    compared = 0
    for sample in samples(kind, 12):
        exact = compute(sample.op, sample.arrays)
        if exact is not None:
            np.testing.assert_array_equal(sample.op.run(sample.arrays), exact.integers, str(sample.op))
            compared += 1
    assert compared


def test_what_every_operator_has() -> None:
    """Definition and error are asked of any operator, so that none can be refused."""
    assert [k for k in registry().values() if MEANING.find(k) is None or ERRORS.find(k) is None] == []


def test_an_operator_that_says_nothing() -> None:
    class Unheard(Op):
        """Registered nowhere."""

    assert not EXACT.refused(Unheard)
    assert EXACT.missing(Unheard).startswith(
        "Unheard declares no exact integer arithmetic: register it in compiler/witness/arithmetic.py"
    )

"""Operators that int16 has a part in: interpreter, exact arithmetic and C agree bit for bit."""

from __future__ import annotations

import pytest

from tests.c.support import PARAMETERS, Case, check, sampled
from tinyc.compiler.witness import arithmetic
from tinyc.ir import DType, Op, ops

WITNESSED: tuple[type[Op], ...] = (
    ops.QConv2d,
    ops.QDepthwiseConv2d,
    ops.QDense,
    ops.QAdd,
    ops.QMul,
    ops.QDiv,
    ops.QNorm,
    ops.QPRelu,
    ops.QMatMul,
    ops.QMean,
    ops.QSum,
    ops.QCumSum,
    ops.QAvgPool2d,
    ops.QSoftmax,
    ops.Requantise,
    ops.Interpolate,
    ops.InterpolateUneven,
    ops.Lookup,
    ops.MaxPool2d,
)
"""Those whose integers `witness.arithmetic` computes too."""
WIDE = (*WITNESSED, ops.Clamp)


def cases(kind: type[Op], count: int) -> list[Case]:
    """Random ones of a kind, of those that have int16 somewhere."""
    found = [c for c in sampled(kind, 6 * count) if DType.I16 in {v.dtype for v in c.op.operands} | {c.op.type.dtype}]
    assert len(found) >= count // 4
    return found


@pytest.mark.parametrize("kind", WITNESSED, ids=lambda kind: kind.mnemonic)
def test_interpreter(kind: type[Op]) -> None:
    for case in cases(kind, 40):
        exact = arithmetic.compute(case.op, case.arrays)
        assert exact is not None, case.op
        assert (exact.integers == case.op.run(case.arrays)).all(), case.op


@pytest.mark.parametrize("build", PARAMETERS)
def test_c(build: str) -> None:
    check([case for kind in WIDE for case in cases(kind, 12)], build)

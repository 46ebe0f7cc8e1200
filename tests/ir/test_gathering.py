"""Operators that take the rows of an operand one by one: in either direction, what they are on the whole."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.generate import OPERATORS, samples
from tinyc.ir.op import Op
from tinyc.ir.tensor import Array


def by_rows(op: Op, arrays: list[Array], reverse: bool) -> Array:
    """The result of an operator that is given one row after the other; its memory holds garbage at first."""
    type = op.gathered()
    assert type is not None
    held = np.full(type.shape, 77, type.dtype.numpy)
    order = range(op.operands[0].shape[1])[:: -1 if reverse else 1]
    for row in order:
        operands = [arrays[0][:, row : row + 1], *arrays[1:]]
        held = op.gather(held, operands, row, row == order[0], row == order[-1])
    return held.astype(op.type.dtype.numpy).reshape(op.type.shape)


@pytest.mark.parametrize("reverse", [False, True])
def test_gathered_rows_give_the_result(reverse: bool) -> None:
    found: Counter[str] = Counter()
    for op, arrays in ((s.op, list(s.arrays)) for kind in OPERATORS for s in samples(kind, 40, calm=True)):
        if op.gathered() is None:
            continue
        with np.errstate(all="ignore"):
            got, want = by_rows(op, arrays, reverse), op.run(arrays)
        if want.dtype.kind == "f":
            # A sum is rounded after each row: by 6e-8 of what is summed, some times.
            scale = max(float(np.abs(a[np.isfinite(a)]).max(initial=1.0)) for a in arrays) * arrays[0].size
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6 * scale, equal_nan=True)
        else:
            np.testing.assert_array_equal(got, want)
        found[op.mnemonic] += 1
    assert set(found) >= {"qmean", "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "transpose"}

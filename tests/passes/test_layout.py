from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyc.ir.tensor import Array
from tinyc.passes.tensor.layout import Layout, Shape, normal, transposes


def store(value: Array, layout: Layout) -> Array:
    return value.reshape(layout.factors).transpose(layout.order)


def test_nhwc_of_one_pixel_is_plain() -> None:
    assert Layout((1, 8, 1, 1), (0, 2, 3, 1)).same_bytes(Layout.plain((1, 8, 1, 1)))
    assert Layout((1, 1, 4, 5), (0, 2, 3, 1)).same_bytes(Layout.plain((20,)))
    assert not Layout((1, 2, 4, 5), (0, 2, 3, 1)).same_bytes(Layout.plain((1, 2, 4, 5)))


def test_normal_joins_neighbours() -> None:
    assert normal(Layout((1, 8, 4, 5), (0, 2, 3, 1))) == Layout((8, 20), (1, 0))


@pytest.mark.parametrize(
    ("factors", "order", "shape", "groups"),
    [
        ((2, 12), (1, 0), (2, 3, 4), ((2,), (3,), (4,))),
        ((2, 3, 4), (2, 1, 0), (6, 4), ((2, 3), (4,))),
        ((6, 4), (1, 0), (6, 1, 4, 1), ((6,), (1,), (4,), (1,))),
        ((6, 4), (1, 0), (3, 8), ((3,), (2, 4))),
        ((1, 6, 1), (1, 0, 2), (6,), ((6,),)),
        ((2, 1, 3, 1), (3, 2, 1, 0), (2, 3, 1), ((2,), (3,), (1,))),
        ((1, 1), (1, 0), (), ()),
    ],
)
def test_split(factors: Shape, order: Shape, shape: Shape, groups: tuple[Shape, ...]) -> None:
    dims = Layout(factors, order).split(shape)
    assert dims is not None
    assert dims.groups == groups
    value = np.arange(np.prod(factors))
    np.testing.assert_array_equal(store(value, Layout(factors, order)).ravel(), store(value, dims.layout).ravel())


def test_split_that_does_not_line_up() -> None:
    assert Layout((6, 4), (1, 0)).split((4, 6)) is None
    assert Layout.plain((0, 4)).split((0, 4)) is None


def random_layout(random: Random, size: int) -> Layout:
    factors = []
    while size > 1:
        factor = random.choice([f for f in range(2, size + 1) if size % f == 0])
        factors.append(factor)
        size //= factor
    for _ in range(random.randrange(3)):
        factors.insert(random.randint(0, len(factors)), 1)
    order = list(range(len(factors)))
    random.shuffle(order)
    return Layout(tuple(factors), tuple(order))


@given(st.randoms(use_true_random=False), st.sampled_from([1, 6, 8, 12, 24, 36]))
def test_layouts_keep_and_convert_their_bytes(random: Random, size: int) -> None:
    have, want, other = (random_layout(random, size) for _ in range(3))
    value = np.arange(size)
    stored = store(value, have).ravel()
    np.testing.assert_array_equal(store(value, normal(have)).ravel(), stored)
    assert have.same_bytes(want) == bool((store(value, want).ravel() == stored).all())
    dims = have.split(other.factors)
    if dims is not None:
        np.testing.assert_array_equal(store(value, dims.layout).ravel(), stored)
        assert [int(np.prod(g)) for g in dims.groups] == list(other.factors)
    moved = stored
    for shape, perm in transposes(have, want):
        moved = moved.reshape(shape).transpose(perm)
    np.testing.assert_array_equal(moved.ravel(), store(value, want).ravel())

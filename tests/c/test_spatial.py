"""Kernels that slide a window: every corner of their geometry, and random ones, against the interpreter."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pytest

from tests.c.support import BUILDS, PARAMETERS, Case, check, random
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import AvgPool2d, Conv2d, DepthwiseConv2d, MaxPool2d
from tinyc.ir.types import DType, TensorType

Attributes = dict[str, object]


def spatial(
    cls: type[Op], attributes: Attributes, arrays: list[np.ndarray], constants: frozenset[int], number: int
) -> Case:
    def make(*operands: Value) -> Op:
        return cls(*operands, **attributes)

    return Case(f"{cls.__name__.lower()}_{number}", make, arrays, constants=constants)


def fits(cls: type[Op], attributes: Attributes, arrays: list[np.ndarray]) -> bool:
    try:
        values = [Value(f"v{k}", TensorType(a.shape, DType.of(a.dtype))) for k, a in enumerate(arrays)]
        return 0 not in cls(*values, **attributes).type.shape
    except IRError:
        return False


# strides, pads (top, left, bottom, right), dilations
GEOMETRIES: list[tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]] = [
    ((1, 1), (0, 0, 0, 0), (1, 1)),
    ((1, 1), (1, 1, 1, 1), (1, 1)),
    ((2, 2), (0, 0, 1, 1), (1, 1)),
    ((2, 2), (1, 1, 1, 1), (1, 1)),
    ((1, 2), (2, 1, 0, 2), (1, 1)),
    ((2, 1), (0, 2, 2, 0), (1, 1)),
    ((3, 3), (1, 0, 2, 2), (1, 1)),
    ((1, 1), (2, 2, 2, 2), (2, 2)),
    ((2, 1), (1, 3, 0, 1), (2, 3)),
    ((1, 1), (3, 3, 3, 3), (1, 1)),
]
SIZES = [(7, 6), (1, 1), (5, 1), (2, 3), (3, 2), (4, 9)]
LIMITS: list[Attributes] = [{}, {"min": 0.0}, {"min": 0.0, "max": 6.0}, {"max": 0.5}, {"min": -0.5, "max": -0.25}]


@cache
def conv_cases() -> list[Case]:
    rng = np.random.default_rng(1)
    cases: list[Case] = []
    kernels = [(1, 1), (3, 3), (2, 3), (1, 3), (3, 1), (5, 5)]
    channels = [(1, 8, 1), (3, 5, 1), (4, 4, 1), (8, 7, 1), (4, 6, 2), (6, 6, 3), (6, 6, 6), (2, 1, 1)]
    for k, (kernel, geometry, size) in enumerate(itertools.product(kernels, GEOMETRIES, SIZES)):
        inputs, outputs, groups = channels[k % len(channels)]
        strides, pads, dilations = geometry
        attributes: Attributes = {"strides": strides, "pads": pads, "dilations": dilations, "groups": groups}
        attributes |= LIMITS[k % len(LIMITS)]
        if k % 3 == 0:
            attributes["pad_value"] = -1.25
        arrays = [random(rng, (1, *size, inputs)), random(rng, (outputs, *kernel, inputs // groups))]
        if k % 4:
            arrays.append(random(rng, (outputs,)))
        if fits(Conv2d, attributes, arrays):
            constants = frozenset() if k % 5 == 0 else frozenset({1, 2})
            cases.append(spatial(Conv2d, attributes, arrays, constants, k))
    return cases


@cache
def depthwise_cases() -> list[Case]:
    rng = np.random.default_rng(2)
    cases: list[Case] = []
    kernels = [(3, 3), (3, 3), (1, 1), (2, 3), (1, 3), (3, 1), (5, 5)]
    channels = [(1, 1), (3, 1), (8, 1), (3, 2), (1, 4), (5, 1)]
    for k, (kernel, geometry, size) in enumerate(itertools.product(kernels, GEOMETRIES, SIZES)):
        inputs, multiplier = channels[k % len(channels)] if k >= 60 else (1 + k % 5, 1)
        strides, pads, dilations = geometry
        attributes: Attributes = {"strides": strides, "pads": pads, "dilations": dilations}
        attributes |= LIMITS[k % len(LIMITS)]
        if k % 3 == 0:
            attributes["pad_value"] = 0.75
        arrays = [random(rng, (1, *size, inputs)), random(rng, (*kernel, inputs * multiplier))]
        if k % 4:
            arrays.append(random(rng, (inputs * multiplier,)))
        if fits(DepthwiseConv2d, attributes, arrays):
            constants = frozenset() if k % 5 == 0 else frozenset({1, 2})
            cases.append(spatial(DepthwiseConv2d, attributes, arrays, constants, k))
    return cases


@cache
def pool_cases() -> list[Case]:
    rng = np.random.default_rng(3)
    cases: list[Case] = []
    kernels = [(2, 2), (3, 3), (1, 1), (2, 3), (1, 3), (3, 1), (7, 6)]
    for k, (kernel, geometry, size) in enumerate(itertools.product(kernels, GEOMETRIES, SIZES)):
        strides, pads, dilations = geometry
        attributes: Attributes = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        dtype = [DType.F32, DType.I8, DType.F32, DType.U8, DType.I32][k % 5]
        arrays = [random(rng, (1, *size, 1 + k % 4), dtype)]
        if fits(MaxPool2d, attributes, arrays):
            cases.append(spatial(MaxPool2d, attributes, arrays, frozenset(), k))
        arrays = [random(rng, (1, *size, 1 + k % 4))]
        attributes = attributes | {"count_pads": k % 2 == 1}
        if fits(AvgPool2d, attributes, arrays):
            cases.append(spatial(AvgPool2d, attributes, arrays, frozenset(), k))
    return cases


GROUPS = {"conv": conv_cases, "depthwise": depthwise_cases, "pool": pool_cases}


@pytest.mark.parametrize("build", PARAMETERS)
@pytest.mark.parametrize("group", GROUPS)
def test_corners(group: str, build: str) -> None:
    cases = GROUPS[group]()
    assert len(cases) > 100
    # gcc gets all cases; the slower builds a third each, and not the same one.
    turn = list(BUILDS).index(build)
    check(cases if turn == 0 else cases[turn % 3 :: 3], build)


@pytest.mark.parametrize("cls", [MaxPool2d, Conv2d, DepthwiseConv2d])
def test_nan_passes(cls: type[Op]) -> None:
    rng = np.random.default_rng(4)
    x = random(rng, (1, 4, 5, 2))
    x[0, 1, 2, 1] = math.nan
    weights = {MaxPool2d: [], Conv2d: [random(rng, (5, 3, 3, 2))], DepthwiseConv2d: [random(rng, (3, 3, 2))]}[cls]
    attributes: Attributes = {"kernel": (3, 3)} if cls is MaxPool2d else {"min": 0.0, "max": 6.0}
    check([spatial(cls, {**attributes, "pads": (1, 1, 1, 1)}, [x, *weights], frozenset({1}), 0)], "gcc")

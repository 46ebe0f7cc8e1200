"""Einsum and GridSample, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import build, check, example, save
from tinyc.compiler.frontend import FrontendError, load_onnx

SIZES = dict(zip("abcdehijklnqtw", (2, 3, 4, 2, 5, 3, 4, 3, 2, 5, 3, 4, 2, 3), strict=True))
OPERATORS = {
    "ij,jk->ik": ["dense"],
    "bhqd,bhkd->bhqk": ["matmul"],
    "bqhd,bkhd->bhqk": ["transpose", "matmul"],
    "ij,bjk->bik": ["dense", "reshape", "transpose"],
    "i,j->ij": ["reshape", "mul"],
    "ii->i": ["reshape", "slice"],
    "i,i->i": ["mul"],
}
"""What is made of some equations whose last operand, of several, is a constant."""


@pytest.mark.parametrize(
    "equation",
    [
        *OPERATORS,
        "ii",
        "iij,jk->ik",
        "ij->ji",
        "ij->",
        "a b , b c",
        "abc,cd,de->abe",
        "bij,bjk,bkl->bil",
        "i,i",
        "ij,ij->",
        "ijk,ijk->ij",
        "ijk,jil,kl->ij",
        "a,ab,abc->abc",
        "abi,abj->abij",
        "ba,b->a",
        "nct,ncw->ntw",
        "...ij,...jk->...ik",
        "b...i,ij->b...j",
        "...i->...",
        "ab...,b...->a...",
        "...ij,jk",
    ],
)
def test_einsum(tmp_path: Path, equation: str) -> None:
    words = equation.replace(" ", "").split("->")[0].split(",")
    arrays = {}
    for k, word in enumerate(words):
        before, dots, after = word.partition("...")
        shape = [SIZES[c] for c in before] + ([3 - 2 * (k % 2), 2] if dots else []) + [SIZES[c] for c in after]
        arrays[f"x{k}"] = example(shape, seed=k)
    node = helper.make_node("Einsum", list(arrays), ["y"], equation=equation)
    check(tmp_path, [node], arrays)
    if len(words) > 1:
        *inputs, last = arrays
        imported = check(tmp_path, [node], {n: arrays[n] for n in inputs}, {last: arrays[last]})
        found = [n.op.mnemonic for n in imported.module.nodes if n.op.operands]
        assert found == OPERATORS.get(equation, found)


@pytest.mark.parametrize(
    ("equation", "part"),
    [
        ("ij,jk->il", "dimensions l that no operand has"),
        ("ij->ij", "does not name the dimensions of 2 operand"),
        ("ijk,jk->ik", "does not name the dimensions of"),
        ("ij,ik->jk", 'dimension "i" is 2 in one operand and 3 in another'),
        ("ij,jk->ikk", "a dimension twice"),
        ("i1,jk->ik", "does not name"),
    ],
)
def test_equations_are_refused(tmp_path: Path, equation: str, part: str) -> None:
    model = build(
        [helper.make_node("Einsum", ["a", "b"], ["y"], equation=equation)], {"a": example((2, 3)), "b": example((3, 3))}
    )
    with pytest.raises(FrontendError, match=part):
        load_onnx(save(model, tmp_path))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(tmp_path: Path, mode: str, padding: str) -> None:
    grid = np.random.default_rng(5).uniform(-1.6, 1.6, (2, 3, 4, 2)).astype(np.float32)
    x = example((2, 3, 5, 6))
    for align in (0, 1):
        flags = {"mode": mode, "padding_mode": padding, "align_corners": align}
        node = helper.make_node("GridSample", ["x", "g"], ["y"], **flags)
        check(tmp_path, [node], {"x": x, "g": grid}, opset=16, tolerance=1e-5)  # products of four weights, rounded
        check(tmp_path, [node], {"x": x}, {"g": grid}, opset=16, tolerance=1e-5)


def test_a_grid_of_other_places_is_refused(tmp_path: Path) -> None:
    model = build(
        [helper.make_node("GridSample", ["x", "g"], ["y"])], {"x": example((1, 1, 2, 2)), "g": example((1, 2, 2, 3))}
    )
    with pytest.raises(FrontendError, match="does not name places"):
        load_onnx(save(model, tmp_path))

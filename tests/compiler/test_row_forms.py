"""Resizing, padding by what is there and transposed convolutions, from ONNX to C: row by row, of images and signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import tinyc
from benchmarks.networks import Graph
from tinyc.ir.rows import Space

Adds = Callable[[Graph], tuple[int, ...]]
"""Adds to a graph what takes 4 channels of 9 rows and 6 columns, or of 14 samples; rows and columns that it gives."""


def resize(mode: str, coordinates: str, *sizes: int) -> Adds:
    def add(g: Graph) -> tuple[int, ...]:
        wanted = g.weight("sizes", np.array([1, 4, *sizes], np.int64))
        g.add("Resize", "more", "", "", wanted, mode=mode, coordinate_transformation_mode=coordinates)
        return sizes

    return add


def pad(mode: str, *pads: int) -> Adds:
    """Pads before each dimension, then behind each."""

    def add(g: Graph) -> tuple[int, ...]:
        rank = len(pads) // 2
        g.add("Pad", "more", g.weight("pads", np.array([0, 0, *pads[:rank], 0, 0, *pads[rank:]], np.int64)), mode=mode)
        sizes = (9, 6) if rank == 2 else (14,)
        return tuple(n + a + b for n, a, b in zip(sizes, pads[:rank], pads[rank:], strict=True))

    return add


def transposed(groups: int, kernel: tuple[int, ...], **how: list[int]) -> Adds:
    def add(g: Graph) -> tuple[int, ...]:
        rank = len(kernel)
        pads, grown = how.get("pads", [0] * 2 * rank), how.get("output_padding", [0] * rank)
        g.deconv("more", g.random(4, 4 // groups, *kernel), g.random_bias(4), group=groups, **how)
        sizes = (9, 6) if rank == 2 else (14,)
        ends = zip(sizes, kernel, how["strides"], pads[:rank], pads[rank:], grown, strict=True)
        return tuple((n - 1) * s + k - a - b + o for n, k, s, a, b, o in ends)

    return add


CASES: dict[str, Adds] = {
    "twice": resize("linear", "half_pixel", 18, 12),
    "odd": resize("linear", "align_corners", 15, 11),
    "smaller": resize("linear", "asymmetric", 7, 4),
    "cubic": resize("cubic", "half_pixel", 20, 12),
    "nearest": resize("nearest", "half_pixel", 13, 8),
    "samples": resize("linear", "half_pixel", 33),
    "reflect": pad("reflect", 2, 1, 3, 2),
    "edge": pad("edge", 2, 1, 3, 2),
    "reflected samples": pad("reflect", 5, 4),
    "deconvolution": transposed(1, (2, 2), strides=[2, 2]),
    "padded": transposed(2, (3, 4), strides=[2, 3], pads=[1, 1, 1, 2], output_padding=[1, 0]),
    "depthwise": transposed(4, (4, 3), strides=[2, 1], pads=[1, 1, 1, 1]),
    "strided samples": transposed(1, (5,), strides=[3], pads=[1, 2], output_padding=[1]),
}


def network(adds: Adds) -> onnx.ModelProto:
    """What is added, between two convolutions with windows of three."""
    probe = Graph("probe", (1, 3, 1, 1))
    sizes = adds(probe)
    inside = (9, 6) if len(sizes) == 2 else (14,)
    g = Graph("forms", (1, 3, *inside))
    g.conv("before", g.random(4, 3, *[3] * len(sizes)), g.random_bias(4), pads=[1] * 2 * len(sizes))
    adds(g)
    g.conv("behind", g.random(2, 4, *[3] * len(sizes)), g.random_bias(2), pads=[1] * 2 * len(sizes))
    return g.model((1, 2, *sizes))


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("name", CASES)
def test_it_advances_row_by_row(name: str, quantised: bool, tmp_path: Path) -> None:
    """All layers are one segment, so that no map is whole: verified on the interpreter and in C."""
    model = network(CASES[name])
    options = {}
    if quantised:
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        samples = tmp_path / "samples.npz"
        np.savez(samples, image=np.random.default_rng(0).random((8, *shape[1:])).astype(np.float32))
        options["quantise"] = tinyc.QuantiseOptions(samples)
    made = tinyc.compile(model, name="net", rows_from="callback", rows_to="callback", accept_accuracy=True, **options)
    assert all(v.passed for v in made.verdicts)
    arena = [b for b in made.program.buffers if b.space is Space.ARENA and b.view is None and b.rows > 1]
    assert arena
    assert all(b.ring for b in arena)


def test_what_has_its_end_first_is_needed_whole() -> None:
    made = tinyc.compile(network(pad("wrap", 2, 0, 2, 0)), name="net", rows_from="callback", rows_to="callback")
    assert all(v.passed for v in made.verdicts)
    assert any(s.op.mnemonic == "gather" and not s.windows for s in made.program.stages)

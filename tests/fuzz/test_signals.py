"""One-dimensional networks: random ones through the whole compiler, and that they go sample by sample."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import tinyc
from tests.c.support import need
from tests.fuzz.graphs import Case, Kind, check
from tests.fuzz.onnx_graphs import model_of
from tests.fuzz.onnx_grower import Grower, Tensor
from tests.fuzz.onnx_signals import conv, signal_model
from tests.fuzz.test_random_graphs import wrong
from tinyc.ir.errors import TinycError


def signal(kind: Kind, seed: int) -> Case:
    random = Random(f"signal {kind} {seed}")
    model = signal_model(random)
    (x,) = model.graph.input
    shape = [d.dim_value for d in x.type.tensor_type.shape.dim]
    rng = np.random.default_rng(seed)
    samples = {x.name: rng.standard_normal((6, *shape[1:])).astype(np.float32)} if kind == "int8" else {}
    options: dict[str, Any] = {
        "rows_from": random.choice(["arena", "argument", "callback", "callback"]),
        "input_layout": random.choice(["onnx", "onnx", "nlc"]),
    }
    if samples:
        ends = {f"{end}_type": random.choice(["float32", "auto"]) for end in ("input", "output")}
        options |= {"equalise": True, "correct_bias": True, **ends}
    return Case(kind, seed, model, options, samples)


@pytest.mark.parametrize(("kind", "first", "count"), [("float", 0, 12), ("float", 12, 12), ("int8", 0, 8)])
def test_random_signals_agree_with_onnxruntime(kind: Kind, first: int, count: int) -> None:
    need("gcc")
    outcomes = check([signal(kind, seed) for seed in range(first, first + count)])
    assert len(outcomes) == count
    assert not wrong(outcomes), "\n".join(o.wrong for o in outcomes if o.wrong)
    assert not any(o.refused for o in outcomes), [o.refused for o in outcomes]


def causal_network(length: int = 64, channels: int = 4) -> Any:
    """Three blocks of two dilated causal convolutions and a sum."""
    g = Grower(Random(1), batch=True)
    x: Tensor = g.input((1, channels, length))
    for dilation in (1, 2, 4):
        before = x
        for _ in range(2):
            weights = g.constant(g.array((channels, channels, 3), 0.3))
            reach = {"kernel_shape": [3], "dilations": [dilation], "pads": [2 * dilation, 0]}
            y = g.node("Conv", [x.name, weights], x.shape, **reach)
            x = g.node("Relu", [y.name], y.shape)
        x = g.node("Add", [before.name, x.name], x.shape)
    return model_of(g, [x])


@pytest.mark.parametrize("layout", ["onnx", "nlc"])
def test_a_causal_network_keeps_what_its_windows_reach(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(causal_network().SerializeToString())
    options: Any = {"input_layout": layout, "verify": False}
    found = tinyc.compile(path, rows_from="callback", **options)
    assert found.source.inputs[0].row_elements == 4
    assert max(b.ring for b in found.program.buffers) <= 9
    # Two rings of 2 d + 1 samples for each block, where a sum lies beside what the next convolution looks back at.
    sample = 4 * 4
    assert found.source.arena_bytes <= (2 * (3 + 5 + 9) + 4) * sample


def test_samples_come_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(causal_network().SerializeToString())
    header = tinyc.compile(path, rows_from="callback", verify=False).source.files["net.h"]
    assert "#define NET_INPUT_SAMPLES 64" in header
    assert "#define NET_INPUT_CHANNELS 4" in header
    assert "/* Writes row y, 4 elements, to `row`. */" in header


def test_what_has_one_row_is_refused_with_what_helps(tmp_path: Path) -> None:
    g = Grower(Random(0), batch=True)
    x = g.input((1, 1, 8))
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of(g, [g.node("Relu", [x.name], x.shape)]).SerializeToString())
    with pytest.raises(TinycError, match=r"for a signal that is 1xCxL choose the input layout nlc"):
        tinyc.compile(path, rows_from="callback", verify=False)
    assert tinyc.compile(path, rows_from="callback", input_layout="nlc").source.inputs[0].type.shape == (1, 8, 1)


def test_samples_first_in_the_model_stay_so(tmp_path: Path) -> None:
    """As converters from channels-last frameworks write it: a transpose, the convolution."""
    g = Grower(Random(0), batch=True)
    x = g.input((1, 12, 3))
    y = conv(g, g.node("Transpose", [x.name], (1, 3, 12), perm=[0, 2, 1]))
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of(g, [y]).SerializeToString())
    (port,) = tinyc.compile(path, rows_from="callback").source.inputs
    assert port.type.shape == (1, 12, 3)

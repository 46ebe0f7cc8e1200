"""The range seen at an input beside the one that batch norms expect: the note appears where it should."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import tinyc
from benchmarks.accuracy.input_range import CASES, Case, judged
from tinyc.compiler.data.expected import InputRange, input_ranges
from tinyc.ir.tensor import Array


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_the_note_appears_with_the_wrong_range_only(case: Case) -> None:
    """Six networks with batch norms: on what they were trained on there is none."""
    try:
        found = judged(case)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert found[case.trained].note == ""
    assert found[case.trained].evidence.startswith("batch norm")
    for scale in ("0..255", *case.told_apart):
        assert "not scaled as what the network was trained on" in found[scale].note, scale


def network(mean: float, deviation: float, seed: int, pads: int = 1) -> onnx.ModelProto:
    """A layer and a batch norm whose statistics are those that it has on pixels of such a mean and deviation."""
    rng = np.random.default_rng(seed)
    w = rng.normal(0, 0.5, (6, 3, 3, 3)).astype(np.float32)
    b = rng.normal(0, 0.2, 6).astype(np.float32)
    images = pictures(seed) * deviation + mean
    taken = [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 12, 12))]
    conv = helper.make_node("Conv", ["image", "w", "b"], ["c"], name="stem", pads=[pads] * 4)
    held = onnx.helper.make_graph([conv], "g", taken, [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)], [])
    held.initializer.extend(numpy_helper.from_array(a, n) for n, a in (("w", w), ("b", b)))
    opset = [helper.make_opsetid("", 17)]
    values = np.concatenate(
        [tinyc.load(helper.make_model(held, opset_imports=opset, ir_version=8))(i[np.newaxis])["c"] for i in images]
    )
    statistics = {
        "scale": np.ones(6),
        "bias": np.zeros(6),
        "mean": values.mean(axis=(0, 2, 3)),
        "variance": values.var(axis=(0, 2, 3)),
    }
    norm = helper.make_node("BatchNormalization", ["c", *statistics], ["y"], name="norm")
    shape = values.shape[1:]
    graph = helper.make_graph(
        [conv, norm], "g", taken, [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, *shape))], []
    )
    weights = {"w": w, "b": b, **statistics}
    graph.initializer.extend(numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items())
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def pictures(seed: int, count: int = 24) -> Array:
    """Smooth images of mean 0 and deviation 1, about."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, 3, 4, 4)) + rng.normal(size=(count, 1, 1, 1))
    fine = np.repeat(np.repeat(coarse, 3, axis=2), 3, axis=3)
    return ((fine - fine.mean()) / fine.std()).astype(np.float32)


def seen(model: onnx.ModelProto, images: Array) -> InputRange:
    (found,) = input_ranges(tinyc.load(model), [[i[np.newaxis].astype(np.float32)] for i in images], "data")
    return found


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2), st.floats(0.1, 10), st.integers(0, 1000), st.sampled_from([1 / 255, 0.25, 4.0, 255.0]))
def test_any_scale(middle: float, deviation: float, seed: int, factor: float) -> None:
    """What is given as it was trained fits, times a factor it does not; the range expected is the one trained on."""
    mean = middle * deviation
    model, images = network(mean, deviation, seed), pictures(seed) * deviation + mean
    right, wrong = seen(model, images), seen(model, images * factor)
    assert right.fits
    assert right.factor == pytest.approx(1.0, rel=0.02)
    assert not wrong.fits
    assert wrong.factor == pytest.approx(factor, rel=0.02)
    assert wrong.expected == pytest.approx((images.min(), images.max()), abs=0.2 * deviation)


def test_another_mean() -> None:
    """Deviations are as they were; only the middle is not."""
    model, images = network(0.0, 1.0, 3, pads=0), pictures(3)
    assert seen(model, images).fits
    found = seen(model, images + 3)
    assert not found.fits
    assert found.factor is not None
    assert found.factor < 1.6
    assert found.expected == pytest.approx((images.min(), images.max()), abs=0.5)


def test_few_inputs_are_not_judged_closely() -> None:
    model, images = network(0.0, 1.0, 4), pictures(4)
    assert not seen(model, images * 2).fits
    assert seen(model, images[:2] * 2).fits
    assert not seen(model, images[:2] * 255).fits


def dense(weights: Callable[[], Array]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3))],
        [numpy_helper.from_array(weights(), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_without_evidence_nothing_is_said() -> None:
    model = dense(lambda: np.full((4, 3), 1000, np.float32))
    found = seen(model, np.random.default_rng(0).normal(size=(20, 4)))
    assert (found.evidence, found.note, found.fits) == ("", "", True)
    assert seen(model, np.zeros((20, 4))).note == ""


def test_a_first_convolution_tells_pixels_that_were_not_divided() -> None:
    """What is left where batch norms were folded into the weights before."""
    model = network(0.0, 1.0, 5)
    graph = model.graph
    del graph.node[1:]
    graph.output[0].name = "c"
    images = np.clip(pictures(5) * 0.25 + 0.5, 0, 1)
    right, wrong = seen(model, images), seen(model, np.rint(images * 255))
    assert right.evidence == "the weights and biases of stem"
    assert right.note == ""
    assert "by the weights and biases of stem they are too large" in wrong.note


def test_the_compilation_tells() -> None:
    """In the notes, and in the report beside what fits."""
    model, images = network(0.5, 0.25, 6), pictures(6) * 0.25 + 0.5
    how = tinyc.QuantiseOptions([[i[np.newaxis].astype(np.float32)] for i in images * 255])
    held = [[i[np.newaxis].astype(np.float32)] for i in images]
    compiled = tinyc.compile(model, quantise=how, evaluate=held, verify=False)
    told = [note for note in compiled.notes if "not scaled as" in note]
    assert len(told) == 1
    assert told[0].startswith("calibration data: input 'image' was given values from")
    assert "batch norm norm expects about" in told[0]
    found = compiled.report["input_ranges"]
    assert [(r["data"], r["fits"]) for r in found] == [("calibration data", False), ("data held back", True)]
    assert found[0]["factor"] == pytest.approx(255, rel=0.05)

"""Quantised real models against onnxruntime, tensor by tensor where the two may round differently."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx
import pytest

from tests.batched import batched
from tests.frontend.support import run_imported
from tests.helpers import model as real_model
from tests.mnist import test_images
from tests.sessions import open_onnxruntime
from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import DType
from tinyc.ir.ops.quantise import Quantize
from tinyc.ir.tensor import Array

# Real models

COUNTS = [50, pytest.param(1000, marks=pytest.mark.slow)]


CHUNK = 50
"""Inferences that the interpreter makes at once."""


def chunks(inputs: Iterator[Array]) -> Iterator[Array]:
    """Inputs of one inference, so many joined along the first dimension."""
    while found := list(itertools.islice(inputs, CHUNK)):
        yield np.concatenate(found)


def spectrograms(count: int) -> Iterator[Array]:
    """Inputs for the keyword spotters, 49 x 40: sums of waves on a slope, which reach all ten classes."""
    rng = np.random.default_rng(0)
    t, f = np.meshgrid(np.linspace(0, 1, 49), np.linspace(0, 1, 40), indexing="ij")
    for _ in range(count):
        waves = [
            rng.normal(0, 2) * np.cos(2 * np.pi * (rng.uniform(0, 3) * t + rng.uniform(0, 3) * f) + rng.uniform(0, 7))
            for _ in range(3)
        ]
        image = sum(waves) + rng.uniform(-3, 4) + (f - 0.5) * rng.uniform(-6, 6)
        yield np.asarray(image, np.float32).reshape(1, 1960)


def digits(name: str, count: int) -> Iterator[Array]:
    """MNIST test images as the models take them: 28 x 28 in 0..255, or the middle as 5 x 5 in 0..1."""
    images, _ = test_images()
    for image in images[:count]:
        small = image[0, 4:24, 4:24].reshape(5, 4, 5, 4).mean((1, 3)).reshape(1, 25)
        yield np.asarray(small, np.float32) if "5x5" in name else np.asarray(image[None] * 255, np.float32)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", ["mnist5x5_mlp_factorio_dynq", "mnist_convinteger_dynq"])
def test_dynamically_quantised_models_are_exact(name: str, count: int) -> None:
    imported = load_onnx(real_model(f"{name}.onnx"))
    sessions = [open_onnxruntime(imported.model, optimise) for optimise in (False, True)]
    classes = set()
    for x in digits(name, count):
        feeds = {imported.inputs[0].name: x}
        (ours,) = run_imported(imported, feeds)
        for session in sessions:
            np.testing.assert_array_equal(ours, session.run(None, feeds)[0])
        classes.add(int(ours.argmax()))
    assert len(classes) >= 9


@pytest.mark.parametrize("count", COUNTS)
def test_operator_form_agrees_end_to_end(count: int) -> None:
    imported = load_onnx(real_model("micro_kws_m_qoperator_std.onnx"))
    session = open_onnxruntime(imported.model)
    many = batched(imported.module, CHUNK)
    classes = set()
    for xs in chunks(spectrograms(count)):
        (ours,) = run_module(many, [xs])
        theirs = np.concatenate([session.run(None, {imported.inputs[0].name: x[np.newaxis]})[0] for x in xs])
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)  # a float softmax of equal operands
        np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
        classes.update(ours.argmax(axis=1).tolist())
    assert len(classes) >= 7


@pytest.mark.parametrize("count", COUNTS)
def test_qdq_model_agrees_tensor_by_tensor(count: int) -> None:
    """Every quantised tensor is within one step of onnxruntime's, given onnxruntime's tensors before it.

    Where it is not the same, the real number stands between two steps: a mean of four values on their own scale does
    in a quarter of all cases. Such steps add up layer by layer, so that end to end the two may choose another class
    where two are about equally likely.
    """
    imported = load_onnx(real_model("micro_kws_m_qdq.onnx"))
    names = {v: n for n, v in imported.tensors.items() if v.dtype is DType.I8 and v in imported.module.producer}
    names = {v: n for v, n in names.items() if isinstance(imported.module.producer[v].op, Quantize)}
    assert len(names) == 16
    exposed = onnx.ModelProto()
    exposed.CopyFrom(imported.model)
    exposed.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names.values())
    session = open_onnxruntime(exposed)
    same: list[bool] = []
    equal = total = 0
    many = batched(imported.module, CHUNK)
    by_name = {v.name: n for v, n in names.items()}
    for xs in chunks(spectrograms(count)):
        runs = [
            session.run([*names.values(), imported.outputs[0].name], {imported.inputs[0].name: x[None]}) for x in xs
        ]
        *arrays, outputs = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        given = dict(zip(names.values(), arrays, strict=True))
        values = {many.inputs[0]: xs}
        for node in many.nodes:
            own = node.op.run([values[v] for v in node.op.operands])
            values[node.result] = own
            if node.result.name in by_name:
                theirs = values[node.result] = given[by_name[node.result.name]]
                apart = np.abs(own.astype(int) - theirs.astype(int))
                assert apart.max() <= 1, node.where
                equal, total = equal + int((apart == 0).sum()), total + apart.size
        (ours,) = run_module(many, [xs])
        same += (ours.argmax(axis=1) == outputs.argmax(axis=1)).tolist()
    assert equal / total > 0.999
    print(f"{np.mean(same):.4f}")
    assert np.mean(same) >= 0.99

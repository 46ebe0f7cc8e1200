"""Every pass, alone and one after another, on random modules over all operators, and on real models."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.generate import random_inputs, random_module
from tests.helpers import assert_close, assert_same, count, model, run
from tests.passes.checks import largest
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Module, verify
from tinyc.ir.ops import registry
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import tracing
from tinyc.passes.pipeline import tensor_passes
from tinyc.passes.tensor.channels_last import transposed

PASSES = [step for step in tensor_passes() if isinstance(step, Pass)]
DISTINCT = list({type(step): step for step in PASSES}.values())
# A module takes many draws.
MANY_DRAWS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=MANY_DRAWS)


def test_the_generator_reaches_every_operator() -> None:
    met = Counter(node.op.mnemonic for seed in range(150) for node in random_module(Random(seed)).nodes)
    assert set(registry()) <= set(met)


def test_the_generator_is_deterministic() -> None:
    assert random_module(Random(5)) == random_module(Random(5))


def step_through(steps: list[Pass], module: Module, inputs: list[Array]) -> Module:
    """Applies passes; each keeps the interface and the meaning, and changes nothing a second time."""
    before = run(module, inputs)
    for step in steps:
        after = step.run(module)
        verify(after)
        assert (after.inputs, after.outputs) == (module.inputs, module.outputs), step.name
        assert step.run(after) is after, f"{step.name} changes its own result"
        assert transposed(after)[0] <= transposed(module)[0] or step.name != "channels-last"
        computed = run(after, inputs)
        if step.slack is None:
            assert_same(before, computed)
        else:
            assert_close(before, computed, step.slack.relative, largest(module, inputs))
        module, before = after, computed
    return module


@RELAXED
@given(st.randoms(use_true_random=False))
def test_exact_passes_keep_every_bit(random: Random) -> None:
    module = random_module(random)
    inputs = random_inputs(random, module)
    for step in DISTINCT:
        if step.slack is None:
            step_through([step], module, inputs)


@RELAXED
@given(st.randoms(use_true_random=False))
def test_each_pass_keeps_the_meaning(random: Random) -> None:
    module = random_module(random, smooth=True)
    inputs = random_inputs(random, module, calm=True)
    for step in DISTINCT:
        step_through([step], module, inputs)


@RELAXED
@given(st.randoms(use_true_random=False))
def test_the_pipeline_keeps_the_meaning(random: Random) -> None:
    module = random_module(random, size=14, smooth=True)
    after = step_through(PASSES, module, random_inputs(random, module, calm=True))
    assert count(after)["batch_norm"] == 0


@RELAXED
@given(st.randoms(use_true_random=False))
def test_the_pipeline_stands_every_module(random: Random) -> None:
    """Steps and poles magnify rounding, so only types and ends are checked here."""
    module = random_module(random, size=16)
    for step in PASSES:
        module = step.run(module)
        verify(module)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_the_pipeline_on_more_modules(seed: int) -> None:
    random = Random(seed)
    module = random_module(random, size=20, smooth=True)
    step_through(PASSES, module, random_inputs(random, module, calm=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lenet5_relu_maxpool.onnx", {"reshape": 2, "conv2d": 2, "max_pool2d": 2, "dense": 3, "softmax": 1}),
        ("mnist_mlp_bn_onnx2c.onnx", {"dense": 3}),
        ("tinytaxinet_tf2onnx15.onnx", {"conv2d": 1, "reshape": 1, "dense": 3}),
        (
            "mlperf_vww96_mbv1_025_tflite2onnx.onnx",
            {
                "transpose": 1,
                "conv2d": 14,
                "depthwise_conv2d": 13,
                "avg_pool2d": 1,
                "reshape": 1,
                "dense": 1,
                "softmax": 1,
            },
        ),
    ],
)
def test_real_models_come_out_small(name: str, expected: dict[str, int]) -> None:
    module = load_onnx(model(name)).module
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(v.shape).astype(v.dtype.numpy) for v in module.inputs]
    assert count(step_through(PASSES, module, inputs)) == expected


def test_passes_tell_what_they_did() -> None:
    said: list[str] = []
    module = load_onnx(model("lenet5_relu_maxpool.onnx")).module
    with tracing(said.append):
        for step in PASSES:
            module = step.run(module)
    assert any("bytes were transposed, 0 are" in line for line in said)
    assert len(said) == len(set(said))

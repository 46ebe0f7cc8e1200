"""The accuracy benchmark: its networks, its tools, its tables."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import rivals
from benchmarks.accuracy.answers import decibels, logits, without_softmax
from benchmarks.accuracy.ours import of_tinyc
from benchmarks.accuracy.rivals import of_esp_ppq, of_onnxruntime
from benchmarks.accuracy.table import Case, row
from benchmarks.accuracy.trained import (
    FIRES,
    STEM,
    V2_BLOCKS,
    V2_LAST,
    V2_STEM,
    Weights,
    firenet,
    mobilenet_v2_small,
    trained_weights,
    unlike_scales,
)
from benchmarks.networks.mobilenet import mobilenet_v1

IMAGES = np.random.default_rng(0).random((12, 1, 28, 28), np.float32)


def fire_weights() -> Weights:
    """Seeded, in the shapes that are trained."""
    rng = np.random.default_rng(0)
    shapes = {"stem": (STEM, 1, 3)}
    inputs = STEM
    for number, (squeeze, expand) in enumerate(FIRES):
        shapes |= {f"fire{number}_squeeze": (squeeze, inputs, 1), f"fire{number}_left": (expand, squeeze, 1)}
        shapes[f"fire{number}_right"] = (expand, squeeze, 3)
        inputs = 2 * expand
    shapes["head"] = (10, inputs, 1)
    found = {}
    for name, (outputs, channels, size) in shapes.items():
        kernel = rng.normal(0, np.sqrt(2 / (channels * size**2)), (outputs, channels, size, size))
        found |= {f"{name}.weight": kernel.astype(np.float32), f"{name}.bias": np.zeros(outputs, np.float32)}
    return found


def v2_weights() -> Weights:
    """Seeded, in the shapes that are trained; small enough that no channel reaches 6."""
    rng = np.random.default_rng(1)
    found: dict[str, np.ndarray] = {}

    def layer(name: str, outputs: int, inputs: int, size: int) -> None:
        kernel = rng.normal(0, 0.2 / size, (outputs, inputs, size, size))
        found[f"{name}.0.weight"] = kernel.astype(np.float32)
        one, zero = np.ones(outputs, np.float32), np.zeros(outputs, np.float32)
        found.update({f"{name}.1.weight": one, f"{name}.1.bias": zero})
        found.update({f"{name}.1.running_mean": zero, f"{name}.1.running_var": one})

    layer("stem", V2_STEM, 1, 3)
    inputs = V2_STEM
    for number, (expansion, outputs, _) in enumerate(V2_BLOCKS):
        if expansion > 1:
            layer(f"expand{number}", inputs * expansion, inputs, 1)
        layer(f"dw{number}", inputs * expansion, 1, 3)
        layer(f"project{number}", outputs, inputs * expansion, 1)
        inputs = outputs
    layer("last", V2_LAST, inputs, 1)
    found["head.weight"] = rng.normal(0, 0.3, (10, V2_LAST)).astype(np.float32)
    found["head.bias"] = np.zeros(10, np.float32)
    return found


def test_scaled_channels_change_nothing_below_the_limit() -> None:
    weights = v2_weights()
    scales = unlike_scales(weights)
    assert {name.rstrip("0123456789") for name in scales} == {"expand", "dw"}
    together = np.concatenate(list(scales.values()))
    assert together.min() >= 1
    assert 50 < together.max() <= 100
    plain, scaled = (logits(mobilenet_v2_small(weights, s), IMAGES) for s in (None, scales))
    assert np.abs(plain).max() > 1e-6
    np.testing.assert_allclose(scaled, plain, rtol=1e-3, atol=1e-5 * np.abs(plain).max())


def test_every_tool_comes_near_the_float_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = firenet(fire_weights())
    exact = logits(model, IMAGES)
    for found in (of_tinyc(model, IMAGES, IMAGES), of_onnxruntime(model, IMAGES, IMAGES, exact)):
        assert decibels(exact, found.logits) > 20
    monkeypatch.delenv(rivals.PYTHON, raising=False)
    assert of_esp_ppq(model, IMAGES, IMAGES, exact) is None
    case = Case("net", model, IMAGES, exact.argmax(1).astype(np.uint8))
    cells = row(case, IMAGES[:2], exact, ["tinyc", "esp-ppq"]).split("|")
    assert [c.strip() for c in cells[1:4]] == ["net", "2", "100.00%"]
    assert cells[5].strip() == "left out"


def test_logits_are_what_a_softmax_takes() -> None:
    model = mobilenet_v1(0.25, 32, classes=5)
    image = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    taken = logits(without_softmax(model), image)
    powers = np.exp(taken - taken.max())
    np.testing.assert_allclose(powers / powers.sum(), logits(model, image), rtol=1e-4)


def test_missing_weights_say_how_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCURACY_MODELS", "nowhere")
    with pytest.raises(FileNotFoundError, match=r"benchmarks\.accuracy\.train"):
        trained_weights("firenet")

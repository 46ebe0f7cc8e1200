"""What weights of 4 bits do to a network's outputs: the noise that calibration data shows, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.ir.module import Builder, Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Softmax
from tinyc.ir.ops.layer import LinearLayer
from tinyc.passes.quantise.calibrate import Progress, Run, Samples
from tinyc.passes.quantise.four_bits import integers_of, scales_of
from tinyc.passes.quantise.moments import Moments
from tinyc.passes.quantise.report import noise_ratio, powers

SAMPLES = 8
"""Of the calibration data, as many are run at most, for each layer."""


def noises(
    module: Module,
    moments: Mapping[Value, Moments],
    samples: Samples,
    run: Run,
    progress: Progress | None = None,
) -> dict[Value, float]:
    """Noise over signal at the outputs, before a softmax, with one layer's weights in 4 bits and all else in float.

    Args:
        module: a float module.
        moments: of the layers' inputs, by their results.
        samples: calibration inputs.
        run: the interpreter.
        progress: told after each layer.
    """
    taken = samples[:: -(-len(samples) // SAMPLES)]
    seen = [before_softmax(module, v) for v in module.outputs]
    shown = Module(module.name, module.inputs, module.nodes, tuple(dict.fromkeys(seen)))
    exact = [run(shown, sample) for sample in taken]
    found: dict[Value, float] = {}
    for number, (value, known) in enumerate(moments.items()):
        changed = with_four_bits(shown, value, known)
        found[value] = sum(
            noise_ratio(*powers(a, b))
            for sample, whole in zip(taken, exact, strict=True)
            for a, b in zip(whole, run(changed, sample), strict=True)
        ) / len(taken)
        if progress is not None:
            progress("measure what weights of 4 bits do", number + 1, len(moments))
    return found


def before_softmax(module: Module, value: Value) -> Value:
    """What a softmax takes, whose results say little of it where they are near 0 and 1; other values as they are."""
    softmax = made(module.producer.get(value), Softmax)
    return softmax.op.x if softmax is not None else value


def with_four_bits(module: Module, result: Value, moments: Moments) -> Module:
    """The module with the weights of one layer as 4 bits have them, and the mean error taken out of its bias."""
    layer = made(module.producer[result], LinearLayer)
    assert layer is not None
    op = layer.op
    weights, bias = module.constant(op.w), module.constant(op.b)
    assert weights is not None
    rows = op.by_output(weights).astype(np.float64)
    scales = scales_of(moments, rows)
    given = integers_of(moments, rows, scales) * scales[:, None]
    builder, b = Builder.within(module), None
    w = builder.constant(op.from_output(given).astype(np.float32), f"{op.w.name}_4_bits")
    if bias is not None:
        b = builder.constant((bias + moments.mean(rows - given)).astype(np.float32), f"{result.name}_bias")
    changed = op.with_weights(w, b)
    kept = [Node(n.result, changed, n.loc) if n.result == result else n for n in module.nodes]
    return Module(module.name, module.inputs, (*builder.nodes, *kept), module.outputs)

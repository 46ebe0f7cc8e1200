"""Post-training quantisation held against the float model: constants, bias correction, equalisation, noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.correction import check_correction
from tinyc.compiler.witness.equalisation import check_equalisation
from tinyc.compiler.witness.floats import check_biases, check_floats, check_narrowed
from tinyc.compiler.witness.masks import check_masks
from tinyc.compiler.witness.noise import clipped_inputs, judge, measure_noise
from tinyc.compiler.witness.weights import check_adaptive, check_four_bits
from tinyc.ir.module import Module
from tinyc.ir.tensor import Array
from tinyc.passes.quantise import QuantisedModule
from tinyc.passes.quantise.logits import finite_masks

EQUALISED = ROUNDED = 8
"""Samples that the module is run on before and after equalisation, and that rounded weights are judged by."""


class AccuracyError(VerificationError):
    """What int8 gives is worse than its step sizes explain, or than calibration showed, though it is computed as
    defined."""


@dataclass(frozen=True)
class Quantisation:
    """What was held against the float model.

    Attributes:
        layers: with weights and biases that are those of the float model, rounded.
        mean_error: the largest mean error of a channel that bias correction left, in steps; None where none was made.
        noise: dB by which the noise of the worst layer is above what its step sizes predict.
        accepted: what is worse than it should be and was accepted.
    """

    layers: int
    mean_error: float | None
    noise: float
    accepted: tuple[str, ...] = ()


def check_quantisation(
    module: Module,
    made: QuantisedModule,
    calibration: Sequence[Sequence[Array]],
    samples: Sequence[Sequence[Array]],
    accept_accuracy: bool,
    say: Callable[[str], None],
) -> Quantisation:
    """Holds a quantised module against the float module.

    Args:
        module: before equalisation.
        made: what quantisation made of it.
        calibration: the data that it saw.
        samples: inputs to verify with, the calibration data's or others.
        accept_accuracy: whether accuracy below what is expected is noted instead of raised.
        say: told what is being done.

    Raises:
        PassVerificationError: equalisation changed what the module computes.
        AccuracyError: a layer's noise, or the part that it cuts off, is beyond what is explained.
        VerificationError: a constant is not what it stands for, or a step does not do what it is for.
    """
    say("check the constants of the quantised layers")
    nearest = made.rounding == "nearest"
    layers = check_floats(made.float_module, made.uncorrected, made.four_bits, nearest)
    if made.four_bits:
        check_four_bits(made.float_module, made.uncorrected, made.four_bits, calibration, bool(made.biases))
    if not nearest:
        check_adaptive(made.float_module, made.uncorrected, calibration[:ROUNDED])
    finite = finite_masks(module)
    check_masks(module, finite, calibration[:EQUALISED])
    say("check equalisation")
    check_equalisation(finite, made.float_module, calibration[:EQUALISED])
    say("check bias correction")
    check_biases(made.float_module, made.corrected, made.biases)
    left = check_correction(made.float_module, made.uncorrected, made.corrected, calibration)
    check_narrowed(made.float_module, made.corrected, made.module)
    noise = measure_noise(made.float_module, made.module, samples, say)
    calibrated = clipped_inputs(made.module, calibration) | {layer.value: layer.clipped for layer in made.layers}
    worse = judge(noise, calibrated)
    if worse and not accept_accuracy:
        raise AccuracyError(worse[0] + (f"; {len(worse) - 1} more like this" if len(worse) > 1 else ""))
    return Quantisation(layers, left, max((layer.beyond for layer in noise), default=0.0), tuple(worse))

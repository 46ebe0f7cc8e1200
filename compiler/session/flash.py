"""Weights of 4 bits in as many layers as it takes for code and constants to fit a budget of flash.

The layers are those that save enough with the least noise at the outputs, as far as the noise of several is the sum of
each one's. How much a layer saves is known before, what the whole takes only from its C: that is made, unverified,
until it fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tinyc.backends.interpreter import run_module
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering.fit import FitError, Sizes
from tinyc.ir.op import Value
from tinyc.passes.quantise import QuantisedModule
from tinyc.passes.quantise.four_bits import PLACES, candidates
from tinyc.passes.quantise.moments import measure_moments
from tinyc.passes.quantise.sensitivity import noises
from tinyc.passes.quantise.units import find_units

UNITS = 2000
"""Into how many parts the bytes to be saved are cut when layers are chosen."""

Made = Callable[[tuple[str, ...]], QuantisedModule]
"""Quantises with weights of 4 bits in the layers with results of these names, besides those that the options name."""
Measured = Callable[[QuantisedModule], Sizes]
"""What the C of it takes."""


def within_flash(
    budget: int,
    keep_float: tuple[str, ...],
    calibration: Calibration,
    make: Made,
    measured: Measured,
    say: Callable[[str], None],
) -> QuantisedModule:
    """The quantised module whose C fits, with weights of 4 bits where they do the least harm.

    Args:
        budget: bytes for code and constants.
        keep_float: names of ONNX nodes that stay float.
        calibration: the data that shows how much harm they do.
        make: quantises.
        measured: lowers what was made, and tells what its C takes.
        say: told what is being done.

    Raises:
        FitError: it does not fit with weights of 4 bits wherever there can be; the message says what is the least.
    """
    say("measure flash")
    made = make(())
    takes = _flash(measured(made))
    if takes <= budget:
        return made
    able, wanted = _savings(made, keep_float), takes - budget
    enough = sum(able.values()) >= wanted
    harm = _harm(made, able, calibration, say) if enough else dict.fromkeys(able, 0.0)
    while True:
        chosen = least_harm(able, harm, wanted)
        say(f"quantise with weights of 4 bits in {len(chosen)} layers")
        made = make(tuple(v.name for v in chosen)) if chosen else made
        now = _flash(measured(made)) if chosen else takes
        if now <= budget:
            return made
        if len(chosen) == len(able):
            raise FitError(
                f"`flash` is {budget:,} bytes, and with weights of 4 bits wherever there can be, code (about) and "
                f"constants take {now:,}: give it that many, or take a smaller network"
            )
        wanted += now - budget  # code is never quite the same


def _flash(sizes: Sizes) -> int:
    return sizes.weights + sizes.code


def _savings(made: QuantisedModule, keep_float: tuple[str, ...]) -> Mapping[Value, int]:
    """The layers that still have weights of 8 bits, and what each would save."""
    module = made.float_module
    able = candidates(module, find_units(module, keep_float))
    return {v: saved for v, saved in able.items() if v.name not in made.four_bits}


def _harm(
    made: QuantisedModule, able: Mapping[Value, int], calibration: Calibration, say: Callable[[str], None]
) -> Mapping[Value, float]:
    """The noise that each layer's weights of 4 bits make at the outputs."""

    def progress(what: str, done: int, total: int) -> None:
        say(f"{what}: {done} of {total}")

    # Integers that were made for some samples tell of others what they do.
    samples = calibration.samples
    moments = measure_moments(made.float_module, samples[::2], run_module, progress, able, places=PLACES)
    return noises(made.float_module, moments, samples[1::2] or samples, run_module, progress)


def least_harm(able: Mapping[Value, int], harm: Mapping[Value, float], wanted: int) -> list[Value]:
    """The layers that save so many bytes with the least harm together; all where these do not save as much."""
    unit = max(wanted // UNITS, 1)
    full = -(-wanted // unit)
    # By what is saved, in whole units: the least harm, and the layers that do it.
    best: list[tuple[float, tuple[Value, ...]]] = [(0.0, ()), *[(math.inf, ())] * full]
    for value, saved in able.items():
        for before in range(full - 1, -1, -1):
            reached = min(before + saved // unit, full)
            total = best[before][0] + harm[value]
            if reached > before and total < best[reached][0]:
                best[reached] = total, (*best[before][1], value)
    return list(best[full][1]) if math.isfinite(best[full][0]) else list(able)

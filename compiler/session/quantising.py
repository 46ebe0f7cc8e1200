"""The step of a session in which a module is quantised: as the options say, and within a budget of flash if they have
one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from tinyc.compiler.data import Calibration, Evidence
from tinyc.compiler.frontend import Imported
from tinyc.compiler.lowering import Pipeline, Quantised, checked_quantised, lower, quantise_module
from tinyc.compiler.lowering.fit import Sizes, sizes
from tinyc.compiler.lowering.quantised import quantise
from tinyc.compiler.options import Options
from tinyc.compiler.session.code import generate_code
from tinyc.compiler.session.flash import within_flash
from tinyc.compiler.session.setup import Setup
from tinyc.ir.module import Module
from tinyc.passes.quantise import QuantisedModule, batch_norm_statistics


def quantised_module(
    imported: Imported,
    module: Module,
    options: Options,
    calibration: Calibration | None,
    evidence: Evidence,
    setup: Setup,
    say: Callable[[str], None],
) -> Quantised:
    """The module quantised, where the options say so.

    Args:
        imported: the model.
        module: what the tensor passes made of it.
        options: how.
        calibration: the data to learn from; None where nothing is quantised.
        evidence: what to verify on.
        setup: how C is made, whose size is measured.
        say: told what is being done.

    Raises:
        TinycError: a model that cannot be quantised as asked, or not within the budget.
        VerificationError: what was made does not stand for the float model, or is too inaccurate.
    """
    norms = batch_norm_statistics(imported.module)
    budget, how = options.flash_bytes, options.quantise
    if budget is None or how is None or calibration is None:
        return quantise_module(module, options, calibration, norms, evidence, say)

    def make(names: tuple[str, ...]) -> QuantisedModule:
        return quantise(module, how, calibration, norms, say, names)

    def measured(made: QuantisedModule) -> Sizes:
        """What its C takes, which is made without verification."""
        unverified = dataclasses.replace(options, verify=False, dump_ir=None, debug_passes=(), extra_passes=())
        pipeline = Pipeline(unverified, lambda _: None, setup.tuning)
        lowered = lower(Quantised(made.module, made), pipeline, unverified, evidence, lambda _: None)
        return sizes(lowered.program, generate_code(lowered, imported, setup))

    made = within_flash(budget, how.keep_float, calibration, make, measured, say)
    return checked_quantised(module, made, options, calibration, evidence, say)

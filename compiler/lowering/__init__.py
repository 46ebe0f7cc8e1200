"""From an imported module to a row program, and what is said of one: budgets, cores, kernels, fit, accuracy."""

from tinyc.compiler.lowering.notes import notes_of
from tinyc.compiler.lowering.pipeline import Pipeline, input_place, output_place
from tinyc.compiler.lowering.steps import (
    Lowered,
    Quantised,
    check_port_types,
    checked_quantised,
    integers_taken,
    lower,
    quantise_module,
    with_port_types,
)

__all__ = [
    "Lowered",
    "Pipeline",
    "Quantised",
    "check_port_types",
    "checked_quantised",
    "input_place",
    "integers_taken",
    "lower",
    "notes_of",
    "output_place",
    "quantise_module",
    "with_port_types",
]

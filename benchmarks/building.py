"""What the tables have in common: cases by name, compiling a network, holding its results against the interpreter."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from tinyc.backends.runners import SimulatorRunner
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation, api
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array

INFERENCES = 8
"""Random inputs for calibration: sizes and instructions hardly depend on their number."""
FLOAT_SLACK = 1e-6
"""What probabilities of float networks may differ by: a few units in the last place of 1, by the order of sums and by
the C libraries' exp."""
FORMS: Mapping[str, Mapping[str, Any]] = {
    "by layers": {"ram": 1 << 40},  # so much that no layer has to advance together with another one
    "default": {},
    "callback": {"rows_from": "callback"},
}
"""The options of the forms in which a network's schedules are compared."""
RANKS = {"nhwc": 4, "nlc": 3}
"""Layouts that have channels last, and the dimensions of what has them."""


def chosen_of(parser: argparse.ArgumentParser, names: Sequence[str], known: Collection[str]) -> list[str]:
    """The cases that a command is given, all where none is; ends the program where one is unknown."""
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(known)}")
    return list(names or known)


def noise(model: onnx.ModelProto, inferences: int = INFERENCES) -> Calibration:
    """Seeded inputs in 0..1."""
    random = np.random.default_rng(0)
    weights = {w.name for w in model.graph.initializer}
    shapes = [
        (1, *(d.dim_value for d in v.type.tensor_type.shape.dim[1:]))
        for v in model.graph.input
        if v.name not in weights
    ]
    return Calibration([[random.random(shape, np.float32) for shape in shapes] for _ in range(inferences)])


def compiled(
    model: onnx.ModelProto,
    name: str,
    quantised: tuple[Any, Any] | None,
    calibration: Calibration | None = None,
    **options: Any,
) -> Compilation:
    """A network compiled.

    Args:
        model: the network.
        name: of the functions; a dot in it becomes an underscore.
        quantised: with these types of input and output, to int16 activations where the input is to be that, else to
            int8; not where it is None.
        calibration: inputs to quantise by, as the model has them; noise where there are none.
        **options: of `tinyc.Options`.
    """
    if quantised is not None:
        samples = (calibration or noise(model)).samples
        if (layout := options.get("input_layout")) in RANKS:
            samples = [[np.moveaxis(a, 1, -1) if a.ndim == RANKS[layout] else a for a in s] for s in samples]
        types: dict[str, Any] = {"input_type": quantised[0], "output_type": quantised[1]}
        if quantised[0] == "int16":
            types["activations"] = "int16"
        options["quantise"] = QuantiseOptions(samples, **types)
    return api.compile(model, name=name.replace(".", "_"), **options)


def channels_last(model: onnx.ModelProto) -> str:
    """The layout with channels last of a network's inputs: what rows from a callback have."""
    weights = {w.name for w in model.graph.initializer}
    ranks = {len(v.type.tensor_type.shape.dim) for v in model.graph.input if v.name not in weights}
    return next((layout for layout, rank in RANKS.items() if rank in ranks), "onnx")


class Differs(TinycError):
    """A machine gives other numbers than the interpreter."""


def held(made: Compilation, runner: SimulatorRunner, slack: float) -> list[Array]:
    """What the interpreter makes of a compilation's first sample, once a machine has computed the same.

    Raises:
        Differs: the results differ by more than `slack`.
        TinycError: the program fails.
    """
    sample = list(made.lowered.samples[0])
    found = runner.run([sample])[0]
    expected = api.execute(made, "interpreter", [sample])[0]
    for own, wanted in zip(found, expected, strict=True):
        if not np.allclose(own, wanted, rtol=0.0, atol=slack):
            worst = float(np.abs(own.astype(float) - wanted.astype(float)).max())
            raise Differs(
                f"{made.source.name}: {runner.machine.name} gives other numbers than the interpreter, by up to "
                f"{worst:g} where {slack:g} is allowed"
            )
    return expected

"""What recurrent layers of more and more steps take: time to compile, code, arena and instructions, in float, int8 and
int16.

    python -m benchmarks.recurrent                          rv32imc
    python -m benchmarks.recurrent --on xtensa-lx106 --steps 16 64

An LSTM and a GRU of 32 units over 16 inputs, with seeded weights; their last hidden state is the output. Compiled
without verification; seconds are those of the clock and depend on the machine. `noise` is that of the quantised
network's output beside the float network's on other inputs than it was calibrated on, in decibels: more is better.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

import tinyc
from benchmarks.accuracy.answers import decibels
from benchmarks.networks import Graph
from tinyc.ir.tensor import Array

INPUTS, HIDDEN = 16, 32
GATES = {"LSTM": 4, "GRU": 3}
SAMPLES, FRESH = 12, 8


@dataclass(frozen=True)
class Figures:
    """Of one network: seconds, bytes, instructions of one inference, decibels."""

    seconds: float
    code: int
    constants: int
    arena: int
    instructions: int
    noise: float | None


def network(kind: str, steps: int) -> onnx.ModelProto:
    """A recurrent layer, as PyTorch would initialise it; its last hidden state is the output."""
    g = Graph(f"{kind.lower()}_{steps}", (steps, 1, INPUTS))
    rows, bound = GATES[kind] * HIDDEN, HIDDEN**-0.5
    shapes = {"w": (1, rows, INPUTS), "r": (1, rows, HIDDEN), "b": (1, 2 * rows)}
    rng = np.random.default_rng(1)
    weights = [g.weight(n, rng.uniform(-bound, bound, s).astype(np.float32)) for n, s in shapes.items()]
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    g.add(kind, "states", *weights, hidden_size=HIDDEN, **more)
    g.reshape("sequence", steps, HIDDEN)
    g.add("Gather", "last", g.weight("place", np.array([steps - 1], np.int64)), axis=0)
    return g.model((1, HIDDEN))


def inputs(count: int, steps: int, seed: int) -> list[list[Array]]:
    """Sums of slow waves, as features of a signal are."""
    rng = np.random.default_rng(seed)
    at = np.arange(steps)[:, None, None]
    waves = [
        np.sin(at * rng.uniform(0.05, 0.6, (1, 1, INPUTS)) + rng.uniform(0, 6, (1, 1, INPUTS))) for _ in range(count)
    ]
    return [[(w + 0.2 * rng.standard_normal(w.shape)).astype(np.float32)] for w in waves]


def figures(kind: str, steps: int, dtype: str, machine: str) -> Figures:
    """Compiles and measures one network, in "float", or with activations of "int8" or "int16"."""
    samples = inputs(SAMPLES, steps, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(network(kind, steps), path)
        options: dict[str, Any] = {}
        if dtype != "float":
            how = tinyc.QuantiseOptions(samples, activations=cast("Any", dtype), output_type="float32")
            options = {"quantise": how}
        start = time.perf_counter()
        compiled = tinyc.compile(path, verify=False, **options)
        seconds = time.perf_counter() - start
        measured = tinyc.bench(path, on=machine, verify=False, **options)
        noise = None
        if options:
            fresh = inputs(FRESH, steps, 3)
            exact = tinyc.compile(path, verify=False)
            noise = decibels([only(exact(*s)) for s in fresh], [only(compiled(*s)) for s in fresh])
    return Figures(
        seconds,
        measured["code_bytes"],
        measured["constants_bytes"],
        measured["arena_bytes"],
        measured["instructions"],
        noise,
    )


def only(outputs: Mapping[str, Array]) -> Array:
    """The one output of a network."""
    (output,) = outputs.values()
    return output


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--on", default="rv32imc", help="simulated machine")
    parser.add_argument("--steps", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--kinds", nargs="+", choices=GATES, default=list(GATES))
    given = parser.parse_args()
    table = Table("layer", "steps", "type", "seconds", "code", "constants", "arena", "instructions", "noise")
    for kind in given.kinds:
        for steps in given.steps:
            for dtype in ("float", "int8", "int16"):
                row = [kind, str(steps), dtype]
                try:
                    f = figures(kind, steps, dtype, given.on)
                except tinyc.TinycError as error:
                    table.add_row(*row, str(error)[:60])
                    continue
                counts = (f"{n:,}" for n in (f.code, f.constants, f.arena, f.instructions))
                noise = "" if f.noise is None else f"{f.noise:.1f} dB"
                table.add_row(*row, f"{f.seconds:.1f}", *counts, noise)
    Console().print(table)


if __name__ == "__main__":
    main()

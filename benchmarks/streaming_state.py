"""What a call of a network takes that keeps its state, beside computing the whole window again.

    python -m benchmarks.streaming_state                       rv32imc, int8 and float
    python -m benchmarks.streaming_state --on esp32s3 --networks causal_tcn

Instructions are counted on a simulated machine: of the window, with its input in the arena, and of all calls that the
window is, by their number. The arena is what has to be kept; the window's holds its input, too. Compiled without
verification, which tests do for smaller windows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

import tinyc
from benchmarks.networks import causal_tcn, gru_keywords
from tinyc.backends.runners import MACHINES
from tinyc.compiler.session.measure import measure_on

CASES: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[int, ...], tuple[int, ...]]] = {
    "causal_tcn": (causal_tcn, (1, 8, 512), (1, 16)),
    "gru_keywords": (gru_keywords, (1, 98, 40), (2,)),
}
"""Each network, the shape of its input, and how many samples or frames a call brings."""
SAMPLES = 8


@dataclass(frozen=True)
class Figures:
    """Bytes of arena, and instructions of the window or of a call."""

    arena: int
    instructions: int


def figures(name: str, integers: bool, machine: str, hop: int | None) -> Figures:
    """Of the window where there is no hop, else of a call."""
    make, shape, _ = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples.npz"
        rng = np.random.default_rng(1)
        np.savez(samples, image=rng.normal(size=(SAMPLES, *shape[1:])).astype(np.float32))
        quantise = tinyc.QuantiseOptions(samples) if integers else None
        compiled = tinyc.compile(make(), name=name, hop=hop, quantise=quantise, verify=False)
    measured = measure_on(compiled, MACHINES[machine])
    return Figures(measured["arena_bytes"], measured["instructions"] // max(compiled.source.calls, 1))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--on", default="rv32imc", choices=MACHINES, help="simulated machine")
    parser.add_argument("--networks", nargs="+", default=list(CASES), choices=CASES, metavar="NAME", help="which")
    parser.add_argument("--types", nargs="+", default=["int8", "float"], choices=["int8", "float"])
    chosen = parser.parse_args()
    table = Table("network", "type", "a call brings", "arena", "instructions a call", "of the window")
    for name in chosen.networks:
        for kind in chosen.types:
            whole = figures(name, kind == "int8", chosen.on, None)
            table.add_row(name, kind, "the window", f"{whole.arena:,}", f"{whole.instructions:,}", "100 %")
            for hop in CASES[name][2]:
                found = figures(name, kind == "int8", chosen.on, hop)
                part = f"{100 * found.instructions / whole.instructions:.3g} %"
                table.add_row(name, kind, str(hop), f"{found.arena:,}", f"{found.instructions:,}", part)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

"""The command: what it is asked, and what it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import esp_nn, sheets
from benchmarks.building import chosen_of
from benchmarks.espressif import tables
from benchmarks.espressif.layers import LAYERS
from benchmarks.espressif.measure import Row, measure
from tinyc.backends.runners import MACHINES, MissingTool
from tinyc.ir.errors import TinycError

FLAGS = "-O2"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.espressif", description="Layers by ESP-NN and by tinyc.")
    parser.add_argument("layers", nargs="*", metavar="LAYER", help=f"of {', '.join(LAYERS)}; all by default")
    parser.add_argument("--on", choices=list(esp_nn.FORMS), help="one machine; both by default")
    parser.add_argument("--flags", default=FLAGS, help=f"options of the C compiler; {FLAGS}")
    esp_nn.add_argument(parser)
    parser.add_argument("--markdown", action="store_true", help="print the tables as the documentation has them")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    return parser


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _library(folder: str) -> None:
    """Says what of ESP-NN is there."""
    if not folder:
        _note(f"without esp-nn: --esp-nn FOLDER, or {esp_nn.VARIABLE}, says where it is")
    elif (version := esp_nn.version_of(Path(folder))) != esp_nn.KNOWN:
        _note(
            f"ESP-NN {version or 'of an unknown version'}: where it wants more scratch memory than {esp_nn.KNOWN}, its "
            "ANSI C is counted"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit status, see above."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    names = chosen_of(parser, chosen.layers, LAYERS)
    _library(chosen.esp_nn)
    rows: list[Row] = []
    missing = not chosen.esp_nn
    for machine in [chosen.on] if chosen.on else esp_nn.FORMS:
        try:
            for row in measure(names, MACHINES[machine], chosen.flags, chosen.esp_nn):
                _note(f"{row.layer} on {machine} by {row.by}: {row.instructions or row.because}")
                rows.append(row)
        except MissingTool as error:
            _note(f"{machine} is not counted: {error}")
            missing = True
        except TinycError as error:
            _note(f"error: {error}")
            return 2
    if chosen.json:
        print(json.dumps([row.document() for row in rows], indent=2))
    else:
        sheets.show(tables.side_by_side(rows), chosen.markdown)
    for line in tables.notes(rows):
        _note(line)
    if missing or any(row.wrong for row in rows):
        return 2
    return 1 if any(row.missed for row in rows) else 0

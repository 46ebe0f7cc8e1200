"""The command: what it is asked, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from benchmarks.building import chosen_of
from benchmarks.instructions import tables
from benchmarks.instructions.cases import CASES
from benchmarks.instructions.measure import FLAGS, Asked, measure, sweep
from benchmarks.instructions.peers import ESP_NN_VARIABLE, ONNX2C_VARIABLE
from tinyc.backends.runners import MACHINES, MissingTool
from tinyc.ir.errors import TinycError


def _arguments(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, Asked, list[str]]:
    parser = argparse.ArgumentParser("python -m benchmarks.instructions", description="Instructions of networks.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--on", choices=MACHINES, metavar="MACHINE", default="", help="another machine than the case's")
    parser.add_argument("--flags", action="append", help="options of the C compiler; may be repeated; -O2 and -Os")
    parser.add_argument(
        "--with",
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value of an option of tinyc.Options, such as input_layout=nhwc",
    )
    esp_nn, onnx2c = os.environ.get(ESP_NN_VARIABLE, ""), os.environ.get(ONNX2C_VARIABLE, "")
    parser.add_argument("--esp-nn", default=esp_nn, metavar="FOLDER", help=f"ESP-NN's sources ({ESP_NN_VARIABLE})")
    parser.add_argument("--onnx2c", default=onnx2c, metavar="PROGRAM", help=f"the program ({ONNX2C_VARIABLE})")
    parser.add_argument("--layers", action="store_true", help="print a table of each case's layers, too")
    parser.add_argument("--sweep", action="store_true", help="count MobileNetV1 by width and resolution instead")
    parser.add_argument("--markdown", action="store_true", help="print the tables as the documentation has them")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    chosen = parser.parse_args(arguments)
    options = dict(text.partition("=")[::2] for text in chosen.options)
    asked = Asked(tuple(chosen.flags or FLAGS), chosen.on, options, chosen.esp_nn, chosen.onnx2c)
    return chosen, asked, chosen_of(parser, chosen.cases, CASES)


def _missing_peers(names: Sequence[str], asked: Asked) -> None:
    """Says which C of others is not counted, and how it would be."""
    wanted = {CASES[name].peer for name in names}
    for peer, given, option, variable in (
        ("esp-nn", asked.esp_nn, "--esp-nn FOLDER", ESP_NN_VARIABLE),
        ("onnx2c", asked.onnx2c, "--onnx2c PROGRAM", ONNX2C_VARIABLE),
    ):
        if peer in wanted and not given:
            print(f"without {peer}: {option}, or {variable}, says where it is", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit status, see above."""
    chosen, asked, names = _arguments(arguments)
    try:
        if chosen.sweep:
            found = []
            for width, resolution, row in sweep(asked):
                print(f"{row.case}: {row.instructions:,}", file=sys.stderr)
                found.append((width, resolution, row))
            rows = [row for _, _, row in found]
            printed = tables.sweep([(w, r, row.per_mac) for w, r, row in found])
        else:
            _missing_peers(names, asked)
            rows = []
            for name in names:
                print(f"counting {name}", file=sys.stderr)
                rows += measure(name, CASES[name], asked)
            printed = tables.cases(rows, chosen.layers)
    except (MissingTool, TinycError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if chosen.json:
        print(json.dumps([row.document() for row in rows], indent=2))
    else:
        tables.show(printed, chosen.markdown)
    return 1 if any(row.missed() for row in rows) else 0

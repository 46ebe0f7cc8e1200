"""The command: what it is asked, and what it prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache

from benchmarks import esp_nn, sheets
from benchmarks.building import chosen_of
from benchmarks.instructions import onnx2c, tables
from benchmarks.instructions.cases import CASES, cases_of
from benchmarks.instructions.measure import FLAGS, Asked, measure, skipped, sweep
from benchmarks.instructions.row import Row
from tinyc.backends.runners import MACHINES, MissingTool
from tinyc.backends.runners.tools import tools_for
from tinyc.ir.errors import TinycError


def _arguments(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, Asked, list[str]]:
    parser = argparse.ArgumentParser("python -m benchmarks.instructions", description="Instructions of networks.")
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default, or the machine's"
    )
    parser.add_argument(
        "--on",
        choices=MACHINES,
        metavar="MACHINE",
        default="",
        help="a machine; the case's own by default",
    )
    parser.add_argument("--flags", action="append", help="options of the C compiler; may be repeated; -O2 and -Os")
    parser.add_argument(
        "--with",
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value of an option of tinyc.Options, such as input_layout=nhwc",
    )
    esp_nn.add_argument(parser)
    program = os.environ.get(onnx2c.VARIABLE, "")
    parser.add_argument("--onnx2c", default=program, metavar="PROGRAM", help=f"the program ({onnx2c.VARIABLE})")
    parser.add_argument("--layers", action="store_true", help="print a table of each case's layers, too")
    parser.add_argument("--sweep", action="store_true", help="count MobileNetV1 by width and resolution instead")
    parser.add_argument("--markdown", action="store_true", help="print the tables as the documentation has them")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    chosen = parser.parse_args(arguments)
    options = dict(text.partition("=")[::2] for text in chosen.options)
    asked = Asked(tuple(chosen.flags or FLAGS), chosen.on, options, chosen.esp_nn, chosen.onnx2c)
    return chosen, asked, chosen_of(parser, chosen.cases, CASES) if chosen.cases else cases_of(chosen.on)


def _missing_peers(names: Sequence[str], asked: Asked) -> None:
    """Says which C of others is not counted, and how it would be."""
    wanted = {CASES[name].peer for name in names}
    for peer, given, option, variable in (
        ("esp-nn", asked.esp_nn, "--esp-nn FOLDER", esp_nn.VARIABLE),
        ("onnx2c", asked.onnx2c, "--onnx2c PROGRAM", onnx2c.VARIABLE),
    ):
        if peer in wanted and not given:
            print(f"without {peer}: {option}, or {variable}, says where it is", file=sys.stderr)


@cache
def _absent(machine: str) -> str:
    """Why there is nothing to run on a machine with; empty where there is."""
    try:
        tools_for(MACHINES[machine])
    except MissingTool as error:
        return str(error)
    return ""


def _rows(names: Sequence[str], asked: Asked, skip: bool) -> Iterator[Row]:
    """The rows of cases; of those that cannot be run one that says so, where `skip`. Raises as `measure` does."""
    _missing_peers(names, asked)
    for name in names:
        case = CASES[name]
        because = _absent(asked.machine or case.machine) if skip else ""
        if because:
            print(f"{name} is not counted: {because}", file=sys.stderr)
            yield skipped(name, case, asked.machine, because)
        else:
            print(f"counting {name}", file=sys.stderr)
            yield from measure(name, case, asked)


def _swept(asked: Asked) -> tuple[list[Row], list[sheets.Sheet]]:
    found = []
    for width, resolution, row in sweep(asked):
        print(f"{row.case}: {row.instructions:,}", file=sys.stderr)
        found.append((width, resolution, row))
    return [row for _, _, row in found], tables.sweep([(w, r, row.per_mac) for w, r, row in found])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit status, see above."""
    chosen, asked, names = _arguments(arguments)
    try:
        if chosen.sweep:
            rows, printed = _swept(asked)
        else:
            rows = list(_rows(names, asked, skip=not chosen.cases))
            printed = tables.cases(rows, chosen.layers)
    except (MissingTool, TinycError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if chosen.json:
        print(json.dumps([row.document() for row in rows], indent=2))
    else:
        sheets.show(printed, chosen.markdown)
    if all(row.skipped for row in rows):
        return 2
    return 1 if any(row.missed() for row in rows) else 0

"""What networks of every topology take: `python -m benchmarks.topologies [NETWORK or FILE.onnx ...]`.

Bytes of arena, int8 from the input to the outputs: with one layer after the other, by default (the least RAM, with the
input in the arena), with rows from a callback and, where an output has rows, with these to one, too. `bound` is what
nothing can go below in the schedule that was found, and `output` what lies beside the arena without a callback for it.
Each is verified pass by pass, on the interpreter and as C on this computer, unless `--no-verify` is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from benchmarks.building import FORMS as SCHEDULES
from benchmarks.building import channels_last, compiled
from benchmarks.deep import narrow
from benchmarks.networks.listing import NETWORKS
from benchmarks.sheets import Sheet, show
from tinyc.ir.errors import TinycError

CASES: dict[str, Callable[[], onnx.ModelProto]] = {
    **{
        name: NETWORKS[name]
        for name in (
            "unet_64",
            "unet_deconvolution_64",
            "unet_linear_64",
            "squeezenet_96",
            "densenet_32",
            "shufflenet_v2_96",
            "mobilenet_v3_small_0.5_96",
            "efficientnet_lite_0.35_96",
            "efficientnet_0.35_96",
            "fpn_128",
            "ssd_128",
            "tcn_512",
            "espcn_64",
            "espcn_linear_64",
            "ds_cnn",
            "mobilenet_v1_0.25_96",
        )
    },
    "chain40_96": lambda: narrow(40),
}
FORMS = {**SCHEDULES, "both callbacks": {"rows_from": "callback", "rows_to": "callback"}}
"""The options of each form."""


@dataclass(frozen=True)
class Taken:
    """Bytes that a network takes in one form: its arena, the least arena that its schedule can have, what of the arena
    is the input, and outputs beside the arena."""

    arena: int
    lower_bound: int
    input: int
    output: int


def taken(model: onnx.ModelProto, name: str, form: str, verify: bool = True) -> Taken:
    """What a network takes in a form.

    Raises:
        TinycError: it cannot have this form, or a result is not the interpreter's.
    """
    options = {**FORMS[form], "verify": verify}
    if "rows_from" in options:
        options["input_layout"] = channels_last(model)
    ram = compiled(model, name, ("int8", "int8"), **options).report["ram"]
    return Taken(ram["arena_bytes"], ram["arena_lower_bound_bytes"], ram["input_bytes"], ram["output_bytes"])


def has_rows(model: onnx.ModelProto) -> bool:
    """Whether an output has rows, or samples."""
    return any(len(v.type.tensor_type.shape.dim) > 2 for v in model.graph.output)


def measure(name: str, model: onnx.ModelProto, verify: bool = True) -> Iterator[tuple[str, Taken | str]]:
    """What a network takes in each form, or why it cannot have one. Raises `TinycError` where the first two fail."""
    for form in FORMS:
        if form == "both callbacks" and not has_rows(model):
            continue
        try:
            yield form, taken(model, name, form, verify)
        except TinycError as error:
            if "rows_from" not in FORMS[form]:
                raise
            yield form, str(error).splitlines()[0]


def line(name: str, found: dict[str, Taken | str]) -> tuple[str, ...]:
    """A network's line of the table."""
    cells = [name]
    for form in FORMS:
        one = found.get(form, "")
        cells.append(f"{one.arena:,}" if isinstance(one, Taken) else "refused" if one else "")
        if form == "default":
            assert isinstance(one, Taken)
            cells += [f"{one.lower_bound:,}", f"{one.input:,}", f"{one.output:,}"]
    return tuple(cells)


def networks(parser: argparse.ArgumentParser, names: Sequence[str]) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The networks that the command is given, all where none is; ends the program where one is unknown."""
    for name in names or CASES:
        if name in CASES:
            yield name, CASES[name]()
        elif Path(name).is_file():
            yield Path(name).stem, onnx.load(name)
        else:
            parser.error(f"no network and no file {name}; there are {', '.join(CASES)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.topologies", description="Arenas of every topology.")
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="of the table, or an ONNX file; all by default")
    parser.add_argument("--no-verify", action="store_true", help="do not run them")
    parser.add_argument("--markdown", action="store_true", help="as the documentation has it")
    chosen = parser.parse_args(arguments)
    lines = []
    try:
        for name, model in networks(parser, chosen.names):
            print(f"measuring {name}", file=sys.stderr)
            found = dict(measure(name, model, not chosen.no_verify))
            lines.append(line(name, found))
            for form, why in found.items():
                if isinstance(why, str):
                    print(f"{name}, {form}: {why}", file=sys.stderr)
    except TinycError as error:
        parser.error(str(error))
    headings = ("network", "by layers", "default", "bound", "input", "output", "callback", "both callbacks")
    show([Sheet("Arena in bytes, int8", 1, headings, tuple(lines))], chosen.markdown)


if __name__ == "__main__":
    main()

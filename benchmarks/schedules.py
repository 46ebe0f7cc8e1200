"""What streaming costs in instructions: `python -m benchmarks.schedules [NETWORK ...]`.

For each network, int8 and channels last, on the simulated rv32imc (-O2): instructions of one inference and bytes of
arena with one layer after the other, by default (the least RAM, with the input in the arena), and with rows from a
callback. `more` is beside one layer after the other. Kernels that pair weights take memory that a schedule leaves in
gaps, and a small arena has few of them: `alone` is the same part for a core that pairs none, what the schedule alone
costs. With `--budgets`, there is a table of what `--ram` with more than the least arena gives. Each result must be the
interpreter's; the exit status is 1 where a schedule alone takes more than `MOST`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from benchmarks.building import FORMS, channels_last, chosen_of, compiled, held
from benchmarks.instructions.cases import TARGETS
from benchmarks.networks.listing import NETWORKS
from benchmarks.sheets import Sheet, show
from tinyc.backends.runners import MACHINES, SimulatorRunner
from tinyc.compiler.session.measure import MeasuredLayer, measured
from tinyc.ir.errors import TinycError

MACHINE, FLAGS = "rv32imc", ("-O2",)
MOST = 0.015
"""What part more instructions a schedule alone may take."""
BUDGETS = (1.1, 1.25, 1.5, 2.0)
"""How many times the least arena `--ram` allows."""
ALONE = f'base = "{TARGETS[MACHINE]}"\nname = "alone"\npaired_tile = 0\n'
"""A target without kernels that want memory."""
CASES: Mapping[str, Callable[[], onnx.ModelProto]] = {
    name: NETWORKS[name]
    for name in (
        "mobile_lenet",
        "ds_cnn",
        "resnet8",
        "mobilenet_v1_0.25_96",
        "squeezenet_96",
        "tcn_512",
        "espcn_64",
        "densenet_32",
        "shufflenet_v2_96",
        "mobilenet_v3_small_0.5_96",
    )
}


@dataclass(frozen=True)
class Counted:
    """One inference: instructions, bytes of arena, and the instructions of each layer."""

    instructions: int
    arena: int
    layers: tuple[MeasuredLayer, ...]


def count(name: str, model: onnx.ModelProto, form: Mapping[str, Any], target: str = TARGETS[MACHINE]) -> Counted:
    """What a network takes in a form (options), on a target of its name or file.

    Raises:
        TinycError: its result is not the interpreter's, or a tool is missing.
    """
    options = {**form, "input_layout": channels_last(model), "target": target, "verify": False}
    made = compiled(model, name, ("int8", "int8"), **options)
    runner = SimulatorRunner(made.source, MACHINES[MACHINE], FLAGS)
    held(made, runner, 0.0)
    found = measured(made, runner)
    return Counted(found["instructions"], found["arena_bytes"], tuple(found["layers"]))


def more(found: Counted, layers: Counted) -> float:
    """Which part more instructions a schedule takes than one layer after the other."""
    return found.instructions / layers.instructions - 1


def alone(name: str, model: onnx.ModelProto) -> dict[str, Counted]:
    """The forms of a network on a core that pairs no weights. Raises as `count` does."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "alone.toml"
        target.write_text(ALONE, encoding="ascii")
        return {form: count(name, model, options, str(target)) for form, options in FORMS.items()}


def line(name: str, found: Mapping[str, Counted], by_itself: Mapping[str, Counted]) -> tuple[str, ...]:
    """A network's line of the table."""
    cells = [name]
    for form, one in found.items():
        cells += [f"{one.instructions:,}", f"{one.arena:,}"]
        if form != "by layers":
            part = more(by_itself[form], by_itself["by layers"])
            kept = " [red]missed[/]" if part > MOST else ""
            cells += [f"{more(one, found['by layers']):+.1%}", f"{part:+.1%}{kept}"]
    return tuple(cells)


def budgets(name: str, model: onnx.ModelProto, found: Mapping[str, Counted]) -> tuple[str, ...]:
    """A network's line of the table of budgets. Raises as `count` does."""
    cells = [name]
    for times in BUDGETS:
        one = count(name, model, {"ram": int(times * found["default"].arena)})
        cells += [f"{one.arena:,}", f"{more(one, found['by layers']):+.1%}"]
    return tuple(cells)


def by_layer(name: str, found: Mapping[str, Counted]) -> Sheet:
    """The layers of a network, schedules side by side; a layer of which one schedule alone knows has no others."""
    rows: dict[str, dict[str, int]] = {}
    for form, one in found.items():
        for layer in one.layers:
            rows.setdefault(f"{layer['name']} {layer['operator']}", {})[form] = layer["instructions"]
    lines = [(key, *(f"{row[form]:,}" if form in row else "" for form in found)) for key, row in rows.items()]
    return Sheet(f"Layers of {name}: instructions", 1, ("layer", *found), tuple(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; the exit status, see above."""
    parser = argparse.ArgumentParser("python -m benchmarks.schedules", description="Instructions of schedules.")
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--layers", action="store_true", help="the layers of each network, too")
    parser.add_argument("--budgets", action="store_true", help="what more memory than the least gives, too")
    parser.add_argument("--markdown", action="store_true", help="as the documentation has it")
    chosen = parser.parse_args(arguments)
    lines, sheets, within, kept = [], [], [], True
    try:
        for name in chosen_of(parser, chosen.names, CASES):
            print(f"counting {name}", file=sys.stderr)
            model = CASES[name]()
            found = {form: count(name, model, options) for form, options in FORMS.items()}
            by_itself = alone(name, model)
            lines.append(line(name, found, by_itself))
            within += [budgets(name, model, found)] if chosen.budgets else []
            sheets += [by_layer(name, found)] if chosen.layers else []
            kept &= all(more(one, by_itself["by layers"]) <= MOST for one in by_itself.values())
    except (TinycError, FileNotFoundError) as error:
        parser.error(str(error))
    headings = (
        "network",
        "by layers",
        "arena",
        "default",
        "arena",
        "more",
        "alone",
        "callback",
        "arena",
        "more",
        "alone",
    )
    if within:
        columns = [cell for times in BUDGETS for cell in (f"{times:g} times", "more")]
        sheets.insert(
            0, Sheet("`--ram`, of the least arena: arena, and instructions", 1, ("network", *columns), tuple(within))
        )
    show([Sheet("Instructions of one inference, and arena", 1, headings, tuple(lines)), *sheets], chosen.markdown)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""What networks need in RAM: arena and stack, with the input held in the arena and with rows from a callback.

    python -m benchmarks.ram [CASE ...] [--json]

Each case is compiled as a user would, verified pass by pass, on the interpreter and as C on this computer, and run once
more on the simulated rv32imc, where all must agree and where the stack is measured. Figures are bytes. "by layers" is
the arena of the same network when each layer runs wholly before the next.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import onnx
from rich.console import Console
from rich.table import Table

from benchmarks.building import FLOAT_SLACK, chosen_of, compiled, held
from benchmarks.networks import (
    blood_mobile_lenet,
    from_shared,
    micro_mobilenet,
    mobilenet_v1,
    pooled,
    published,
    published_mobile_lenet,
    resnet8,
)
from tinyc.backends.runners import MACHINES, MissingTool, SimulatorRunner
from tinyc.compiler.session import Compilation
from tinyc.ir.errors import TinycError

MACHINE = "rv32imc"
KIB = 1024


@dataclass(frozen=True)
class Case:
    """A network and what its arena may take at most, in KiB: with the input held in the arena, with rows from a
    callback, and held but not counting the input. None where nothing is asked."""

    network: Callable[[], onnx.ModelProto]
    int8: bool = True
    held: float | None = None
    callback: float | None = None
    beside_input: float | None = None


PUBLISHED_RAM = {"pico": 30.55, "nano": 64.23, "micro": 132.36, "milli": 162.12, "base": 235.47}
"""What MicroMobileNet's authors publish for its networks, in KB."""

CASES: dict[str, Case] = {
    "mobilenet_v1_0.25_96": Case(lambda: mobilenet_v1(0.25, 96, classes=5), held=28.5, callback=14.0),
    "mobilenet_v1_0.25_96_gray": Case(lambda: mobilenet_v1(0.25, 96, channels=1, classes=5), held=16.5, callback=13.5),
    "mobilenet_v1_0.25_224": Case(lambda: mobilenet_v1(0.25, 224, classes=5), held=150, callback=45),
    "mobilenet_v1_0.5_224": Case(lambda: mobilenet_v1(0.5, 224, classes=5), held=166, callback=87),
    "mobile_lenet": Case(
        lambda: published_mobile_lenet(published("noodle_mobile_lenet_mnist")), held=3.9, callback=3.9
    ),
    "blood_mobile_lenet": Case(
        lambda: blood_mobile_lenet(published("noodle_mobile_lenet_bloodmnist")), held=5.5, callback=4.2
    ),
    "mobile_lenet_float": Case(
        lambda: published_mobile_lenet(published("noodle_mobile_lenet_mnist")), int8=False, held=15.5
    ),
    **{
        f"micro_mobilenet_{name}_float": Case(
            lambda name=name: micro_mobilenet(name),  # type: ignore[misc]
            int8=False,
            beside_input=kilobytes * 1000 / 4 / KIB,
        )
        for name, kilobytes in PUBLISHED_RAM.items()
    },
    "pooled_34_float": Case(pooled, int8=False, held=15_000 / KIB),
    "resnet8": Case(resnet8),
    "mobilenet_v2_0.5_128": Case(lambda: from_shared("st_mbv2_128_05.onnx")),
}


@dataclass(frozen=True)
class Row:
    """What one case needs in one form. Sizes are bytes; `limit` is what is asked at most; `same_on` are the executors
    whose results agree, bit for bit where they are integers."""

    case: str
    form: str
    arena: int
    input: int
    limit: float | None
    lower_bound: int
    by_layers: int
    by_layers_lower_bound: int
    macs: int
    stack: int | None
    instructions: int | None
    same_on: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.arena <= self.limit


def measure(name: str) -> Iterator[Row]:
    """The rows of a case.

    Raises:
        TinycError: verification failed.
        FileNotFoundError: published weights or a model are missing.
    """
    case = CASES[name]
    model = case.network()

    def made(rows_from: str, ram: int | None = None) -> Compilation:
        return compiled(
            *(model, name, ("int8", "float32") if case.int8 else None),
            input_layout="nhwc",
            rows_from=rows_from,
            ram=ram,
            verify=ram is None,
        )

    for form, limit in (("held", case.held), ("callback", case.callback)):
        rows_from = "arena" if form == "held" else "callback"
        yield _row(name, form, made(rows_from), made(rows_from, ram=1 << 40), case, limit)


def _row(name: str, form: str, by_rows: Compilation, layers: Compilation, case: Case, limit: float | None) -> Row:
    ram, report = by_rows.report["ram"], by_rows.report
    allowed = limit * KIB if limit is not None else None
    if form == "held" and case.beside_input is not None:
        allowed = case.beside_input * KIB + ram["input_bytes"]
    same = [v.executor for v in by_rows.verdicts if v.passed]
    stack = instructions = None
    try:
        runner = SimulatorRunner(by_rows.source, MACHINES[MACHINE])
        held(by_rows, runner, 0.0 if case.int8 else FLOAT_SLACK)
        same.append(MACHINE)
        found = runner.measure(list(by_rows.lowered.samples[0]))
        stack, instructions = found.stack_bytes, found.instructions
    except MissingTool as error:
        print(f"not run on {MACHINE}: {error}", file=sys.stderr)
    return Row(
        case=name,
        form=form,
        arena=ram["arena_bytes"],
        input=ram["input_bytes"],
        limit=allowed,
        lower_bound=ram["arena_lower_bound_bytes"],
        by_layers=layers.report["ram"]["arena_bytes"],
        by_layers_lower_bound=layers.report["ram"]["arena_lower_bound_bytes"],
        macs=report["macs"],
        stack=stack,
        instructions=instructions,
        same_on=tuple(same),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser("python -m benchmarks.ram", description="RAM of networks, in bytes.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    chosen = parser.parse_args(arguments)
    rows = []
    table = Table("case", "form", "arena", "KiB", "at most", "bound", "by layers", "MACs", "stack", "same on")
    try:
        for name in chosen_of(parser, chosen.cases, CASES):
            for row in measure(name):
                rows.append(row)
                limit = "" if row.limit is None else f"{row.limit / KIB:.2f}" + ("" if row.holds else " FAILS")
                sizes = (f"{row.arena:,}", f"{row.arena / KIB:.2f}", limit, f"{row.lower_bound:,}")
                rest = (f"{row.by_layers:,}", f"{row.macs:,}", "" if row.stack is None else str(row.stack))
                table.add_row(row.case, row.form, *sizes, *rest, ", ".join(row.same_on))
    except (TinycError, FileNotFoundError) as error:
        parser.error(str(error))
    if chosen.json:
        print(json.dumps([asdict(row) | {"holds": row.holds} for row in rows], indent=2))
    else:
        Console(width=170).print(table)
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()

"""The tables for people: on a terminal, or as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.instructions.row import Row

WIDTH = 210
FLAT = 1.01
"""From one network to the next larger one, instructions for each multiply-accumulate that grow by less are flat."""


@dataclass(frozen=True)
class Sheet:
    """A table: how many columns at its left are words, the others being numbers; cells may have rich's markup."""

    title: str
    words: int
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if number < self.words else "right")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """For the documentation."""
        rules = ["---" if number < self.words else "---:" for number in range(len(self.headings))]
        plain = [[Text.from_markup(cell).plain for cell in line] for line in self.lines]
        return "\n".join(f"| {' | '.join(line)} |" for line in [self.headings, rules, *plain])


def show(sheets: Iterable[Sheet], markdown: bool = False) -> None:
    """Prints them."""
    console = Console(width=WIDTH)
    for sheet in sheets:
        if markdown:
            print(f"{sheet.title}:\n\n{sheet.markdown()}\n")
        else:
            console.print(sheet.rich())


def cases(rows: Sequence[Row], layers: bool = False) -> list[Sheet]:
    """A line for each case and whose C it is, the columns of each set of flags side by side; then a table of each
    case's layers, if those are wanted."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: (row.case, row.by))]
    flags = dict.fromkeys(row.flags for row in rows)
    counted = [heading for option in flags for heading in (option, "/MAC", "code")]
    lines = []
    for found in groups:
        first, counts = found[0], list[str]()
        for row in found:
            counts += [f"{row.instructions:,}", f"{row.per_mac:.2f}", f"{row.code:,}"]
        lines.append((first.case, first.machine, first.by, f"{first.macs:,}", *counts, *_judged(first)))
    sheet = Sheet(
        "One inference: instructions, instructions for each MAC, bytes of code, constants beside the weights",
        3,
        ("case", "on", "C by", "MACs", *counted, "at most", "code at most", "beside"),
        tuple(lines),
    )
    return [sheet, *(_layers(found) for found in groups if layers and found[0].layers)]


def _judged(row: Row) -> tuple[str, str, str]:
    """What is asked at most, and whether it is kept; constants beside the weights."""
    missed = row.missed()
    most, code, beside = row.limits.instructions_of(row.macs), row.limits.code, row.limits.beside

    def limit(name: str, text: str) -> str:
        return f"{text} [red]missed[/]" if name in missed else f"{text} [green]met[/]"

    return (
        "" if most is None else limit("instructions", f"{most:,}"),
        "" if code is None else limit("code", f"{code:,}"),
        f"{row.beside:.1%}" + ("" if beside is None else f" of {limit('beside', f'{beside:.0%}')}"),
    )


def _layers(rows: Sequence[Row]) -> Sheet:
    """The layers of one case, the flags side by side."""
    lines = []
    for number, layer in enumerate(rows[0].layers):
        line = [str(layer["index"]), layer["name"], layer["operator"], f"{layer['macs']:,}"]
        for row in rows:
            count = row.layers[number]["instructions"]
            per_mac = f"{count / layer['macs']:.2f}" if layer["macs"] else ""
            line += [f"{count:,}", per_mac, f"{count / row.instructions:.1%}"]
        lines.append(tuple(line))
    counted = [heading for row in rows for heading in (row.flags, "/MAC", "part")]
    title = f"{rows[0].case} on {rows[0].machine}, C by {rows[0].by}"
    return Sheet(title, 3, ("", "layer", "operator", "MACs", *counted), tuple(lines))


def sweep(found: Sequence[tuple[float, int, float]]) -> list[Sheet]:
    """Instructions for each multiply-accumulate by width and resolution; those that rise with either are marked."""
    widths, resolutions = (list(dict.fromkeys(column)) for column in list(zip(*found, strict=True))[:2])
    ratio = {(width, resolution): per_mac for width, resolution, per_mac in found}
    lines = []
    for k, width in enumerate(widths):
        line = [f"{width:g}"]
        for n, resolution in enumerate(resolutions):
            before = [(widths[k - 1], resolution)] * (k > 0) + [(width, resolutions[n - 1])] * (n > 0)
            rises = any(ratio[width, resolution] > FLAT * ratio[other] for other in before)
            line.append(f"{ratio[width, resolution]:.3f}" + (" [red]rises[/]" if rises else ""))
        lines.append(tuple(line))
    title = "MobileNetV1 in int8: instructions for each MAC, by width and resolution"
    return [Sheet(title, 1, ("width", *map(str, resolutions)), tuple(lines))]

"""The tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, Group
from rich.table import Table

from benchmarks.instructions.row import Row

WIDTH = 200
FLAT = 1.01
"""From one network to the next larger one, instructions for each multiply-accumulate that grow by less are flat."""


def show(printed: Group) -> None:
    """Prints them, as wide as they are."""
    Console(width=WIDTH).print(printed)


def cases(rows: Sequence[Row], layers: bool = False) -> Group:
    """A line for each case and whose C it is; the columns of each set of flags side by side."""
    flags = list(dict.fromkeys(row.flags for row in rows))
    table = Table(title="One inference: instructions, instructions for each MAC, bytes of code", title_justify="left")
    for heading in ("case", "on", "C by"):
        table.add_column(heading, no_wrap=heading != "C by")
    table.add_column("MACs", justify="right", no_wrap=True)
    for option in flags:
        for heading in (option, "/MAC", "code"):
            table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("at most", "code at most", "beside weights"):
        table.add_column(heading, justify="right")
    for (_, by), group in groupby(rows, key=lambda row: (row.case, row.by)):
        found = list(group)
        first = found[0]
        counts = [text for row in found for text in (f"{row.instructions:,}", f"{row.per_mac:.2f}", f"{row.code:,}")]
        table.add_row(first.case, first.machine, by, f"{first.macs:,}", *counts, *_judged(first))
    return Group(table, *(_layers(found) for found in _by_case(rows) if layers and found[0].layers))


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


def _by_case(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of one case and one author, one for each set of flags."""
    for _, group in groupby(rows, key=lambda row: (row.case, row.by)):
        yield list(group)


def _layers(rows: Sequence[Row]) -> Table:
    """The layers of one case, the flags side by side."""
    table = Table(title=f"{rows[0].case} on {rows[0].machine}, C by {rows[0].by}", title_justify="left")
    for heading, justify in (("", "right"), ("layer", "left"), ("operator", "left"), ("MACs", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for row in rows:
        for heading in (row.flags, "/MAC", "part"):
            table.add_column(heading, justify="right", no_wrap=True)
    for number, layer in enumerate(rows[0].layers):
        counts = []
        for row in rows:
            count = row.layers[number]["instructions"]
            per_mac = f"{count / layer['macs']:.2f}" if layer["macs"] else ""
            counts += [f"{count:,}", per_mac, f"{count / row.instructions:.1%}"]
        table.add_row(str(layer["index"]), layer["name"], layer["operator"], f"{layer['macs']:,}", *counts)
    return table


def sweep(found: Sequence[tuple[float, int, float]]) -> Group:
    """Instructions for each multiply-accumulate by width and resolution; those that rise with either are marked."""
    widths, resolutions = (list(dict.fromkeys(column)) for column in list(zip(*found, strict=True))[:2])
    ratio = {(width, resolution): per_mac for width, resolution, per_mac in found}
    table = Table("width", title="MobileNetV1 in int8: instructions for each MAC, by resolution", title_justify="left")
    for resolution in resolutions:
        table.add_column(str(resolution), justify="right")
    for k, width in enumerate(widths):
        texts = []
        for n, resolution in enumerate(resolutions):
            before = [(widths[k - 1], resolution)] * (k > 0) + [(width, resolutions[n - 1])] * (n > 0)
            rises = any(ratio[width, resolution] > FLAT * ratio[other] for other in before)
            texts.append(f"{ratio[width, resolution]:.3f}" + (" [red]rises[/]" if rises else ""))
        table.add_row(f"{width:g}", *texts)
    return Group(table)

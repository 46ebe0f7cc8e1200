"""What is measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.instructions.cases import MANY
from benchmarks.instructions.row import Row
from benchmarks.sheets import Sheet

FLAT = 1.01
"""From one network to the next larger one, instructions for each multiply-accumulate that grow by less are flat."""


def cases(rows: Sequence[Row], layers: bool = False) -> list[Sheet]:
    """A line for each case and whose C it is, the columns of each set of flags side by side; then what those take that
    are held against the C without MAC16 and vectors, and a table of each case's layers, if those are wanted."""
    groups = [list(group) for _, group in groupby(rows, key=lambda row: (row.case, row.by))]
    flags = dict.fromkeys(row.flags for row in rows if not row.skipped)
    counted = [heading for option in flags for heading in (option, "/MAC", "code")]
    lines = []
    for found in groups:
        first, counts = found[0], list[str]()
        if first.skipped:
            lines.append((first.case, first.machine, first.by, "not counted", *[""] * (len(counted) + 3)))
            continue
        for row in found:
            counts += [f"{row.instructions:,}", f"{row.per_mac:.2f}", f"{row.code:,}"]
        lines.append((first.case, first.machine, first.by, f"{first.macs:,}", *counts, *_judged(first)))
    sheet = Sheet(
        "One inference: instructions, instructions for each MAC, bytes of code, constants beside the weights",
        3,
        ("case", "on", "C by", "MACs", *counted, "at most", "code at most", "beside"),
        tuple(lines),
    )
    chips = [row for row in rows if row.plain is not None]
    return [sheet, *([_chips(chips)] if chips else []), *(_layers(g) for g in groups if layers and g[0].layers)]


def _limit(row: Row, name: str, spec: str = ",") -> str:
    """What is asked at most, and whether it is kept; empty where nothing is."""
    if name not in row.judged:
        return ""
    text = f"{row.judged[name][1]:{spec}}"
    return f"{text} [red]missed[/]" if name in row.missed() else f"{text} [green]met[/]"


def _judged(row: Row) -> tuple[str, str, str]:
    """What is asked at most, and whether it is kept; constants beside the weights."""
    beside = _limit(row, "beside", ".0%")
    kept = f" of {beside}" if beside else ""
    return _limit(row, "instructions"), _limit(row, "code"), f"{row.beside:.1%}{kept}"


def _chips(rows: Sequence[Row]) -> Sheet:
    """What the instructions of a chip's own save, and what memory they take; those without in brackets."""
    lines = []
    for row in rows:
        assert row.plain is not None
        lines.append(
            (
                row.case,
                row.flags,
                f"{row.instructions:,} ({row.plain.instructions:,})",
                f"{row.per_mac:.2f}",
                _limit(row, "per_mac", ".2f"),
                "" if row.pointwise is None else f"{row.pointwise:.2f}",
                _limit(row, "pointwise", ".2f"),
                f"{row.arena:,} ({row.plain.arena:,})",
                f"{row.growth:.1%}",
                _limit(row, "growth", ".0%"),
                f"{row.scratch:,}",
                f"{row.stack:,}",
                f"{row.code:,}",
            )
        )
    headings = ("case", "flags", "instructions", "/MAC", "at most", "pointwise", "at most", "arena", "more", "at most")
    title = f"In brackets without MAC16 and vectors; pointwise layers of {MANY} inputs or more, for each MAC"
    return Sheet(title, 2, (*headings, "scratch", "stack", "code"), tuple(lines))


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

"""What was measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.espressif.measure import ALONE, OURS, Row
from benchmarks.sheets import Sheet


def side_by_side(rows: Sequence[Row]) -> list[Sheet]:
    """A table for each machine, a line for each layer, a column for whoever computes it."""
    return [_machine(list(found)) for _, found in groupby(rows, key=lambda row: (row.machine, row.flags))]


def faster(theirs: Sequence[Row], ours: Row) -> list[Row]:
    """Those of ESP-NN that take fewer instructions than ours."""
    own = ours.instructions
    return [row for row in theirs if row.instructions is not None and own is not None and row.instructions < own]


def notes(rows: Sequence[Row]) -> list[str]:
    """A line for each row without a number, and for each layer that ESP-NN computes in fewer instructions."""
    lines = [f"{row.layer} on {row.machine} by {row.by}: {row.because}" for row in rows if row.because]
    for (layer, machine), group in groupby(rows, key=lambda row: (row.layer, row.machine)):
        found = list(group)
        for ours in (row for row in found if row.by in (OURS, ALONE)):
            for row in faster([r for r in found if r.by not in (OURS, ALONE)], ours):
                lines.append(
                    f"{layer} on {machine}: {row.by} takes {row.instructions:,}, {ours.by} {ours.instructions:,}"
                )
    return lines


def _machine(rows: Sequence[Row]) -> Sheet:
    by = list(dict.fromkeys(row.by for row in rows))
    lines = []
    for layer, group in groupby(rows, key=lambda row: row.layer):
        found = {row.by: row for row in group}
        ours = found[OURS]
        best = min(
            (r.instructions for n, r in found.items() if n not in (OURS, ALONE) and r.instructions), default=None
        )
        gain = f"{best / ours.instructions:.1f}" if best and ours.instructions else ""
        limit = (
            "" if ours.limit is None else f"{ours.limit:.2f} " + ("[red]missed[/]" if ours.missed else "[green]met[/]")
        )
        unit = "MAC" if ours.macs else "element"
        lines.append((layer, f"{ours.work:,}", unit, *(_cell(found[name]) for name in by), gain, limit))
    title = f"One layer on {rows[0].machine} ({rows[0].flags}): instructions, and for each MAC or element of the result"
    return Sheet(title, 1, ("layer", "work", "unit", *by, "best of ESP-NN / tinyc", "at most"), tuple(lines))


def _cell(row: Row) -> str:
    if row.instructions is None or row.each is None:
        return "[red]wrong[/]" if row.wrong else "not called"
    return f"{row.instructions:,} ({row.each:.2f})"

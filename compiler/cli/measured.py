"""What the terminal shows of instructions and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyc.compiler.base.files import shown
from tinyc.compiler.cli.flags import as_flags
from tinyc.compiler.cli.tables import grid, out


def time(document: Mapping[str, Any]) -> str:
    """An estimated time, and what is known of its error."""
    error = document["model_error_percent"]
    held = f"the model is within {error} % of a published time" if error else "held against no board"
    how = f"{document['instructions']:,} instructions {document['instructions_are']}"
    took = document["milliseconds"]
    shown_ms = f"{took:.1f}" if took < 100 else f"{took:.0f}"
    return f"about {shown_ms} ms at {document['clock_hz'] / 1e6:.0f} MHz, an estimate: {how}, {held}"


def bench(document: Mapping[str, Any]) -> None:
    """The tables of `tinyc bench`."""
    table = grid()
    table.add_row("model", escape(f"{document['model']} on {document['on']} ({document['chips']})"))
    ratio = document["instructions_per_mac"]
    per_mac = "" if ratio is None else f", {ratio:.2f} for each of {document['macs']:,} MACs"
    table.add_row("instructions", f"{document['instructions']:,} an inference{per_mac}")
    table.add_row("stack", f"{document['stack_bytes']:,} bytes")
    table.add_row("arena", f"{document['arena_bytes']:,} bytes")
    table.add_row("code", f"{document['code_bytes']:,} bytes, without the C library")
    table.add_row("weights", f"{document['weights_bytes']:,} bytes")
    if document["time"] is not None:
        table.add_row("time", time(document["time"]))
    if document["note"]:
        table.add_row("note", escape(as_flags(document["note"])))
    out.print(table)
    layers = Table("", "layer", "operator", "MACs", "instructions", "part")
    layers.columns[1].overflow = "fold"
    for column in (layers.columns[0], *layers.columns[2:]):
        column.no_wrap = True
        column.justify = "left" if column is layers.columns[2] else "right"
    total = sum(layer["instructions"] for layer in document["layers"]) or 1
    for layer in document["layers"]:
        part = f"{layer['instructions'] / total:.1%}"
        counts = (f"{layer['macs']:,}", f"{layer['instructions']:,}", part)
        layers.add_row(str(layer["index"]), escape(layer["name"]), layer["operator"], *counts)
    out.print(layers)


def times(document: Mapping[str, Any]) -> None:
    """The tables of `tinyc bench --from-log`."""
    table = grid()
    table.add_row(
        "model", escape(f"{document['model']} on {document['target']}, {document['inferences']} inference(s)")
    )
    took = document["milliseconds"]
    clock = "" if took is None else f", {took:.2f} ms at {document['clock_hz'] / 1e6:.0f} MHz"
    table.add_row("took", f"{document['cycles']:,} cycles{clock}")
    if document["estimated_milliseconds"] is not None:
        table.add_row("estimated", f"{document['estimated_milliseconds']:.2f} ms")
    for note in document["notes"]:
        table.add_row("note", escape(as_flags(note)))
    out.print(table)
    layers = Table("", "layer", "cycles", "us", "est. us", "instructions", "each")
    layers.columns[1].overflow = "fold"
    for column in (layers.columns[0], *layers.columns[2:]):
        column.no_wrap, column.justify = True, "right"
    for layer in document["layers"]:
        counted, guess = layer["counted_instructions"], layer["estimated_instructions"]
        instructions = f"{counted:,}" if counted is not None else "" if guess is None else f"about {guess:,}"
        row = [str(layer["index"]), escape(layer["name"]), f"{layer['cycles']:,}"]
        numbers = [layer["us"], layer["estimated_us"]]
        row += ["" if n is None else f"{n:,.1f}" for n in numbers]
        each = layer["cycles_per_instruction"]
        layers.add_row(*row, instructions, "" if each is None else f"{each:.2f}")
    out.print(layers)


def tuned(document: Mapping[str, Any]) -> None:
    """The tables of `tinyc tune`."""
    layers = Table("", "layer", "kernel", "chosen", "before", "after", "gain")
    layers.columns[1].overflow = "fold"
    for column in (layers.columns[0], *layers.columns[4:]):
        column.no_wrap, column.justify = True, "right"
    for layer in document["layers"]:
        counts = (f"{layer['before']:,}", f"{layer['after']:,}", _gain(layer["before"], layer["after"]))
        chosen = layer["choice"] or "as by rule"
        layers.add_row(str(layer["index"]), *map(escape, (layer["name"], layer["shape"], chosen)), *counts)
    out.print(layers)
    table = grid()
    before, after = document["before"], document["after"]
    table.add_row("model", escape(f"{document['model']} on {document['on']}"))
    table.add_row("instructions", f"{before:,} by the rules, {after:,} as chosen: {_gain(before, after)} fewer")
    table.add_row("code", f"{document['code_bytes_before']:,} bytes, then {document['code_bytes_after']:,}")
    table.add_row("took", f"{document['seconds']} s, {document['builds']} builds")
    written = document["written"]
    table.add_row("written to", escape(shown(written)) if written else "nothing: the rules are the best that was tried")
    out.print(table)


def _gain(before: int, after: int) -> str:
    """The part of a count that is saved."""
    return f"{(before - after) / max(before, 1):.1%}"

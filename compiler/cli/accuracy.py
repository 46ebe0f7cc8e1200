"""What the terminal shows of accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyc.compiler.cli.tables import grid, out

ONLY_CALIBRATION = (
    "Accuracy was seen on calibration data only, which the quantisation has learnt from; "
    "--evaluate DATA measures it on data that were held back."
)
MOST_CLASSES = 20
"""Of more classes, those that changed most are shown; --json has all."""


def evaluation(found: Mapping[str, Any], title: str) -> None:
    """Accuracy, agreement and errors on data, and what changed for each class."""
    table = grid()
    shared = found["in_calibration_data"]
    seen = f", {shared:,} of which are calibration data" if shared and title != "calibration data" else ""
    table.add_row(title, f"{found['inferences']:,} inputs{seen}; the model in {escape(found['reference'])}")
    if (top1 := found["top1"]) is not None:
        change = 100 * (top1["network"] - top1["model"])
        text = f"{top1['model']:.2%} of the model, {top1['network']:.2%} of the network ({change:+.2f} points)"
        table.add_row("top-1", text)
    if found["agreement"] is not None:
        table.add_row("agreement", f"same class on {found['agreement']:.2%}, by output {escape(found['scores'])}")
    for output in found["outputs"]:
        ratio = output["sqnr_db"]
        text = "equal" if ratio is None else f"{ratio} dB over noise, largest error {output['largest_error']}"
        table.add_row(escape(output["name"]), text)
    out.print(table)
    if found["classes"]:
        _classes(found["classes"])


def _classes(found: Sequence[Mapping[str, Any]]) -> None:
    shown = list(found)
    if len(shown) > MOST_CLASSES:
        changed = sorted(found, key=lambda c: (-c["flipped"], c["network_right"] - c["model_right"]))
        shown = [c for c in found if c in changed[:MOST_CLASSES]]
    title = "classes" if len(shown) == len(found) else f"the {len(shown)} of {len(found)} classes that changed most"
    table = Table("class", "inputs", "model right", "network right", "flipped", title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for c in shown:
        counts = (c["inferences"], c["model_right"], c["network_right"], c["flipped"])
        table.add_row(escape(c["name"]), *(f"{n:,}" for n in counts))
    out.print(table)


def inputs_seen(found: Sequence[Mapping[str, Any]]) -> None:
    """What was seen at the inputs, beside what the model expects there."""
    table = grid()
    for seen in found:
        low, high = seen["seen"]
        text = f"{low:.4g} to {high:.4g} in {seen['data']}"
        if (expected := seen["expected"]) is not None:
            text += f"; {seen['evidence']} expects about {expected[0]:.3g} to {expected[1]:.3g}"
        elif seen["evidence"] is not None:
            judged = "it may be" if seen["fits"] else "it cannot be what the model was trained on"
            text += f"; by {seen['evidence']} {judged}"
        table.add_row(escape(f"{seen['name']} saw"), escape(text))
    if found:
        out.print(table)


def integers(port: Mapping[str, Any]) -> str:
    """What the integers of a port stand for, of each channel where these differ."""
    scales, zeros = (v if isinstance(v, list) else [v] for v in (port["scale"], port["zero_point"]))
    return "; ".join(f"{s:.6g} * (integer - {z:g})" for s, z in zip(scales, zeros, strict=True))

"""Rows of the accuracy tables: a float network, calibration samples, and what each tool made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.accuracy.answers import Answers, decibels, logits
from benchmarks.accuracy.ours import of_tinyc
from benchmarks.accuracy.rivals import of_esp_ppq, of_onnxruntime, why_no_esp_ppq
from benchmarks.networks.graph import Floats
from benchmarks.sheets import markdown_line

Tool = Callable[[onnx.ModelProto, Floats, Floats, Floats], Answers | None]
TOOLS: Mapping[str, Tool] = {
    "tinyc": lambda model, samples, images, exact: of_tinyc(model, samples, images),
    "onnxruntime": of_onnxruntime,
    "esp-ppq": of_esp_ppq,
}


@dataclass(frozen=True)
class Case:
    """A float network of one image, up to its logits, and images to judge by, with their classes where known."""

    name: str
    model: onnx.ModelProto
    images: Floats
    labels: NDArray[np.uint8] | None = None


def header(tools: Sequence[str], labelled: bool) -> list[str]:
    """The head of a table in Markdown; each tool's cell has top-1 where there are labels, agreement and dB."""
    cells = "top-1, agreement, dB" if labelled else "agreement, dB"
    columns = ["network", "samples", *(["float top-1"] if labelled else []), *(f"{t}: {cells}" for t in tools)]
    return [markdown_line(columns), markdown_line(["---"] * len(columns))]


def row(case: Case, samples: Floats, exact: Floats, tools: Sequence[str]) -> str:
    """A row of a table, in Markdown."""
    cells = [case.name, str(len(samples))]
    if case.labels is not None:
        cells.append(f"{(exact.argmax(1) == case.labels).mean():.2%}")
    for tool in tools:
        found = TOOLS[tool](case.model, samples, case.images, exact)
        cells.append("left out" if found is None else _cell(case, exact, found))
    return markdown_line(cells)


def _cell(case: Case, exact: Floats, found: Answers) -> str:
    answers = found.logits.argmax(1)
    parts = [f"{(answers == case.labels).mean():.2%}"] if case.labels is not None else []
    parts += [f"{(answers == exact.argmax(1)).mean():.2%}", f"{decibels(exact, found.logits):.1f}"]
    return ", ".join(parts) + (f" ({found.how})" if found.how else "")


def show(cases: Sequence[Case], samples: Mapping[str, Sequence[Floats]], tools: Sequence[str]) -> None:
    """Prints a table: of each case a row for each of its sets of calibration samples."""
    if "esp-ppq" in tools and (why := why_no_esp_ppq()):
        print(why)
    print("\n".join(header(tools, any(c.labels is not None for c in cases))))
    for case in cases:
        exact = logits(case.model, case.images)
        for chosen in samples[case.name]:
            print(row(case, chosen, exact, tools), flush=True)

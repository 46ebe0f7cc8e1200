"""What networks answer, and how near that is to what they should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx

from benchmarks.networks.graph import Floats
from tinyc.compiler.reference.reference import open_session
from tinyc.ir.tensor import Array
from tinyc.passes.quantise import report


@dataclass(frozen=True)
class Answers:
    """A quantised network's logits, [images, classes], and how it was made."""

    logits: Floats
    how: str


def without_softmax(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model up to the operand of the softmax that computes its output; unchanged where there is none."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    (output,) = made.graph.output
    last = next((n for n in made.graph.node if output.name in n.output), None)
    if last is not None and last.op_type in ("Softmax", "LogSoftmax"):
        made.graph.node.remove(last)
        output.name = last.input[0]
    onnx.checker.check_model(made)
    return made


def logits(model: onnx.ModelProto, images: Floats) -> Floats:
    """What onnxruntime computes for each image by itself: the model's first output, [images, classes]."""
    session = open_session(model)
    name = session.get_inputs()[0].name
    found = [session.run(None, {name: image[np.newaxis]})[0].reshape(-1) for image in images]
    return np.stack(found)


def decibels(exact: Iterable[Array], found: Iterable[Array]) -> float:
    """The power of numbers by that of what others differ from them, over all arrays."""
    each = [report.powers(a, b) for a, b in zip(exact, found, strict=True)]
    return report.decibels(sum(signal for signal, _ in each), sum(noise for _, noise in each))

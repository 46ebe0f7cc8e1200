"""tinyc's side: a float network as it is compiled in int8, and what its C on this computer answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx

import tinyc
from benchmarks.accuracy.rivals import Answers
from benchmarks.networks.graph import Floats
from tinyc.compiler.options import QuantiseOptions


def of_tinyc(model: onnx.ModelProto, samples: Floats, images: Floats, **how: Any) -> Answers:
    """Logits of the integer network in real numbers, computed by its C.

    Args:
        model: float, of one image.
        samples: to calibrate with.
        images: to answer for.
        **how: options of `QuantiseOptions` that are not its defaults.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        options = QuantiseOptions([[s[None]] for s in samples], output_type="float32", **how)
        compiled = tinyc.compile(path, target="host", verify=False, quantise=options)
        (found,) = compiled(images, on="host").values()
    return Answers(found.reshape(len(images), -1), ", ".join(f"{k} {v}" for k, v in how.items()))


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

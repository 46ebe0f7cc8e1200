"""The same model in a form that onnxruntime takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

SLIDING = {"Conv": 0, "ConvInteger": 0, "QLinearConv": 0, "AveragePool": 0, "MaxPool": 0, "LpPool": 0}
"""Operators whose padding `auto_pad` may leave to be computed, and the place of the operand that is padded."""
WEIGHTS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Of those that may leave the size of their window to their weights, the place of these."""


def with_explicit_pads(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto | None:
    """The model with every SAME padding as numbers: in all, a dimension gets what the last window reaches beyond it
    (ONNX's documentation of `auto_pad`, with the dilated size of the window). None if there is no such padding.

    Args:
        model: the model.
        shapes: of its tensors, as far as they are known.
    """
    known = {t.name: tuple(t.dims) for t in model.graph.initializer} | dict(shapes)
    found = False
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        auto = given.get("auto_pad", b"").decode()
        if node.op_type not in SLIDING or not auto.startswith("SAME"):
            continue
        size = known.get(node.input[SLIDING[node.op_type]], ())[2:]
        place = WEIGHTS.get(node.op_type)
        kernel = given.get("kernel_shape") or (known.get(node.input[place], ())[2:] if place is not None else ())
        if not size or len(size) != len(kernel):
            continue
        ones = [1] * len(size)
        strides, dilations = given.get("strides", ones), given.get("dilations", ones)
        before, after = [], []
        for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            small = total // 2
            before.append(small if auto == "SAME_UPPER" else total - small)
            after.append(total - before[-1])
        kept = [a for a in node.attribute if a.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", [*before, *after])])
        found = True
    return copy if found else None

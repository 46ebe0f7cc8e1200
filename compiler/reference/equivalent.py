"""The same model in a form that onnxruntime takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Convolutions, and the place of their weights."""


def with_explicit_pads(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto | None:
    """The model with the SAME padding of dilated convolutions, which onnxruntime refuses, as numbers.

    In all, a dimension gets what the last window reaches beyond it (ONNX's documentation of `auto_pad`, with the
    dilated size of the window). None if there is no such padding.

    Args:
        model: the model.
        shapes: of its tensors, as far as they are known.
    """
    known = {t.name: tuple(t.dims) for t in model.graph.initializer} | dict(shapes)
    found = False
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        auto = attributes.get("auto_pad", b"").decode()
        place = CONVOLUTIONS.get(node.op_type)
        if place is None or not auto.startswith("SAME") or max(attributes.get("dilations", [1])) == 1:
            continue
        size = known.get(node.input[0], ())[2:]
        kernel = attributes.get("kernel_shape") or known.get(node.input[place], ())[2:]
        if not size or len(size) != len(kernel):
            continue
        strides, dilations = attributes.get("strides", [1] * len(size)), attributes["dilations"]
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

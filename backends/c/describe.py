"""Stages in words, for comments and traces."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinyc.backends.c.names import comment
from tinyc.ir.concern import Concern
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.conv import OhwiWeights, Spatial
from tinyc.ir.rows import Stage

DETAILS: Concern[Callable[[Any], str]] = Concern(
    "description",
    "register in backends/c/describe.py what comments say of it (`DETAILS`)",
    "shapes, limits and work say it all",
)
"""What comments say of an operator beside shapes, limits and work, of those of which there is something to say."""


def shape_text(value: Value) -> str:
    """`28x28x8`: the shape without a batch dimension of 1."""
    shape = value.shape[1:] if len(value.shape) > 1 and value.shape[0] == 1 else value.shape
    return "x".join(map(str, shape)) if shape else "scalar"


def label(stage: Stage) -> str:
    """The operator and the ONNX node it came from, or else the name of its result."""
    return f"{stage.op.mnemonic} {stage.loc or stage.result.name}"


def sentence(number: int, stage: Stage) -> str:
    """What a stage does, as the text of a comment."""
    op = stage.op
    parts = [f'{number} {op.mnemonic} "{comment(stage.loc or stage.result.name)}": {_operands(stage)}']
    details = DETAILS.find(type(op))
    if details is not None:
        parts.append(details(op))
    activation = _activation(*_limits(op))
    if activation:
        parts.append(activation)
    if op.macs():
        parts.append(f"{op.macs()} MACs")
    return ", ".join(parts)


def _operands(stage: Stage) -> str:
    shown = stage.op.operands[:1] if stage.op.macs() else stage.op.operands
    left = ", ".join(shape_text(v) for v in shown[:4]) + (", ..." if len(shown) > 4 else "")
    return f"{left} -> {shape_text(stage.result)}"


@DETAILS(Spatial)
def _window(op: Spatial) -> str:
    strides, dilations, pads = op.geometry()
    text = "x".join(map(str, op.window())) + f" stride {_pair(strides)}"
    if any(d != 1 for d in dilations):
        text += f" dilation {_pair(dilations)}"
    if any(pads):
        text += f" pads {pads[0] if len(set(pads)) == 1 else ','.join(map(str, pads))}"
    return text


@DETAILS(OhwiWeights)
def _grouped(op: OhwiWeights) -> str:
    return _window(op) + (f" groups {op.groups}" if op.groups > 1 else "")


def _pair(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))


def _limits(op: Op) -> tuple[float, float]:
    """The limits of a fused activation. Those of an integer operator are integers: the ends of its type limit nothing,
    and where the lower limit is the zero point it is a relu."""
    low, high = op.limits() or (-math.inf, math.inf)
    if not op.type.dtype.is_integer:
        return low, high
    least, most = op.type.dtype.limits
    if (low, high) == (op.zero_point(), most):
        return 0.0, math.inf
    return (-math.inf, math.inf) if (low, high) == (least, most) else (low, high)


def _activation(low: float, high: float) -> str:
    if (low, high) == (-math.inf, math.inf):
        return ""
    if low == 0.0 and high in (6.0, math.inf):
        return "relu" if high == math.inf else "relu6"
    return f"limits {low:g} to {high:g}"

"""Faults in the import and in the passes over tensors are blamed on the layer or the pass they are in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.planted.plant import QUIET, Fault, on_call, on_result, ops_where, params
from tinyc.compiler.frontend import activation, elementwise, normalise
from tinyc.compiler.frontend.window import Geometry
from tinyc.ir import Op
from tinyc.ir.module import Node
from tinyc.ir.ops import AvgPool2d, BatchNorm
from tinyc.ir.ops.conv import Convolution
from tinyc.passes.tensor import fold_batch_norm, fuse_activation, fuse_pad
from tinyc.passes.tensor.fuse_activation import FuseActivation
from tinyc.passes.tensor.fuse_pad import FusePad


def default_epsilon(original: Any, node: Node, rewriter: Any) -> Any:
    """As if every batch norm had the epsilon that ONNX has by default."""
    if isinstance(node.op, BatchNorm):
        node = dataclasses.replace(node, op=dataclasses.replace(node.op, epsilon=1e-5))
    return original(node, rewriter)


def without_epsilon(original: Any, *arguments: Any) -> Any:
    return original(*arguments[:-1], 0.0)


def swapped_sides(original: Any, window: Geometry) -> Any:
    top, left, bottom, right = original(window)
    return bottom, right, top, left


def swapped_axes(original: Any, window: Geometry) -> Any:
    top, left, bottom, right = original(window)
    return left, top, right, bottom


def absorb_swapped(original: Any, op: Any, pad: Any, rewriter: Any) -> Any:
    return original(op, dataclasses.replace(pad, before=pad.after, after=pad.before), rewriter)


def eight(original: Any, *limits: float) -> Any:
    return original(*(8.0 if limit == 6.0 else limit for limit in limits))


def clamp_to_eight(original: Any, x: Any, *limits: float) -> Any:
    return original(x, *(8.0 if limit == 6.0 else limit for limit in limits))


def is_relu(op: Op) -> bool:
    return isinstance(op, Convolution) and op.min == 0.0


SKIPPED = on_result(FuseActivation, ops_where(is_relu, lambda op: dataclasses.replace(op, min=-math.inf)))
COUNTED = ops_where(lambda op: isinstance(op, AvgPool2d), lambda op: dataclasses.replace(op, count_pads=True))

FAULTS = [
    Fault("epsilon at import", on_call(normalise, "BatchNorm", without_epsilon), "import differs.*'stem_bn'"),
    Fault("epsilon when folded", on_call(fold_batch_norm, "affine", default_epsilon), "pass fold-batch-norm"),
    Fault("pads' sides at import", on_call(Geometry, "pads4", swapped_sides), "import differs.*'stem'"),
    Fault("pads' axes at import", on_call(Geometry, "pads4", swapped_axes), "import differs.*'stem'"),
    Fault("pads' sides when fused", on_call(fuse_pad, "absorb", absorb_swapped), "pass fuse-pad"),
    Fault("average of pads", on_result(FusePad, COUNTED), "pass fuse-pad"),
    Fault(
        "relu skipped at import",
        on_call(activation, "Clamp", lambda original, x, **_: original(x, min=-1e30)),
        "import differs.*'depthwise_relu'",
    ),
    Fault("relu skipped when fused", SKIPPED, "pass fuse-activation"),
    Fault(
        "relu6 of 8 at import", on_call(elementwise, "Clamp", clamp_to_eight), "import differs.*'(stem|expand)_relu6'"
    ),
    Fault("relu6 of 8 when fused", on_call(fuse_activation, "intersect", eight), "pass fuse-activation"),
]
QUIETLY = [dataclasses.replace(f, name=f"{f.name}, quiet", loud=QUIET) for f in FAULTS if "relu6" in f.name]
# Calibration data may never reach a limit either.
CALIBRATED = [dataclasses.replace(f, int8=True) for f in QUIETLY]


@pytest.mark.parametrize("fault", [*params(FAULTS), *params(QUIETLY), *params(CALIBRATED, pytest.mark.slow)])
def test_it_is_caught(fault: Fault, must_catch: Callable[[Fault], None]) -> None:
    must_catch(fault)

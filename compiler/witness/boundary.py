"""Integers at the network's own inputs and outputs: what they mean, and the layers that take them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.integers import Witnessed, check_region
from tinyc.compiler.witness.layers import behind_moves
from tinyc.compiler.witness.regions import CHOOSING, OFFSET, Region, find_regions
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Copy, Dequantize, QConvolution, Quantize
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort as Port
from tinyc.passes.tensor.eliminate_common import EliminateCommon

PIXEL = 1e-12
"""Relative difference of a scale from the inverse of the deviation: one division in float64."""


def _quantize_of(module: Module, name: str) -> Node:
    """The conversion of an input, behind operators that choose among its elements if need be."""
    reached = {v for v in module.inputs if v.name == name}
    for node in module.nodes:
        if reached.intersection(node.op.operands):
            if isinstance(node.op, Quantize):
                return node
            if isinstance(node.op, CHOOSING):
                reached.add(node.result)
    raise VerificationError(f"input {name!r} is given as integers, but nothing quantizes it")


def check_boundary(
    quantised: Module,
    integers: Module,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    samples: Sequence[Sequence[Array]],
    pixels: tuple[float, float],
) -> int:
    """Holds what takes and gives integers at the interface against the quantised module, which has floats there.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: the integer module, with integers at its interface.
        inputs: what they mean, at inputs.
        outputs: the same at outputs.
        samples: inputs of the integer module.
        pixels: the mean and the deviation that uint8 inputs are normalised by.

    Returns:
        How many regions were compared: none where an input is converted behind operators that choose among its
        elements, so that only its scale can be.

    Raises:
        VerificationError: a scale is not the quantised module's, or a layer's result is further from its definition
            than rounding explains.
    """
    quantised = EliminateCommon().run(quantised)
    twins: dict[Value, Value] = {}
    meant: dict[Value, Port] = {}
    direct = True
    for port in inputs:
        value = next(v for v in integers.inputs if v.name == port.name)
        node = _quantize_of(quantised, port.name)
        direct = direct and node.op.operands[0].name == port.name
        twins[value] = node.result
        meant[node.result] = port
        if port.dtype is DType.I8:
            _check_port(port, node)
        elif port.zero != pixels[0] or abs(port.scale * pixels[1] - 1.0) > PIXEL:
            raise VerificationError(
                f"input {port.name!r} says that a pixel p stands for {port.scale:.6g} * (p - {port.zero:g}), not for "
                f"(p - {pixels[0]:g}) / {pixels[1]:g}"
            )
    for port in outputs:
        value = next(v for v in integers.outputs if v.name == port.name)
        node = quantised.producer[next(v for v in quantised.outputs if v.name == port.name)]
        _check_port(port, node)
        twins[value] = node.op.operands[0]
    if not direct:  # what stands before the conversion has no integers in the quantised module to be compared with
        return 0
    regions, _ = find_regions(quantised, integers, twins)
    touching = [r for r in regions if r.node.result in twins or any(v in twins for v, _ in r.taken)]
    found = Witnessed()
    for sample in samples:
        own: dict[Value, Array] = dict(zip(integers.inputs, sample, strict=True))
        run_module(integers, sample, own.__setitem__)
        for region in touching:
            bytes_ = {m: (own[v], meant[m]) for v, m in region.taken if m in meant and meant[m].dtype is DType.U8}
            steps = {m: _steps(quantised.producer[m], array, port) for m, (array, port) in bytes_.items()}
            unrounded = region
            for value, (_, port) in bytes_.items():
                unrounded = _of_pixels(region, value, port)
            check_region(unrounded, own, {}, found, steps)
    return len(touching)


def _check_port(port: Port, node: Node) -> None:
    op = node.op
    assert isinstance(op, (Quantize, Dequantize))
    scale, zero = (op.scale, op.zero) if isinstance(op, Quantize) else (op.scale[0], op.zero[0])
    if port.scale != float(np.float32(scale)) or port.zero != zero:
        raise VerificationError(
            f"{port.name}: its integers are said to mean {port.scale:.9g} * (q - {port.zero:g}) "
            f"where {node.where} has {float(np.float32(scale)):.9g} * (q - {zero})"
        )


def _steps(node: Node, pixels: Array, port: Port) -> Array:
    """Pixels in steps of the quantize that they come instead of, neither rounded nor limited."""
    op = node.op
    assert isinstance(op, Quantize)
    real = (pixels.astype(np.float64) - port.zero) * port.scale
    return np.asarray(real / float(np.float32(op.scale)) + op.zero)


def _of_pixels(region: Region, value: Value, port: Port) -> Region:
    """The region for pixels in place of the integers `value`: padding by the pixel nearest to the pad value, which need
    not be a whole one, and nothing rounded to the integers' steps again where it is only moved.

    Raises:
        VerificationError: it pads with another pixel.
    """
    own = next((n.op for n in region.own if isinstance(n.op, QConvolution) and any(n.op.pads)), None)
    made = {n.result: n for n in region.meant}
    nodes = []
    for node in region.meant:
        op = node.op
        if own is not None and isinstance(op, Convolution) and any(op.pads):
            wanted = op.pad_value / port.scale + port.zero
            if abs(own.zero + OFFSET - wanted) > 0.5:
                raise VerificationError(f"{region.where}: padding is pixel {own.zero + OFFSET}, not {wanted:.6g}")
            op = dataclasses.replace(op, pad_value=(own.zero + OFFSET - port.zero) * port.scale)
        again = made.get(op.x) if isinstance(op, Dequantize) else None
        if isinstance(op, Dequantize) and again is not None and isinstance(again.op, Quantize):
            first = behind_moves(made, again.op.x)
            if first is not None and first.x == value and (first.scale, first.zero) == (op.scale, op.zero):
                op = Copy(again.op.x)
        nodes.append(Node(node.result, op, node.loc))
    definition = nodes[[n.result for n in region.meant].index(region.definition.result)]
    return dataclasses.replace(region, meant=tuple(nodes), definition=definition)

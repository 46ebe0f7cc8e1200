"""Integers at the network's own inputs and outputs: what they mean, and the layers that take them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.behind import behind_moves, chosen, moved
from tinyc.compiler.witness.comparison import Witnessed, check_region
from tinyc.compiler.witness.region import OFFSET, Region
from tinyc.compiler.witness.regions import find_regions
from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Op, Value, unused
from tinyc.ir.ops import Copy, Dequantize, Quantize
from tinyc.ir.ops.layer import IntegerLayer, LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort
from tinyc.passes.tensor.eliminate_common import EliminateCommon

PIXEL = 1e-12
"""Relative difference of a scale from the inverse of the deviation: one division in float64."""


def _quantize_of(module: Module, name: str) -> Made[Quantize]:
    """The conversion of an input, behind operators that choose among its elements if need be."""
    reached = {v for v in module.inputs if v.name == name}
    for node in module.nodes:
        if reached.intersection(node.op.operands):
            found = made(node, Quantize)
            if found is not None:
                return found
            if chosen(node):
                reached.add(node.result)
    raise VerificationError(f"input {name!r} is given as integers, but nothing quantizes it")


def _dequantizes_of(module: Module, name: str) -> list[Made[Dequantize]]:
    """The conversions of what an output is, before operators that choose among these numbers if need be."""
    found: list[Made[Dequantize]] = []
    waiting = [v for v in module.outputs if v.name == name]
    while waiting:
        node = module.producer.get(waiting.pop())
        integers = made(node, Dequantize)
        if integers is not None:
            found.append(integers)
        elif node is None or not chosen(node):
            raise VerificationError(f"output {name!r} is given as integers, but nothing dequantizes it")
        else:
            waiting.extend(chosen(node))
    return found


def check_boundary(
    quantised: Module,
    integers: Module,
    inputs: Sequence[ScaledPort],
    outputs: Sequence[ScaledPort],
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
        elements, so that only its scale can be; without those of outputs that are chosen among converted numbers.

    Raises:
        VerificationError: a scale is not the quantised module's, or a layer's result is further from its definition
            than rounding explains.
    """
    quantised = EliminateCommon().run(quantised)
    twins: dict[Value, Value] = {}
    meant: dict[Value, ScaledPort] = {}
    conversions: dict[Value, Quantize] = {}
    direct = True
    for port in inputs:
        value = next(v for v in integers.inputs if v.name == port.name)
        node = _quantize_of(quantised, port.name)
        direct = direct and node.op.x.name == port.name
        twins[value] = node.result
        meant[node.result] = port
        conversions[node.result] = node.op
        if port.dtype is DType.I8:
            _check_port(port, node.where, node.op.scale, _signed(node.op.zero, node.op.to))
        elif port.zero != pixels[0] or abs(port.scale * pixels[1] - 1.0) > PIXEL:
            raise VerificationError(
                f"input {port.name!r} says that a pixel p stands for {port.scale:.6g} * (p - {port.zero:g}), not for "
                f"(p - {pixels[0]:g}) / {pixels[1]:g}"
            )
    for port in outputs:
        value = next(v for v in integers.outputs if v.name == port.name)
        given = _dequantizes_of(quantised, port.name)
        for real in given:
            _check_port(port, real.where, real.op.scale[0], _signed(real.op.zero[0], real.op.x.dtype))
        if given[0].result.name == port.name:
            twins[value] = given[0].op.x
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
            steps = {m: _steps(conversions[m], array, port) for m, (array, port) in bytes_.items()}
            unrounded = region
            for value, (_, port) in bytes_.items():
                unrounded = _of_pixels(region, value, port)
            check_region(unrounded, own, {}, found, steps)
    return len(touching)


def _signed(zero: int, dtype: DType) -> int:
    """A zero point among int8 values: what is uint8 in the quantised module is less by 128 in the integer one."""
    return zero - OFFSET if dtype is DType.U8 else zero


def _check_port(port: ScaledPort, where: str, scale: float, zero: int) -> None:
    if port.scale != float(np.float32(scale)) or port.zero != zero:
        raise VerificationError(
            f"{port.name}: its integers are said to mean {port.scale:.9g} * (q - {port.zero:g}) "
            f"where {where} has {float(np.float32(scale)):.9g} * (q - {zero})"
        )


def _steps(op: Quantize, pixels: Array, port: ScaledPort) -> Array:
    """Pixels in steps of the quantize that they come instead of, neither rounded nor limited."""
    real = (pixels.astype(np.float64) - port.zero) * port.scale
    return np.asarray(real / float(np.float32(op.scale)) + op.zero)


def _of_pixels(region: Region, value: Value, port: ScaledPort) -> Region:
    """The region for pixels in place of the integers `value`: padding by the pixel nearest to the pad value, which need
    not be a whole one, and nothing rounded to the integers' steps again where it is only moved.

    Raises:
        VerificationError: it pads with another pixel.
    """
    pads = (layer.op.outside() for layer in region.own.made_by(IntegerLayer))
    pad = next((p + OFFSET for p in pads if p is not None), None)
    nodes: list[Node] = []
    for node in region.meant.nodes:
        layer = made(node, LinearLayer)
        op: Op | None = _padded(region.where, layer.op, pad, port) if layer is not None and pad is not None else None
        nodes.append(Node(node.result, op or node.op, node.loc))
    meant = dataclasses.replace(region.meant, nodes=tuple(nodes))
    return dataclasses.replace(region, meant=_unrounded(meant, value))


def _padded(where: str, op: LinearLayer, pad: float, port: ScaledPort) -> LinearLayer:
    """A layer that pads with what a pixel stands for, if it pads."""
    outside = op.outside()
    if outside is None:
        return op
    wanted = outside / port.scale + port.zero
    if abs(pad - wanted) > 0.5:
        raise VerificationError(f"{where}: padding is pixel {pad:.0f}, not {wanted:.6g}")
    return op.with_outside((pad - port.zero) * port.scale)


def _unrounded(meant: Module, value: Value) -> Module:
    """The module without the roundings of numbers that were quantised to the steps which they have, moved before or
    since: those of a value that is pixels, which lie between these steps."""
    floats: dict[Value, Value] = {}
    steps: dict[Value, tuple[tuple[float, ...], tuple[int, ...]]] = {}
    nodes: list[Node] = []
    names = {v.name for v in (*meant.inputs, *(n.result for n in meant.nodes))}
    for node in meant.nodes:
        again, real, before = made(node, Quantize), made(node, Dequantize), moved(node.op)
        first = behind_moves(meant, again.op.x) if again is not None else None
        if again is not None and first is not None and first.x == value:
            if (first.scale, first.zero) == ((again.op.scale,), (again.op.zero,)):
                floats[node.result], steps[node.result] = again.op.x, (first.scale, first.zero)
        elif before in floats:
            op = node.op.replace_operands({before: floats[before]})
            result = Value(unused(f"{node.result.name}_unrounded", names), op.type)
            names.add(result.name)
            nodes.append(Node(result, op, node.loc))
            floats[node.result], steps[node.result] = result, steps[before]
        elif real is not None and steps.get(real.op.x) == (real.op.scale, real.op.zero):
            nodes.append(Node(node.result, Copy(floats[real.op.x]), node.loc))
            continue
        nodes.append(node)
    return dataclasses.replace(meant, nodes=tuple(nodes))

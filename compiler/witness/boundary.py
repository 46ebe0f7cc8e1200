"""Integers at the network's own inputs and outputs: what they mean, and the layers that take them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.behind import behind_moves, chosen, moved
from tinyc.compiler.witness.channels import normalised
from tinyc.compiler.witness.comparison import Witnessed, check_region
from tinyc.compiler.witness.region import OFFSET, Region
from tinyc.compiler.witness.regions import find_regions
from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Value, unused
from tinyc.ir.ops import Copy, Dequantize, Lookup, Quantize
from tinyc.ir.ops.layer import IntegerLayer, LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort
from tinyc.passes.tensor.eliminate_common import EliminateCommon

PIXEL = 1e-12
"""Relative difference of a scale from the inverse of the deviation: one division in float64."""
BYTE, INT8 = 255, (-128, 127)
NEAREST = 1e-5
"""Relative: what is rounded to float32 on the way from a pixel to the layer that pads."""


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
    pixels: Sequence[tuple[float, float]],
) -> int:
    """Holds what takes and gives integers at the interface against the quantised module, which has floats there.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: the integer module, with integers at its interface.
        inputs: what they mean, at inputs.
        outputs: the same at outputs.
        samples: inputs of the integer module.
        pixels: the mean and the deviation that uint8 inputs are normalised by, or those of each channel.

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
        behind = normalised(integers, value, node.op, port)
        if behind is not None:
            place = integers.inputs.index(value)
            samples = [[*s[:place], behind.of(s[place]), *s[place + 1 :]] for s in samples]
            integers, value = behind.module, behind.input
        converted = _by_table(integers, value, node.op, port) if value.dtype is DType.U8 else None
        twins[converted or value] = node.result
        if converted is None and behind is None:
            meant[node.result] = port
            conversions[node.result] = node.op
        if port.dtype is not DType.U8:
            _check_port(port, node.where, node.op.scale, _signed(node.op.zero, node.op.to))
        else:
            _check_pixels(port, pixels)
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
                unrounded = _of_pixels(unrounded, value, conversions[value], port)
            scales = [conversions[m].scale / port.numbers(1)[0].min() for m, (_, port) in bytes_.items()]
            coarser = float(max(scales, default=1.0))
            check_region(unrounded, own, {}, found, steps, coarser)
    return len(touching)


def _signed(zero: int, dtype: DType) -> int:
    """A zero point among int8 values: what is uint8 in the quantised module is less by 128 in the integer one."""
    return zero - OFFSET if dtype is DType.U8 else zero


def _check_pixels(port: ScaledPort, pixels: Sequence[tuple[float, float]]) -> None:
    said = port.channels or ((port.scale, port.zero),)
    for (scale, zero), (mean, deviation) in zip(said, pixels, strict=True):
        if zero != mean or abs(scale * deviation - 1.0) > PIXEL:
            raise VerificationError(
                f"input {port.name!r} says that a pixel p stands for {scale:.6g} * (p - {zero:g}), not for "
                f"(p - {mean:g}) / {deviation:g}"
            )


def _check_port(port: ScaledPort, where: str, scale: float, zero: int) -> None:
    if port.scale != float(np.float32(scale)) or port.zero != zero:
        raise VerificationError(
            f"{port.name}: its integers are said to mean {port.scale:.9g} * (q - {port.zero:g}) "
            f"where {where} has {float(np.float32(scale)):.9g} * (q - {zero})"
        )


def _steps(op: Quantize, pixels: Array, port: ScaledPort) -> Array:
    """Pixels in steps of the quantize that they come instead of, neither rounded nor limited."""
    scale, zero = port.numbers(pixels.ndim)
    return np.asarray((pixels.astype(np.float64) - zero) * scale / float(np.float32(op.scale)) + op.zero)


def _by_table(integers: Module, pixels: Value, conversion: Quantize, port: ScaledPort) -> Value | None:
    """The integers that a table makes of pixels, each as near as can be to what that pixel stands for in steps of the
    quantize; None where pixels are taken as they are, or their table is of something else as well."""
    at = pixels
    while len(users := integers.users[at]) == 1 and users[0].op.elementwise():
        found, at = made(users[0], Lookup), users[0].result
        table = integers.constant(found.op.table) if found is not None else None
        if table is not None:
            wanted = np.clip(_steps(conversion, np.arange(BYTE + 1), port) + _signed(0, conversion.to), *INT8)
            return at if np.all(np.abs(table - wanted) <= 0.5 + NEAREST * OFFSET) else None
    return None


def _of_pixels(region: Region, value: Value, conversion: Quantize, port: ScaledPort) -> Region:
    """The region for pixels in place of the integers `value`: padding by the pixel nearest to the pad value, which need
    not be a whole one, and nothing rounded to the integers' steps again where it is only moved.

    Raises:
        VerificationError: it pads with another pixel.
    """
    pads = (layer.op.outside() for layer in region.own.made_by(IntegerLayer))
    pad = next((p + OFFSET for p in pads if p is not None), None)
    meant = _unrounded(region.meant, value)
    nodes: list[Node] = []
    for node in meant.nodes:
        layer = made(node, LinearLayer)
        if layer is not None and pad is not None and layer.op.outside() is not None:
            steps = {p: float(_steps(conversion, np.array(p), port)) for p in (pad, pad - 1, pad + 1) if 0 <= p <= BYTE}
            node = Node(node.result, _padded(region.where, meant, layer.op, value, steps), node.loc)
        nodes.append(node)
    return dataclasses.replace(region, meant=dataclasses.replace(meant, nodes=tuple(nodes)))


def _padded(where: str, meant: Module, op: LinearLayer, value: Value, steps: Mapping[float, float]) -> LinearLayer:
    """A layer that pads with what a pixel stands for where the layer takes it: of all pixels the nearest to its pad
    value. `steps` has that pixel first and those beside it, in steps of `value`."""
    outside = op.outside()
    assert outside is not None
    real = {pixel: _reaching(meant, value, op.operands[0], step) for pixel, step in steps.items()}
    pad = next(iter(real))
    away = {pixel: float(np.abs(array - outside).max()) for pixel, array in real.items()}
    nearest = min(away, key=lambda pixel: away[pixel])
    if away[nearest] < away[pad] * (1 - NEAREST):
        raise VerificationError(f"{where}: padding is pixel {pad:.0f}, but {nearest:.0f} is nearer to {outside:.6g}")
    if np.ptp(real[pad]) > NEAREST * np.abs(real[pad]).max():
        raise VerificationError(f"{where}: padding is pixel {pad:.0f}, which stands for several numbers")
    return op.with_outside(float(real[pad].flat[0]))


def _reaching(meant: Module, value: Value, wanted: Value, step: float) -> Array:
    """What `wanted` is where `value` is the same everywhere, in its steps, without rounding in between."""
    known: dict[Value, Array] = {value: np.full(value.shape, step)}
    reached = {value}
    for node in meant.nodes:
        operands, real = node.op.operands, made(node, Dequantize)
        if not all(v in known for v in operands):
            continue
        if not reached.intersection(operands):
            known[node.result] = node.op.run([known[v] for v in operands])
            continue
        reached.add(node.result)
        if real is not None:
            known[node.result] = (known[real.op.x] - real.op.zero[0]) * real.op.scale[0]
        elif (again := made(node, Quantize)) is not None:
            known[node.result] = known[again.op.x] / again.op.scale + again.op.zero
        else:
            known[node.result] = node.op.run([known[v].astype(v.dtype.numpy) for v in operands]).astype(np.float64)
    return known[wanted]


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
        if again is not None and first is not None and (first.x == value or first.x in floats):
            if (first.scale, first.zero) == ((again.op.scale,), (again.op.zero,)):
                floats[node.result], steps[node.result] = again.op.x, (first.scale, first.zero)
        elif again is not None and (shift := _shifted(meant, value, node)) is not None:
            real_op = Dequantize(value, (again.op.scale,), (again.op.zero - shift,))
            result = Value(unused(f"{node.result.name}_unrounded", names), real_op.type)
            names.add(result.name)
            nodes.append(Node(result, real_op, node.loc))
            floats[node.result], steps[node.result] = result, ((again.op.scale,), (again.op.zero,))
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


def _shifted(meant: Module, value: Value, node: Node) -> int | None:
    """By how much a value that is quantised again is more than the integers `value` that it is made of, element by
    element, where that is the same for all that it does not limit: the layer then takes these in its place."""
    if node.result.shape != value.shape or node.result.dtype != value.dtype:
        return None
    shifts: set[int] = set()
    for first in range(-OFFSET, OFFSET, value.type.size):
        numbers = (np.arange(value.type.size) + first + OFFSET) % (2 * OFFSET) - OFFSET
        known = {value: numbers.astype(value.dtype.numpy).reshape(value.shape)}
        reached = {value}
        for other in meant.nodes:
            operands = other.op.operands
            if all(v in known for v in operands) and (other.op.elementwise() or not reached.intersection(operands)):
                known[other.result] = other.op.run([known[v] for v in operands])
                reached |= {other.result} if reached.intersection(operands) else set()
        if node.result not in reached:
            return None
        after = known[node.result].astype(np.int64)
        within = (after > -OFFSET) & (after < OFFSET - 1)
        shifts.update(np.unique((after - known[value])[within]).tolist())
    return shifts.pop() if len(shifts) == 1 else None

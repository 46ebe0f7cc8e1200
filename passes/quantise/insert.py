"""The `quantise` pass: float operators between dequantize and quantize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tinyc.ir.module import Builder, Made, Module, Node, made, merge_locs, remove_dead
from tinyc.ir.op import Form, Op, Value
from tinyc.ir.ops import Constant
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.quantise import Dequantize, Quantize, is_quantised
from tinyc.ir.ops.recurrent import Steps
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.core.base import Pass, PassError
from tinyc.passes.core.rewrite import tell
from tinyc.passes.quantise.calibrate import Ranges
from tinyc.passes.quantise.four_bits import integers_of, scales_of
from tinyc.passes.quantise.moments import Moments
from tinyc.passes.quantise.ranges import (
    WEIGHT_LIMIT,
    Parameters,
    in_bytes,
    quantise_bias,
    quantise_weights,
    weight_scales,
)
from tinyc.passes.quantise.scales import Scales, absorbed_clamps, assign, layer_scales, padding
from tinyc.passes.quantise.units import Unit, find_units
from tinyc.passes.quantise.widths import NONE, Widths


@dataclass(frozen=True)
class Quantise(Pass, name="quantise"):
    """Computes in int8 what can be: inserts quantize and dequantize around float operators, by calibrated ranges.

    Weights are symmetric int8 with a scale for each output channel, biases int32, activations asymmetric int8, or
    symmetric int16 where `widths` says so.

    Fields:
        ranges: of the activations.
        keep_float: names of ONNX nodes whose operators stay float.
        moments: of layers whose weights are rounded for the least error of their results: what these weights meet, by
            the results. Others are rounded to the nearest integers.
        widths: which values are int16.
        four_bits: of layers whose weights have 4 bits, by their results: what these weights meet.
    """

    ranges: Ranges
    keep_float: tuple[str, ...] = ()
    moments: Mapping[Value, Moments] = field(default_factory=dict)
    widths: Widths = NONE
    four_bits: Mapping[Value, Moments] = field(default_factory=dict)

    def run(self, module: Module) -> Module:
        if is_quantised(module):
            raise PassError("the module is quantised already: calibration takes a float model")
        units = find_units(module, self.keep_float)
        if not units:
            return module
        return _Inserter(module, units, self).run()


class _Inserter:
    """Builds the quantised module. A value keeps its name for the float numbers that others see: as `x` is the name of
    a float value, `x_float` is the unrounded result, `x_q` its integers, and `x` those dequantised."""

    def __init__(self, module: Module, units: list[Unit], how: Quantise) -> None:
        self._module, self._moments, self._four_bits = module, how.moments, how.four_bits
        layers = {u.result: layer for u in units if (layer := made(u.nodes[0], LinearLayer)) is not None}
        self._finest = {
            v: scales_of(moments, layers[v].op.by_output(self._array(layers[v].op.w)).astype(np.float64))
            for v, moments in how.four_bits.items()
        }
        self._scales: Scales = assign(module, units, how.ranges, how.widths, self._finest)
        self._units = {u.result: u for u in units}
        self._inside = {n.result for u in units for n in u.nodes}
        self._builder = Builder.within(module)
        self._known: dict[tuple[Value, Parameters], Value] = {}
        self._clamps = {
            x: y for x, y in absorbed_clamps(module, units).items() if self._saturates(self._units[y].nodes[0].op, y)
        }
        self._dropped = set(self._clamps.values())

    def run(self) -> Module:
        """The quantised module."""
        for node in self._module.nodes:
            unit = self._units.get(node.result)
            if node.result in self._dropped:
                continue
            if unit is not None:
                self._unit(unit)
            elif node.result not in self._inside:
                self._builder.put(node)
        module = self._module
        return remove_dead(Module(module.name, module.inputs, self._builder.nodes, module.outputs))

    def _saturates(self, op: Op, result: Value) -> bool:
        """Whether quantising a clamp's operand with the clamp's parameters does what the clamp does."""
        limits = op.limits()
        assert limits is not None
        p = self._scales.of[result]
        low, high = (np.clip(limit / p.scale, -1e6, 1e6).round() + p.zero for limit in limits)
        return bool(low <= p.dtype.limits[0] and high >= p.dtype.limits[1])

    def _unit(self, unit: Unit) -> None:
        mapping = {v: self._dequantised(v, self._scales.operand(unit, v)) for v in unit.operands}
        if unit.form is Form.LAYER:
            mapping |= self._weights(unit)
        elif unit.form is Form.RECURRENT:
            mapping |= self._recurrent_weights(unit)
        result = self._clamps.get(unit.result, unit.result)
        loc = merge_locs(*(self._module.producer[v].loc for v in dict.fromkeys((unit.result, result))))
        for node in unit.nodes[:-1]:
            self._builder.put(Node(node.result, node.op.replace_operands(mapping), node.loc))
        op = self._padded(unit).replace_operands(mapping)
        raw = self._builder.add(op, f"{result.name}_float", loc)
        p = self._scales.of[result]
        q = self._builder.add(Quantize(raw, p.scale, p.zero, p.dtype), f"{result.name}_q", loc)
        self._builder.put(Node(result, Dequantize(q, (p.scale,), (p.zero,)), loc))
        self._known[result, p] = result
        if result in self._dropped:
            tell(f"{self._module.producer[result].where}: saturation does what it does")

    def _padded(self, unit: Unit) -> Op:
        """The last operator of a unit; a layer pads with a number that an int8 value stands for."""
        pad, layer = padding(unit), made(unit.nodes[-1], Convolution)
        if layer is None or pad is None:
            return unit.nodes[-1].op
        p = self._scales.of[unit.operands[0]]
        return layer.op.with_outside(p.scale * (int(p.quantise(np.array(pad))) - p.zero))

    def _dequantised(self, value: Value, p: Parameters) -> Value:
        """The value rounded to integers with these parameters, as floats."""
        key = (value, p)
        if key not in self._known:
            node = self._module.producer.get(value)
            loc = node.loc if node is not None else ""
            constant = self._module.constant(value)
            if constant is not None:
                q = self._builder.add(Constant(Tensor(p.quantise(constant))), f"{value.name}_q", loc)
            else:
                q = self._builder.add(Quantize(value, p.scale, p.zero, p.dtype), f"{value.name}_q", loc)
            self._known[key] = self._builder.add(Dequantize(q, (p.scale,), (p.zero,)), f"{value.name}_dq", loc)
        return self._known[key]

    def _weights(self, unit: Unit) -> Mapping[Value, Value]:
        """Quantised weights and bias of a layer."""
        layer = made(unit.nodes[0], LinearLayer)
        assert layer is not None
        loc, axis = layer.node.loc, layer.op.output_axis
        w, *rest = layer.op.operands[1:]
        operand, result = self._scales.operand(unit, unit.operands[0]), self._scales.of[unit.result]
        input_scale = operand.scale
        weights = self._array(w)
        scales = layer_scales(self._module, unit, operand, result, self._finest.get(unit.result))
        scales = in_bytes(scales, weights.size // len(scales), input_scale, result.scale, operand.dtype)
        integers = self._integers(layer, weights, scales)
        mapping = {w: self._constant(w, integers, scales, axis, loc)}
        if rest:
            wide = scales.astype(np.float64) * input_scale
            mapping[rest[0]] = self._constant(rest[0], quantise_bias(self._array(rest[0]), wide), wide, 0, loc)
        return mapping

    def _integers(self, layer: Made[LinearLayer], weights: Array, scales: Array) -> Array:
        """Weights in steps of their scales: rounded for the layer's result where it is known what they meet, else to
        the nearest."""
        small, moments = self._four_bits.get(layer.result), self._moments.get(layer.result)
        if small is not None:
            rows = layer.op.by_output(weights).astype(np.float64)
            return np.asarray(layer.op.from_output(integers_of(small, rows, scales)))
        if moments is not None:
            return moments.rounded(layer.op, weights, scales, WEIGHT_LIMIT).astype(np.int8)
        return quantise_weights(weights, layer.op.output_axis, scales)

    def _recurrent_weights(self, unit: Unit) -> Mapping[Value, Value]:
        """Quantised weights of a recurrent layer; its biases and initial states are integers of 15 binary places."""
        layer = made(unit.nodes[0], Steps)
        assert layer is not None
        mapping = {}
        for value in (layer.op.w, layer.op.r):
            weights = self._array(value)
            scales = weight_scales(weights, 0, None, 1.0, 0.0)
            mapping[value] = self._constant(value, quantise_weights(weights, 0, scales), scales, 0, layer.node.loc)
        return mapping

    def _array(self, value: Value) -> Array:
        array = self._module.constant(value)
        assert array is not None
        return array

    def _constant(self, value: Value, data: Array, scales: Array, axis: int, loc: str) -> Value:
        q = self._builder.add(Constant(Tensor(data)), f"{value.name}_q", loc)
        op = Dequantize(q, tuple(float(s) for s in scales), (0,) * len(scales), axis)
        return self._builder.add(op, f"{value.name}_dq", loc)

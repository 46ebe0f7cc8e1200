"""Bias correction: the mean error that quantisation causes at a layer's result is taken out of the layer's bias.

Nagel et al., "Data-free quantization through weight equalization and bias correction" (ICCV 2019), section 4.2, in the
empirical form of their appendix D: layer by layer, with the layers before corrected already, the mean over calibration
data of (float - quantised) of each channel, before the activation, is added to the bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value, unused
from tinyc.ir.ops import Constant
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import Pass
from tinyc.passes.quantise.biases import dequantised, real_bias, sum_scales, with_biases
from tinyc.passes.quantise.calibrate import Progress, Run, Samples
from tinyc.passes.quantise.limits import BEFORE, before_limits, unlimited
from tinyc.passes.quantise.ranges import quantise_bias
from tinyc.passes.quantise.report import quantised_results


@dataclass(frozen=True)
class CorrectBias(Pass, name="correct-bias"):
    """Takes the mean error of every quantised layer out of its bias.

    Fields:
        float_module: the module before `quantise`.
        samples: calibration inputs. One tensor of each is kept at a time, while layer after layer is computed for all.
        run: the interpreter.
    """

    float_module: Module
    samples: Samples
    run_module: Run
    progress: Progress | None = None

    def run(self, module: Module) -> Module:
        return self.corrected(module)[0]

    def corrected(self, module: Module) -> tuple[Module, Mapping[str, Array]]:
        """The module with corrected biases, and these in real numbers, before they were rounded, by the names that the
        layers' results have in the float module."""
        layers = {
            node.result: name
            for name, (node, _) in quantised_results(self.float_module, module).items()
            if made(node, LinearLayer) is not None and sum_scales(module, node) is not None
        }
        if not layers:
            return module, {}
        means = self._float_means(set(layers.values()))
        biases = _Lockstep(unlimited(module, {v.name for v in layers}), self.samples, self.run_module)
        new: dict[Value, Array] = {}
        meant: dict[str, Array] = {}
        for number, (value, name) in enumerate(layers.items()):
            node = module.producer[value]
            scales = sum_scales(module, node)
            assert scales is not None
            old = real_bias(module, node)
            quantised = biases.advance(value.name + BEFORE)
            meant[name] = old + (means[name] - quantised)
            new[value] = quantise_bias(meant[name], scales)
            biases.rebias(new[value], scales)
            if self.progress is not None:
                self.progress("correct biases", number + 1, len(layers))
        return with_biases(module, new), meant

    def _float_means(self, names: set[str]) -> Mapping[str, Array]:
        module = unlimited(self.float_module, names)
        totals: dict[str, Array] = {}
        sizes: dict[str, int] = {}

        def watch(value: Value, array: Array) -> None:
            name = before_limits(value)
            if name is not None and name in names:
                flat = array.reshape(-1, array.shape[-1]).astype(np.float64)
                totals[name] = totals.get(name, 0.0) + flat.sum(axis=0)
                sizes[name] = sizes.get(name, 0) + len(flat)

        for inputs in self.samples:
            self.run_module(module, inputs, watch)
        return {name: total / sizes[name] for name, total in totals.items()}


class _Lockstep:
    """Runs a module for all samples at once, up to one value after another."""

    def __init__(self, module: Module, samples: Samples, run: Run) -> None:
        self._module, self._run = module, run
        self._known: list[dict[Value, Array]] = [dict(zip(module.inputs, s, strict=True)) for s in samples]
        self._done = 0
        self._at = module.nodes[0].result
        self._taken: list[Value] = []
        self._operands: list[list[Array]] = []

    def advance(self, name: str) -> Array:
        """Computes up to the value of this name; its mean over samples, for each channel."""
        nodes = self._module.nodes
        end = next(k for k in range(self._done, len(nodes)) if nodes[k].result.name == name) + 1
        part = nodes[self._done : end]
        self._at = part[-1].result
        later = {v for n in nodes[end:] for v in n.op.operands} | {self._at}
        self._taken = list(part[-1].op.operands[:2])
        made = {n.result for n in part}
        taken = dict.fromkeys(v for n in part for v in n.op.operands if v not in made)
        outputs = tuple(v for v in made if v in later or v in self._taken)
        segment = Module(self._module.name, tuple(taken), part, outputs)
        total: Array = np.zeros(self._at.shape[-1])
        self._operands = []
        for known in self._known:
            results = self._run(segment, [known[v] for v in taken])
            known.update(zip(outputs, results, strict=True))
            self._operands.append([known[v] for v in self._taken])
            for value in [v for v in known if v not in later]:
                del known[value]
            total = total + known[self._at].reshape(-1, self._at.shape[-1]).mean(axis=0, dtype=np.float64)
        self._done = end
        return total / len(self._known)

    def rebias(self, bias: Array, scales: Array) -> None:
        """Computes the layer last computed again, with another bias in units of its sums: what comes behind it sees the
        numbers, to the last bit, that the module with that bias has."""
        layer = made(self._module.producer[self._at], LinearLayer)
        assert layer is not None
        names = {v.name for v in (*self._taken, self._at)}
        integers, real = (Value(unused(f"bias_{k}", names), TensorType(bias.shape, k)) for k in (DType.I32, DType.F32))
        nodes = (
            Node(integers, Constant(Tensor(bias))),
            Node(real, dequantised(integers, scales)),
            Node(self._at, layer.op.with_weights(layer.op.w, real), layer.node.loc),
        )
        alone = Module(self._module.name, tuple(self._taken), nodes, (self._at,))
        for known, operands in zip(self._known, self._operands, strict=True):
            (known[self._at],) = self._run(alone, operands)

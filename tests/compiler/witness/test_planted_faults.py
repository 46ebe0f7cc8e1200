"""Faults planted in the passes and in the arithmetic that interpreter and C share: plain compilation names the layer.

Every fault is one that all executors agree on, so that comparing them shows nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyc
from tests.compiler.witness.networks import calibration, network
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.session import api
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import AccuracyError
from tinyc.ir import Module, Value, fixed_point
from tinyc.ir.module import Node
from tinyc.ir.op import Op
from tinyc.ir.ops import Constant, Lookup, QAdd, QConvolution, QDense, QMean, QMul, QSoftmax, Quantize
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.core.manager import PassVerificationError
from tinyc.passes.integerise import Integerise, layers, scales
from tinyc.passes.quantise import bias, equalise, insert, moments
from tinyc.passes.quantise import scales as chosen

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return network(tmp_path / "net.onnx")


def compiled(model: Path, **options: Any) -> tinyc.Compilation:
    return tinyc.compile(model, quantise=tinyc.QuantiseOptions(calibration()), **options)


def caught(model: Path, folder: Path) -> str:
    with pytest.raises((VerificationError, PassVerificationError)) as found:
        compiled(model, output=folder)
    assert not folder.exists()
    return str(found.value)


def factors(times: float) -> Plant:
    """All multipliers are wrong by a factor."""
    right, plain, whole = fixed_point.to_multiplier, fixed_point.plain_multipliers, fixed_point.whole_factors
    of_bytes = fixed_point.byte_multipliers

    def wrong(given: Array) -> Array | None:
        found = of_bytes(given)
        return None if found is None else (found * times).astype(np.int64)

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(fixed_point, "to_multiplier", lambda factor: right(factor * times))
        patch.setattr(fixed_point, "plain_multipliers", lambda factors, bounds: plain(factors * times, bounds))
        patch.setattr(fixed_point, "byte_multipliers", wrong)
        patch.setattr(fixed_point, "whole_factors", lambda x, y: whole(x * times, y * times))

    return plant


def correction(times: float) -> Plant:
    """The correction of every bias is taken so many times."""
    right = bias.quantise_bias

    def plant(patch: pytest.MonkeyPatch) -> None:
        corrected = bias.CorrectBias.corrected

        def wrong(self: bias.CorrectBias, module: Module) -> tuple[Module, Mapping[str, Array]]:
            old: list[Array] = []
            known = bias.real_bias

            def remembered(module: Module, node: Node) -> Array:
                old.append(known(module, node))
                return old[-1]

            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(bias, "real_bias", remembered)
                inner.setattr(bias, "quantise_bias", lambda b, s: right(old[-1] + times * (b - old[-1]), s))
                made, meant = corrected(self, module)
            return made, {n: o + times * (m - o) for (n, m), o in zip(meant.items(), old, strict=True)}

        patch.setattr(bias.CorrectBias, "corrected", wrong)

    return plant


def floored(patch: pytest.MonkeyPatch) -> None:
    def floor(b: Array, s: Array) -> Array:
        return np.asarray(np.clip(np.floor(b.astype(np.float64) / s), -(2**30), 2**30)).astype(np.int32)

    patch.setattr(insert, "quantise_bias", floor)
    patch.setattr(bias, "quantise_bias", floor)


def floored_by_integerise(patch: pytest.MonkeyPatch) -> None:
    """The folded zero point is one unit off, as when a bias is floored there."""
    numbers = layers.numbers_of

    def less(*args: Any) -> Any:
        made = numbers(*args)
        return dataclasses.replace(made, bias=made.bias - 1) if isinstance(made, layers.Numbers) else made

    patch.setattr(layers, "numbers_of", less)


def fine_weights(patch: pytest.MonkeyPatch) -> None:
    right = chosen.weight_scales
    patch.setattr(chosen, "weight_scales", lambda *args: (right(*args) / 4).astype(np.float32))


def coarse_weights(patch: pytest.MonkeyPatch) -> None:
    right = chosen.weight_scales
    patch.setattr(chosen, "weight_scales", lambda *args: (right(*args) * 4).astype(np.float32))


def ties(kind: str) -> Plant:
    """The rounding shift's or the high multiply's ties go elsewhere."""

    def shift(x: Array, right: Array | int) -> Array:
        wide, places = x.astype(np.int64), np.asarray(right, np.int64)
        half, unit = (np.int64(1) << places) >> 1, np.int64(1) << places
        up = (wide + half) >> places
        tie = (wide & (unit - 1) == half) & (places > 0)
        if kind == "up":
            return np.asarray(up)
        return np.asarray(np.where(tie, wide >> places, up) if kind == "down" else np.where(tie, up & ~1, up))

    def multiply(x: Array, multiplier: Array | int) -> Array:
        product = x.astype(np.int64) * np.asarray(multiplier, np.int64)
        return np.asarray(np.minimum((product + (1 << 30) - 1) >> 31, fixed_point.INT32[1]))

    def plant(patch: pytest.MonkeyPatch) -> None:
        name = "high_multiply" if kind == "multiply" else "rounding_shift"
        patch.setattr(fixed_point, name, multiply if kind == "multiply" else shift)

    return plant


def equalised(pick: Callable[[int], Array]) -> Plant:
    """The equalisation's factors are multiplied by others, consistently."""
    right = equalise._helpful

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(equalise, "_helpful", lambda *args: (s := right(*args)) * pick(len(s)))

    return plant


def inconsistent(patch: pytest.MonkeyPatch) -> None:
    """The second layer's weights undo thirty times what the first layer's were divided by."""
    right = equalise.PairWeights.scale

    def scale(self: Any, pair: Any, s: Array) -> None:
        right(self, pair, s)
        key = (pair.second.result, 1)
        self._arrays[key] = self._arrays[key] * 30

    patch.setattr(equalise.PairWeights, "scale", scale)


def zero_points(patch: pytest.MonkeyPatch) -> None:
    """Every result's zero point is one more than its scale says."""
    right = scales.Scale.of

    def of(op: Any) -> scales.Scale:
        found = right(op)
        return scales.Scale(found.scale, min(found.zero + 1, 127)) if isinstance(op, Quantize) else found

    patch.setattr(scales.Scale, "of", staticmethod(of))


def changed(kind: type[Op], change: Callable[[Any, Module], Op | Array]) -> Plant:
    """`integerise` makes one operator of a kind wrong: another operator, or another table or vector for its last
    constant operand."""
    run = Integerise.run

    def plant(patch: pytest.MonkeyPatch) -> None:
        def wrong(self: Integerise, module: Module) -> Module:
            made = run(self, module)
            nodes: list[Node] = []
            done = False
            for node in made.nodes:
                new = change(node.op, made) if isinstance(node.op, kind) and not done else None
                if isinstance(new, Op):
                    nodes.append(Node(node.result, new, node.loc))
                    done = done or new != node.op
                elif new is not None:
                    value = Value("planted", node.op.operands[1].type)
                    nodes.append(Node(value, Constant(Tensor(new)), node.loc))
                    nodes.append(Node(node.result, node.op.replace_operands({node.op.operands[1]: value}), node.loc))
                    done = True
                else:
                    nodes.append(node)
            assert done, "nothing was planted"
            return Module(made.name, made.inputs, tuple(nodes), made.outputs)

        patch.setattr(Integerise, "run", wrong)

    return plant


def entry(op: Lookup, module: Module) -> Array:
    table = module.constant(op.table)
    assert table is not None
    new = table.copy()
    new[100] += 1 if new[100] < 127 else -1
    return new


def padded(op: QConvolution, _: Module) -> QConvolution:
    return dataclasses.replace(op, zero=op.zero + 1) if any(op.pads) else op


def limit(op: QConvolution, _: Module) -> QConvolution:
    return dataclasses.replace(op, max=op.max - 2)


def scaled(name: str) -> Callable[[Any, Module], Op]:
    return lambda op, _: dataclasses.replace(op, **{name: int(getattr(op, name) * 0.98)})


def one(index: int, times: float) -> Callable[[int], Array]:
    return lambda size: np.where(np.arange(size) % size == index, times, 1.0)


FAULTS: dict[str, Plant] = {
    "multiplier x1.02": factors(1.02),
    "multiplier x1.001": factors(1.001),
    "bias correction x-4": correction(-4.0),
    "bias correction x-1": correction(-1.0),
    "bias correction x4": correction(4.0),
    "bias floored": floored,
    "bias one unit less": floored_by_integerise,
    "weight scales / 4": fine_weights,
    "weight scales x 4": coarse_weights,
    "shift ties up": ties("up"),
    "shift ties down": ties("down"),
    "shift ties to even": ties("even"),
    "multiply ties down": ties("multiply"),
    "pad holds the zero point and one": changed(QConvolution, padded),
    "equalisation x30 of one layer alone": inconsistent,
    "equalisation x30 of every other channel": equalised(lambda n: np.where(np.arange(n) % 2, 30.0, 1.0)),
    "zero points one more": zero_points,
    "a table's entry": changed(Lookup, entry),
    "upper limit of ReLU6": changed(QConvolution, limit),
    "sum: first operand's multiplier": changed(QAdd, scaled("x_multiplier")),
    "sum: result's multiplier": changed(QAdd, scaled("out_multiplier")),
    "product's multiplier": changed(QMul, scaled("multiplier")),
    "mean's multiplier": changed(QMean, scaled("multiplier")),
    "softmax's multiplier": changed(QSoftmax, scaled("multiplier")),
    "dense: zero point of the result": changed(QDense, lambda op, _: dataclasses.replace(op, out_zero=op.out_zero - 1)),
}


def test_without_a_fault(model: Path) -> None:
    made = compiled(model)
    found, quantisation = made.lowered.witnessed, made.lowered.quantisation
    assert found is not None
    assert quantisation is not None
    kinds = {s.op.mnemonic for s in made.program.stages}
    assert {"qconv2d", "qdepthwise_conv2d", "qadd", "qmul", "qmean", "qdense", "qsoftmax", "lookup"} <= kinds
    assert not found.left
    assert quantisation.layers == 5
    assert found.constants >= 6
    # One rounding, and the high multiply's before it.
    assert 0.4 < found.steps < 0.7
    assert found.reference is not None
    assert found.reference < 0.51
    witness = made.report["witness"]
    assert witness["integer_layers"] == found.layers
    assert witness["float_layers"] == 5


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault(name: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[name](monkeypatch)
    print(name, "->", caught(model, tmp_path / "out"))


@pytest.mark.parametrize("times", [-4.0, -1.0, 4.0])
def test_bias_correction_on_a_part_of_the_data(times: float, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More calibration data than the means are taken of."""
    correction(times)(monkeypatch)
    with pytest.raises(VerificationError, match="bias correction does harm"):
        tinyc.compile(model, quantise=tinyc.QuantiseOptions(calibration(60)))


def test_much_data_without_a_fault(model: Path) -> None:
    tinyc.compile(model, quantise=tinyc.QuantiseOptions(calibration(60)))


def _last(given: dict[str, Any]) -> dict[str, Any]:
    """Options for channels-first data, for a module that takes its channels last."""

    def moved(samples: Any) -> Any:
        return [[np.ascontiguousarray(a.transpose(0, 2, 3, 1)) for a in s] for s in samples]

    data = Calibration(moved(calibration().samples))
    return {"quantise": tinyc.QuantiseOptions(data), "samples": moved(given["samples"])}


def test_inputs_that_calibration_has_not_shown(model: Path) -> None:
    """Three times as large: int8 cuts them off."""
    samples = calibration(4, seed=9, scale=3.0).samples
    given = {"quantise": tinyc.QuantiseOptions(calibration()), "samples": samples}
    with pytest.raises(AccuracyError, match="input image"):
        tinyc.compile(model, input_layout="nhwc", **_last(given))
    with pytest.raises(AccuracyError, match=r"input image: .*beyond what its integers .*calibrate with more data"):
        tinyc.compile(model, **given)
    made = tinyc.compile(model, accept_accuracy=True, **given)
    assert made.lowered.quantisation is not None
    assert made.lowered.quantisation.accepted
    assert made.report["witness"]["accepted"]


def test_noise_beyond_the_steps(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are right by every definition but are rounded away: as accuracy, it can be accepted."""
    right = insert.quantise_weights

    def noisy(weights: Array, axis: int, factors: Array) -> Array:
        return np.asarray(right(weights, axis, factors) // 24 * 24).astype(np.int8)

    monkeypatch.setattr(insert, "quantise_weights", noisy)
    monkeypatch.setattr("tinyc.compiler.witness.quantisation.check_floats", lambda *_: 0)
    monkeypatch.setattr("tinyc.compiler.witness.quantisation.check_correction", lambda *_: None)
    options = tinyc.QuantiseOptions(calibration(), rounding="nearest")
    with pytest.raises(AccuracyError, match="above what its steps predict"):
        tinyc.compile(model, quantise=options, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    tinyc.compile(model, quantise=options, output=tmp_path / "out", accept_accuracy=True)
    assert (tmp_path / "out").exists()


def test_weights_rounded_for_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each weight is next to its float, but all are rounded as they should not be."""
    right = moments.round_weights

    def away(weights: Array, scales: Array, second: Array, limit: int, beside: bool) -> Array:
        nearest = right(weights, scales, np.eye(weights.shape[-1]), limit, beside)
        off = np.sign(weights / scales - nearest).astype(np.int64)
        return np.clip(nearest + off, -limit, limit)

    monkeypatch.setattr(moments, "round_weights", away)
    with pytest.raises(VerificationError, match=r"layer .*: its weights, rounded for its result, make"):
        compiled(model, accept_accuracy=True)


def test_exactness_cannot_be_accepted(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factors(1.02)(monkeypatch)
    with pytest.raises(PassVerificationError, match="pass integerise: changed the meaning of qconv2d"):
        compiled(model, accept_accuracy=True)


def test_verify_and_quantize_see_the_same(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = tinyc.QuantiseOptions(calibration())
    with monkeypatch.context() as patch:
        fine_weights(patch)
        with pytest.raises(VerificationError, match="one step off"):
            api.quantize(model, tmp_path / "out.onnx", options)
        assert not (tmp_path / "out.onnx").exists()
    api.quantize(model, tmp_path / "int8.onnx", options)
    assert all(v.passed for v in api.verify(model, on=["interpreter"], quantise=options))
    factors(1.02)(monkeypatch)
    for name, chosen_options in ((model, {"quantise": options}), (tmp_path / "int8.onnx", {})):
        with pytest.raises(PassVerificationError, match="pass integerise: changed the meaning of qconv2d"):
            api.verify(name, on=["interpreter"], **chosen_options)

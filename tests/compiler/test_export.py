"""Export to ONNX: onnxruntime computes from the file what the interpreter computes from the module."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.compiler.export_cases import CASES, SHAPE, constant
from tests.frontend.support import run_onnxruntime
from tests.fuzz.onnx_signals import signal_model
from tests.helpers import DATA, assert_close, model, run
from tests.mnist import published_mobile_lenet, test_images
from tinyc.backends.interpreter import run_module
from tinyc.compiler.base.files import OutputError
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.export import ExportError, to_onnx_qdq, write_onnx
from tinyc.compiler.export.graph import SPELLINGS
from tinyc.compiler.export.operators import same, same_elementwise
from tinyc.compiler.frontend import Imported, Port, load_onnx
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.reference import to_onnx
from tinyc.compiler.session import quantize
from tinyc.ir import Builder, DType, Module, Op, TensorType, Value, ops
from tinyc.ir.ops import registry
from tinyc.ir.ops.int8 import Int8
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.pipeline import tensor_passes
from tinyc.passes.quantise import quantise_module

F32 = DType.F32


def ports(values: Sequence[Value], prefix: str, perm: tuple[int, ...] | None = None) -> list[Port]:
    def shape(v: Value) -> tuple[int, ...]:
        return v.shape if perm is None else tuple(v.shape[int(p)] for p in np.argsort(perm))

    return [Port(f"{prefix}{k}", v, shape(v), perm) for k, v in enumerate(values)]


def export(module: Module, perm: tuple[int, ...] | None = None) -> onnx.ModelProto:
    """The module as a model with inputs x0, x1, ... and outputs y0, y1, ..., checked by onnx."""
    exported = to_onnx_qdq(module, ports(module.inputs, "x", perm), ports(module.outputs, "y", perm))
    onnx.checker.check_model(exported, full_check=True)
    return exported


def check(module: Module, arrays: Sequence[Array], tolerance: float = 2e-6) -> onnx.ModelProto:
    """Exports a module and compares onnxruntime with the interpreter; the tolerance is 16 roundings of float32."""
    exported = export(module)
    feeds = {f"x{k}": a for k, a in enumerate(arrays)}
    assert_close(run(module, arrays), run_onnxruntime(exported, feeds, optimise=False), tolerance)
    return exported


def numbers(value: Value, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if value.dtype is DType.BOOL:
        return rng.integers(0, 2, value.shape).astype(np.bool_)
    if value.dtype.is_integer:
        return rng.integers(0 if value.dtype is DType.U8 else -9, 10, value.shape).astype(value.dtype.numpy)
    return rng.uniform(0.2, 2, value.shape).astype(np.float32)


def operators(exported: onnx.ModelProto) -> Counter[str]:
    return Counter(n.op_type for n in exported.graph.node)


# Every operator, on a value that lies as in the module and on one that lies channels first


@pytest.mark.parametrize("first", [False, True], ids=["as_it_is", "channels_first"])
@pytest.mark.parametrize("name", CASES)
def test_operator(name: str, first: bool) -> None:
    b = Builder(name)
    x = b.input("x", TensorType(SHAPE, F32))
    lying = b.add(ops.MaxPool2d(x, (1, 1))) if first else x
    y = b.add(CASES[name](b, lying))
    module = b.build([y])
    ours = run(module, [numbers(x)])[0]
    assert len(np.unique(ours)) > 1, "the case tells nothing: all results are equal"
    check(module, [numbers(x)])


def test_every_operator_is_exported_or_refused() -> None:
    made: set[type[Op]] = {ops.Constant}
    for make in CASES.values():
        b = Builder("m")
        x = b.input("x", TensorType(SHAPE, F32))
        b.add(make(b, x))
        made |= {type(n.op) for n in b.build([x]).nodes}
    named = {kind for kind in registry().values() if kind.onnx}
    written = {k for k in registry().values() if SPELLINGS.find(k) not in (None, same, same_elementwise)}
    refused = {kind for kind in registry().values() if SPELLINGS.refused(kind)}
    assert made >= named | written == set(registry().values()) - refused
    assert not (named | written) & refused
    assert refused == {kind for kind in registry().values() if issubclass(kind, Int8)}


def test_integer_operator_is_refused_by_name() -> None:
    b = Builder("m")
    x = b.input("x", TensorType((1, 4), DType.I8))
    y = b.add(ops.Lookup(x, b.constant(np.zeros(256, np.int8))), "looked_up", "layer7")
    with pytest.raises(
        ExportError, match=r"lookup %looked_up \(from layer7\): .* before it is made of integer operators"
    ):
        export(b.build([y]))


def test_pads_as_wide_as_the_window_are_refused() -> None:
    b = Builder("m")
    x = b.input("x", TensorType(SHAPE, F32))
    y = b.add(ops.AvgPool2d(x, (2, 2), pads=(0, 0, 0, 2), count_pads=True, dilations=(1, 2)))
    with pytest.raises(ExportError, match="not below the kernel"):
        export(b.build([y]))


# Layouts and names


def test_neighbouring_spatial_operators_need_no_transposes() -> None:
    b = Builder("m")
    x = b.input("x", TensorType((1, 4, 6, 5), F32))
    y = b.add(ops.Conv2d(b.add(ops.Transpose(x, (0, 2, 3, 1))), constant(b, 4, 3, 3, 4), min=0.0))
    y = b.add(ops.Add(y, b.add(ops.DepthwiseConv2d(y, constant(b, 3, 3, 4), pads=(1, 1, 1, 1)))))
    y = b.add(ops.Transpose(b.add(ops.Mul(b.add(ops.Sigmoid(y)), constant(b, 4))), (0, 3, 1, 2)))
    exported = check(b.build([y]), [numbers(x)])
    assert operators(exported) == {"Conv": 2, "Relu": 1, "Add": 1, "Sigmoid": 1, "Mul": 1}


def test_ports_channels_last_are_channels_first_in_the_file() -> None:
    b = Builder("m")
    x = b.input("x", TensorType(SHAPE, F32))
    module = b.build([b.add(ops.MaxPool2d(x, (2, 2)))])
    exported = export(module, (0, 2, 3, 1))
    assert operators(exported) == {"MaxPool": 1}
    shape = [d.dim_value for d in exported.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 4, 6, 5]
    array = numbers(x)
    (theirs,) = run_onnxruntime(exported, {"x0": array.transpose(0, 3, 1, 2)})
    assert_close(run(module, [array]), [theirs.transpose(0, 2, 3, 1)], 0)


def test_outputs_that_are_inputs_constants_and_each_other() -> None:
    b = Builder("m")
    x = b.input("x", TensorType((3,), F32))
    y = b.add(ops.Exp(x), "y0")
    check(b.build([y, x, y, constant(b, 3), b.add(ops.Neg(y))]), [numbers(x)])


def test_names_of_ports_are_nobody_elses() -> None:
    b = Builder("m")
    x = b.input("y0", TensorType((3,), F32))
    y = b.add(ops.Neg(b.add(ops.Mul(b.add(ops.Exp(x), "x0"), constant(b, 3)), "y1")), "x1")
    check(b.build([y]), [numbers(x)])


# Quantised weights and biases


def quantised_convolution(bias: Array, scale: float) -> Module:
    b = Builder("m")
    x = b.input("x", TensorType(SHAPE, F32))
    d = b.add(ops.Dequantize(b.add(ops.Quantize(x, 0.02, 3)), (0.02,), (3,)))
    w = b.constant(np.random.default_rng(3).integers(-127, 128, (2, 3, 3, 4)).astype(np.int8))
    weights = b.add(ops.Dequantize(w, (scale, 2 * scale), (0, 0), 0))
    y = b.add(ops.Conv2d(d, weights, b.constant(bias), min=0.0))
    return b.build([b.add(ops.Dequantize(b.add(ops.Quantize(y, 0.1, -128)), (0.1,), (-128,)))])


def test_weights_are_int8_and_a_float_bias_becomes_int32() -> None:
    module = quantised_convolution(np.array([0.03, -0.2], np.float32), 0.01)
    exported = check(module, [numbers(module.inputs[0])], 0)
    assert operators(exported) == {"Transpose": 2, "QuantizeLinear": 2, "DequantizeLinear": 4, "Conv": 1, "Relu": 1}
    arrays = {t.name: numpy_helper.to_array(t) for t in exported.graph.initializer}
    (conv,) = (n for n in exported.graph.node if n.op_type == "Conv")
    below = {n.output[0]: n for n in exported.graph.node}
    weights, bias = (arrays[below[name].input[0]] for name in conv.input[1:])
    assert (weights.dtype, weights.shape) == (np.int8, (2, 4, 3, 3))
    assert bias.tolist() == [150, -500]  # 0.03 / (0.02 * 0.01), -0.2 / (0.02 * 0.02)
    assert bias.dtype == np.int32


def test_a_bias_that_int32_cannot_hold_stays_float() -> None:
    module = quantised_convolution(np.array([3.0, -0.2], np.float32), 1e-9)
    assert operators(check(module, [numbers(module.inputs[0])]))["DequantizeLinear"] == 3


def test_mobile_lenet_quantised(tmp_path: Path) -> None:
    images, _ = test_images()
    imported = load_onnx(write_onnx(published_mobile_lenet(), tmp_path / "mobile_lenet.onnx"))
    module = imported.module
    for each in tensor_passes():
        module = each.run(module)  # type: ignore[attr-defined]
    samples = [[images[9000 + k : 9001 + k]] for k in range(20)]
    quantised = quantise_module(module, samples, run_watched, equalise=False, correct_bias=False).module
    exported = to_onnx_qdq(quantised, imported.inputs, imported.outputs)
    onnx.checker.check_model(exported, full_check=True)
    assert [i.name for i in exported.graph.input] == [i.name for i in imported.model.graph.input]
    assert [o.name for o in exported.graph.output] == [o.name for o in imported.model.graph.output]
    again = load_onnx(write_onnx(exported, tmp_path / "int8.onnx"))
    top = []
    for k in range(100):
        feeds = {imported.inputs[0].name: images[k : k + 1]}
        ours, back = run(quantised, [images[k : k + 1]])[0], run(again.module, [images[k : k + 1]])[0]
        theirs = run_onnxruntime(exported, feeds)[0]
        np.testing.assert_array_equal(back, ours)
        # A sum at the border between two steps may fall to either side, in every layer; an output step is 1/256.
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=0.1)
        top.append(ours.argmax() == theirs.argmax())
    assert np.mean(top) >= 0.99


def run_watched(module: Module, arrays: Sequence[Array], watch: Any = None) -> list[Array]:
    return run_module(module, list(arrays), watch)


# Real models

REAL = [
    "deeploy_tinyvit_demo",
    "dtln1_lstm",
    "espdl_streaming",
    "lenet5_tanh_avgpool",
    "micro_kws_m_fp32",
    "micro_kws_m_qdq",
    "micro_kws_m_qoperator_std",
    "mlperf_vww96_mbv1_025_tflite2onnx",
    "mnist5x5_mlp_factorio_dynq",
    "mnist_cntk_op8",
    "mnist_convinteger_dynq",
    "mnist_dynamo_rten",
    "mujoco_go1_policy",
    "nemo_dscnn_int",
    "st_yamnet256",
    "tinytaxinet_tf2onnx15",
    "traffic_sign_small_tf2onnx",
]


def feeds_of(imported: Imported, arrays: Sequence[Array]) -> Mapping[str, Array]:
    return {p.name: to_onnx(p, a) for p, a in zip(imported.inputs, arrays, strict=True)}


@pytest.mark.parametrize("optimised", [False, True], ids=["imported", "after_the_passes"])
@pytest.mark.parametrize("name", REAL)
def test_real_model_there_and_back(tmp_path: Path, name: str, optimised: bool) -> None:
    imported = load_onnx(model(f"{name}.onnx"), input_layout="nhwc" if optimised else "onnx")
    module = imported.module
    for each in tensor_passes() if optimised else []:
        module = each.run(module)  # type: ignore[attr-defined]
    exported = to_onnx_qdq(module, imported.inputs, imported.outputs)
    onnx.checker.check_model(exported, full_check=True)
    arrays = sample_inputs(imported.module)[0]
    expected, feeds = run(module, arrays), feeds_of(imported, arrays)
    # Deep networks round float32 often, and onnxruntime adds in another order (see RELATIVE in compiler/verify/).
    assert_close(expected, run_onnxruntime(exported, feeds, optimise=False), 1e-4)
    again = load_onnx(write_onnx(exported, tmp_path / "again.onnx"))
    # The same operators on the same numbers, but where an operator was made of others (a bias added after a product).
    assert_close(expected, run(again.module, [feeds[p.name] for p in again.inputs]), 1e-6)


def test_signal_there_and_back(tmp_path: Path) -> None:
    """An input that the module takes sample after sample is channels first again."""
    imported = load_onnx(signal_model(Random(3)), input_layout="nlc")
    (port,) = imported.inputs
    exported = to_onnx_qdq(imported.module, imported.inputs, imported.outputs)
    onnx.checker.check_model(exported, full_check=True)
    arrays = sample_inputs(imported.module)[0]
    expected, feeds = run(imported.module, arrays), feeds_of(imported, arrays)
    assert feeds[port.name].shape == port.onnx_shape == tuple(port.value.shape[k] for k in (0, 2, 1))
    assert_close(expected, run_onnxruntime(exported, feeds), 1e-5)
    again = load_onnx(write_onnx(exported, tmp_path / "again.onnx"))
    assert_close(expected, run(again.module, [feeds[port.name]]), 1e-6)


# Writing


def test_write_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("before")
    b = Builder("m")
    exported = export(b.build([b.input("x", TensorType((3,), F32))]))
    assert write_onnx(exported, path) == path
    assert path.read_bytes() == exported.SerializeToString()
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_write_failures_are_clear_and_leave_nothing(tmp_path: Path) -> None:
    b = Builder("m")
    exported = export(b.build([b.input("x", TensorType((3,), F32))]))
    with pytest.raises(OutputError, match=r"is a directory; give the name of a file"):
        write_onnx(exported, tmp_path)
    with pytest.raises(OutputError, match=r"cannot write .*none/m\.onnx: No such file"):
        write_onnx(exported, tmp_path / "none" / "m.onnx")
    assert not list(tmp_path.iterdir())


# Names


def names_of(exported: onnx.ModelProto) -> list[str]:
    graph = exported.graph
    given = [i.name for i in (*graph.input, *graph.initializer)]
    return [*given, *(name for node in graph.node for name in node.output)]


NAMES = ("x0", "x1", "y0", "y1", "y2", "x0_1", "mul", "min", "shape", "y0_nchw", "c_scale")
"""Names of values that clash with those of inputs, outputs and what the export itself makes."""


def tangled(seed: int) -> tuple[Module, list[Port], list[Port]]:
    """A module of few operators whose values are called like its ports, with inputs and outputs in either layout:
    outputs that are inputs (then under their names), constants, one value twice, views, weights."""
    rng = np.random.default_rng(seed)
    b = Builder("tangled")
    values = [b.input(str(rng.choice(NAMES)), TensorType((1, 2, 3, 4), F32)) for _ in range(int(rng.integers(1, 3)))]
    inputs = list(values)
    for _ in range(int(rng.integers(0, 7))):
        x, y = (values[int(k)] for k in rng.integers(0, len(values), 2))
        w = b.constant(rng.integers(-9, 9, (1, 2, 3, 4)).astype(np.int8), str(rng.choice(NAMES)))
        made: list[Op] = [
            ops.Add(x, y),
            ops.Neg(x),
            ops.Clamp(x, min=-0.5, max=0.5),
            ops.Transpose(b.add(ops.Transpose(x, (0, 3, 1, 2))), (0, 2, 3, 1)),
            ops.Reshape(b.add(ops.Reshape(x, (24,))), (1, 2, 3, 4)),
            ops.Constant(Tensor(rng.standard_normal((1, 2, 3, 4)).astype(np.float32))),
            ops.Dequantize(w, (0.25,), (1,)),
            ops.Dequantize(b.add(ops.Quantize(x, 0.25, 3, DType.I8)), (0.25,), (3,)),
        ]
        values.append(b.add(made[int(rng.integers(0, len(made)))], str(rng.choice(NAMES))))
    outputs = [values[int(k)] for k in rng.integers(0, len(values), int(rng.integers(1, 4)))]
    first = [(0, 2, 3, 1) if rng.random() < 0.5 else None for _ in inputs]
    given = [ports([v], "", p)[0] for v, p in zip(inputs, first, strict=True)]
    given = [dataclasses.replace(p, name=f"x{k}") for k, p in enumerate(given)]
    by_value = {p.value: p for p in given}
    taken: set[str] = set()
    results = []
    for k, v in enumerate(outputs):
        port = dataclasses.replace(ports([v], "", (0, 2, 3, 1) if rng.random() < 0.5 else None)[0], name=f"y{k}")
        if v in by_value and by_value[v].name not in taken and rng.random() < 0.7:
            port = by_value[v]  # the ONNX model gives an input as an output
        taken.add(port.name)
        results.append(port)
    return b.build(outputs), given, results


@pytest.mark.parametrize("seed", range(100))
def test_names_are_unique_whatever_values_are_called(seed: int) -> None:
    module, inputs, outputs = tangled(seed)
    exported = to_onnx_qdq(module, inputs, outputs)
    assert max(Counter(names_of(exported)).values()) == 1
    onnx.checker.check_model(exported, full_check=True)
    arrays = [numbers(v, k) for k, v in enumerate(module.inputs)]
    feeds = {p.name: to_onnx(p, a) for p, a in zip(inputs, arrays, strict=True)}
    found = run_onnxruntime(exported, feeds, optimise=False)
    expected = [to_onnx(p, a) for p, a in zip(outputs, run(module, arrays), strict=True)]
    assert_close(expected, found, 2e-6)  # as in `check`


@pytest.mark.parametrize("name", ["export_duplicate_name", "lstm_time_first", "LayerNorm", "MatMul_two_act", "Div_two"])
def test_quantised_cases_run_in_onnxruntime(name: str, tmp_path: Path) -> None:
    file = DATA / "cases" / "int8" / f"{name}.onnx"
    if not file.exists():
        pytest.skip(f"{file} is missing")
    imported = load_onnx(file)
    samples = [[numbers(p.value, k)] for k in range(4) for p in imported.inputs]
    out = tmp_path / "q.onnx"
    quantize(file, out, QuantiseOptions(Calibration(samples)))
    written = onnx.load(out)
    assert max(Counter(names_of(written)).values()) == 1
    onnx.checker.check_model(written, full_check=True)
    feeds = feeds_of(imported, samples[0])
    found = run_onnxruntime(written, feeds, optimise=False)
    # int8 in every layer: a few steps of the range of what comes out, not a wrong network.
    assert_close(
        [to_onnx(p, a) for p, a in zip(imported.outputs, run(imported.module, samples[0]), strict=True)], found, 0.1
    )

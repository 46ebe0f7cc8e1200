"""Small models of kinds that once failed, from the shared cases: each with its right result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import tinyc
from tests.helpers import DATA
from tests.sessions import open_onnxruntime
from tinyc.compiler.frontend import FrontendError
from tinyc.ir.tensor import Array

RNG = np.random.default_rng(11)


def case(name: str) -> Path:
    """The file of a case; skips the test where it is missing."""
    path = DATA / "cases" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    return path


def inputs_of(compiled: tinyc.Compilation) -> list[Array]:
    """Inputs that fill the range of their type."""
    found: list[Array] = []
    for port in compiled.imported.inputs:
        dtype = port.value.dtype
        if dtype.is_float:
            found.append(RNG.normal(size=port.onnx_shape).astype(np.float32))
        else:
            low, high = dtype.limits
            found.append(RNG.integers(low, high + 1, port.onnx_shape).astype(dtype.numpy))
    return found


def both(name: str, **options: object) -> tuple[tinyc.Compilation, list[Array], list[Array]]:
    """The model compiled and verified, what its C gives, and what onnxruntime gives with exact products."""
    path = case(name)
    compiled = tinyc.compile(path, **options)  # type: ignore[arg-type]
    assert compiled.verdicts
    assert all(v.passed for v in compiled.verdicts)
    given = inputs_of(compiled)
    (own,) = tinyc.execute(compiled, "host", [given])
    feeds = dict(zip((p.name for p in compiled.imported.inputs), given, strict=True))
    own = compiled.lowered.real_outputs(own)
    return compiled, own, open_onnxruntime(onnx.load(path), optimise=False).run(None, feeds)


def test_a_scale_for_each_channel() -> None:
    _, own, expected = both("compile/broadcast_channel_scale")
    np.testing.assert_allclose(own[0], expected[0], rtol=1e-6, atol=1e-7)
    assert tinyc.compile(case("compile/broadcast_channel_scale"), verify=False).program.plan is not None


def test_one_value_as_two_outputs() -> None:
    _, own, expected = both("compile/two_equal_outputs")
    np.testing.assert_array_equal(own[0], own[1])
    np.testing.assert_allclose(own[0], expected[0], rtol=0, atol=1e-5)


def test_integers_only() -> None:
    compiled, own, expected = both("compile/integers_only_maxpool")
    np.testing.assert_array_equal(own[0], expected[0])
    compiled, own, expected = both("compile/integers_only_qlinearconv")
    # Every layer's arithmetic was held against exact integers; onnxruntime multiplies by a float scale instead.
    assert compiled.report["witness"]["exact_arithmetic"] >= 1
    assert np.abs(own[0].astype(int) - expected[0]).max() <= 1


def test_products_of_uint8_and_int8() -> None:
    compiled, own, expected = both("compile/uint8_times_int8")
    assert compiled.report["witness"]["exact_arithmetic"] >= 1
    assert np.abs(own[0].astype(int) - expected[0]).max() <= 1


def test_dynamic_quantisation_of_three_layers() -> None:
    # Layers agree one by one. From end to end, a float between two steps may go either way, and moves what follows.
    _, own, expected = both("compile/dynamic_quantisation_3_layers")
    assert np.abs(own[0] - expected[0]).max() <= 0.01 * np.abs(expected[0]).max()


def test_same_padding_with_dilation() -> None:
    compiled = tinyc.compile(case("compile/same_padding_with_dilation"))
    assert all(v.passed for v in compiled.verdicts)
    assert any("SAME padding as numbers" in note for note in compiled.notes)


def test_same_padding_with_a_kernel_below_the_stride() -> None:
    compiled, own, expected = both("compile/same_padding_kernel_below_stride")
    np.testing.assert_allclose(own[0], expected[0], rtol=0, atol=1e-6)
    assert compiled.notes == ()


def test_nodes_in_any_order() -> None:
    _, own, expected = both("import/unsorted_nodes")
    np.testing.assert_allclose(own[0], expected[0], rtol=0, atol=1e-5)


def test_a_fixed_batch() -> None:
    path = case("import/fixed_batch_8")
    whole = tinyc.compile(path)
    assert '`input_shapes={"x": (1, 2, 6, 6)}`' in whole.notes[0]
    compiled = tinyc.compile(path, input_shapes={"x": (1, 2, 6, 6)})
    batch = RNG.normal(size=(8, 2, 6, 6)).astype(np.float32)
    (expected,) = open_onnxruntime(path).run(None, {"x": batch})
    own = tinyc.execute(compiled, "host", [[sample[np.newaxis]] for sample in batch])
    np.testing.assert_allclose(np.concatenate([o[0] for o in own]), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(tinyc.execute(whole, "host", [[batch]])[0][0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["argmax_head", "topk_head", "scatternd_cache", "sin_cos", "einsum_bhqd", "timedistributed_conv"]
)
def test_operators_that_were_refused(name: str) -> None:
    _, own, expected = both(f"import/{name}")
    for ours, theirs in zip(own, expected, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_half_weights() -> None:
    path = case("import/float16_weights")
    compiled = tinyc.compile(path)
    given = inputs_of(compiled)
    (own,) = tinyc.execute(compiled, "host", [given])
    kinds = {i.name: i.type.tensor_type.elem_type for i in onnx.load(path).graph.input}
    feeds = {
        p.name: a.astype(np.float16) if kinds[p.name] == onnx.TensorProto.FLOAT16 else a
        for p, a in zip(compiled.imported.inputs, given, strict=True)
    }
    (expected,) = open_onnxruntime(path).run(None, feeds)
    # float16 has 11 bits; a layer rounds its result once more.
    np.testing.assert_allclose(own[0], expected, rtol=0, atol=2**-9 * float(np.abs(expected).max()))


def test_calibration_of_a_recurrent_network_in_time_first_order(tmp_path: Path) -> None:
    path, data = case("int8/lstm_time_first"), tmp_path / "samples.npy"
    np.save(data, RNG.normal(size=(12, 7, 1, 3)).astype(np.float32))
    compiled = tinyc.compile(path, quantise=tinyc.QuantiseOptions(data))
    assert compiled.quality is not None
    assert compiled.quality.inferences == 12
    assert compiled.quality.sqnr > 20  # one sample gave 12 dB
    assert compiled.imported.inputs[0].onnx_shape == (7, 1, 3)


def test_an_exported_model_has_each_name_once(tmp_path: Path) -> None:
    path, written = case("int8/export_duplicate_name"), tmp_path / "q.onnx"
    imported = tinyc.load(path)
    arrays = {p.name: RNG.normal(size=(10, *p.onnx_shape)).astype(np.float32) for p in imported.inputs}
    np.savez(tmp_path / "data.npz", **arrays)  # type: ignore[arg-type]
    tinyc.quantize(path, written, tinyc.QuantiseOptions(tmp_path / "data.npz"))
    model = onnx.load(written)
    onnx.checker.check_model(model)
    names = [n for node in model.graph.node for n in node.output] + [t.name for t in model.graph.initializer]
    assert len(names) == len(set(names))
    open_onnxruntime(model).run(None, {name: array[0] for name, array in arrays.items()})


REFUSED = {
    "import/loop_static": "Loop",
    "import/contrib_gelu": "com.microsoft:Gelu",
    "import/contrib_fusedconv": "com.microsoft:FusedConv",
    "import/ml_scaler": "ai.onnx.ml:Scaler",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_named(name: str) -> None:
    with pytest.raises(FrontendError, match=REFUSED[name]):
        tinyc.compile(case(name))

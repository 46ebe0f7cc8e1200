"""What the frontend's tests share: running a module node by node, and comparing it with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.sessions import open_onnxruntime
from tinyc.compiler.frontend import Imported, load_onnx
from tinyc.ir import Module, Value
from tinyc.ir.tensor import Array


def run_module(module: Module, feeds: Sequence[Array]) -> dict[Value, Array]:
    """Every value of a module, by evaluating its nodes in order."""
    values = dict(zip(module.inputs, feeds, strict=True))
    for node in module.nodes:
        values[node.result] = node.op.run([values[v] for v in node.op.operands])
    return values


def run_imported(imported: Imported, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs for inputs as the ONNX model takes them."""
    arrays = [feeds[p.name] if p.perm is None else feeds[p.name].transpose(p.perm) for p in imported.inputs]
    values = run_module(imported.module, arrays)
    return [values[p.value] for p in imported.outputs]


def run_onnxruntime(model: onnx.ModelProto, feeds: Mapping[str, Array], optimise: bool = True) -> list[Array]:
    """The outputs onnxruntime computes."""
    return [np.asarray(a) for a in open_onnxruntime(model, optimise).run(None, dict(feeds))]


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of these nodes; the types of inputs are taken from example arrays."""
    graph = helper.make_graph(
        nodes,
        "test",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [helper.make_value_info(n, onnx.TypeProto()) for n in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    version = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8}.get(opset, 10)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=version)


def save(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    """Writes a model to a file."""
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def example(shape: Sequence[int], seed: int = 0, dtype: Any = np.float32) -> Array:
    """Numbers between -2 and 2 for floats, small ones for integers, both for booleans."""
    rng = np.random.default_rng(seed)
    if dtype == np.bool_:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0 if dtype == np.uint8 else -5, 6, shape).astype(dtype)
    return rng.uniform(-2, 2, shape).astype(dtype)


def check(
    tmp_path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    tolerance: float = 2e-6,
    optimise: bool = True,
) -> Imported:
    """Imports, runs and compares with onnxruntime.

    The default tolerance, relative to the largest element, is 16 roundings of float32: onnxruntime adds in another
    order than our float64 sums, and its exponentials are approximations. Integers and booleans agree exactly.
    """
    model = build(nodes, inputs, constants, outputs, opset)
    imported = load_onnx(save(model, tmp_path))
    assert_close(run_imported(imported, inputs), run_onnxruntime(model, inputs, optimise), tolerance)
    return imported


def assert_close(ours: Sequence[Array], theirs: Sequence[Array], tolerance: float, absolute: float = 0.0) -> None:
    """Same shapes and types, and elements equal up to the tolerance times the largest (exactly for integers)."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if not np.issubdtype(a.dtype, np.floating):
            np.testing.assert_array_equal(a, b)
            continue
        finite = np.abs(b[np.isfinite(b)])
        scale = float(finite.max()) if finite.size else 0.0
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale + absolute)


FLOAT = TensorProto.FLOAT

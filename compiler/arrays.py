"""Arrays that users hand over and get back: .npz files named by the model's inputs and outputs."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyc.compiler.frontend import Imported, Port
from tinyc.compiler.reference import to_module
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array, save_arrays


class ArrayError(TinycError):
    """An array file that cannot be used as the model's inputs."""


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name. Raises `ArrayError`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ArrayError(f"{path} holds one array; an .npz file with one array an input is needed")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ArrayError(f"there is no file {path}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArrayError(f"{path} is not a readable .npz file: {error}") from None


def samples_from(imported: Imported, arrays: Mapping[str, Array], source: str) -> list[list[Array]]:
    """Input sets in the module's order and layout, from arrays named as the ONNX model's inputs.

    An array has the input's shape, or several inferences along the first dimension where that one is the batch of 1.

    Raises:
        ArrayError: a missing or unknown name, a wrong shape, an element type that does not convert, or NaN.
    """
    names = [p.name for p in imported.inputs]
    if unknown := sorted(set(arrays) - set(names)):
        raise ArrayError(f"{source} has {_quoted(unknown)}; the model's inputs are {_quoted(names)}")
    if missing := [n for n in names if n not in arrays]:
        raise ArrayError(f"{source} lacks the input(s) {_quoted(missing)}")
    split = [_split(port, arrays[port.name], source) for port in imported.inputs]
    counts = {len(s) for s in split}
    if len(counts) > 1:
        raise ArrayError(f"the inputs of {source} hold different numbers of inferences: {sorted(counts)}")
    return [list(sample) for sample in zip(*split, strict=True)]


def _split(port: Port, array: Array, source: str) -> list[Array]:
    """One array an inference."""
    shape, dtype = port.onnx_shape, port.value.dtype.numpy
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ArrayError(f"{source}: input {port.name!r} is {dtype}, the array is {array.dtype}; convert it first")
    converted = np.asarray(array.astype(dtype))
    if dtype.kind == "f" and not np.isfinite(converted).all():
        raise ArrayError(f"{source}: input {port.name!r} holds NaN or infinite values")
    if array.shape == shape:
        return [to_module(port, converted)]
    if shape and shape[0] == 1 and array.shape[1:] == shape[1:] and array.shape[:1] != (0,):
        return [to_module(port, row[np.newaxis]) for row in converted]
    several = f" or N x {list(shape[1:])} for several inferences" if shape and shape[0] == 1 else ""
    raise ArrayError(f"{source}: input {port.name!r} is {list(shape)}{several}, the array is {list(array.shape)}")


def outputs_by_name(imported: Imported, outputs: Sequence[Sequence[Array]]) -> dict[str, Array]:
    """Output sets, one an inference, as one array an output, named as the ONNX model's outputs."""
    joined = {}
    for number, port in enumerate(imported.outputs):
        arrays = [o[number] for o in outputs]
        batched = len(arrays) > 1 and port.onnx_shape[:1] == (1,)
        joined[port.name] = np.concatenate(arrays) if batched else arrays[0] if len(arrays) == 1 else np.stack(arrays)
    return joined


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes a .npz file whole or not at all. Raises `ArrayError`."""
    aside = path.with_name(f".{path.name}.part")
    try:
        save_arrays(aside, arrays)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ArrayError(f"cannot write {path}: {error.strerror}") from None


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names)

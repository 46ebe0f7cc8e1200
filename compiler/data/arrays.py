"""Arrays that users hand over and get back, by the names of the model's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyc.compiler.base.checked import brief
from tinyc.compiler.base.files import reason, shown, write_file
from tinyc.compiler.frontend import Imported, Port
from tinyc.compiler.reference import to_module, to_onnx
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array, npz_bytes
from tinyc.ir.types import DType, TensorType

UNNAMED = "arr_0"
"""What `numpy.savez` calls an array that was given without a name."""


class ArrayError(TinycError):
    """Arrays, or a file of them, that cannot be used as the model's inputs."""


def read_arrays(path: Path) -> dict[str, Array] | Array:
    """The arrays of a .npz file by name, or the one array of a .npy file. Raises `ArrayError`."""
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            return np.asarray(found)
        with found as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ArrayError(f"there is no file {shown(path)}") from None
    except OSError as error:
        raise ArrayError(f"cannot read {shown(path)}: {reason(error)}") from None
    except MemoryError:
        raise ArrayError(f"{shown(path)} says that it holds more than fits into memory") from None
    except Exception as error:  # what is no array makes numpy raise many kinds, of its own and of the tokenizer
        why = " ".join(str(error).split())
        raise ArrayError(f"{shown(path)} is not a readable .npz or .npy file: {why}") from None


def read_npz(path: Path) -> dict[str, Array]:
    """The arrays of a .npz file by name. Raises `ArrayError`."""
    found = read_arrays(path)
    if not isinstance(found, dict):
        raise ArrayError(f"{shown(path)} holds one array without a name; an .npz file is needed")
    return found


def samples_from(
    imported: Imported, arrays: Mapping[str, Array] | Array, source: str, taken: Mapping[str, DType] = {}
) -> list[list[Array]]:
    """Input sets in the module's order and layout, from arrays named as the ONNX model's inputs.

    An array has the input's shape, for one inference, or one more leading axis for several; where the input's own first
    axis is a batch of 1, several inferences may lie along it as well. An array without a name will do for a model with
    one input. Arrays are converted to the element type of their input, but for those that have the one in `taken`.

    Raises:
        ArrayError: a missing or unknown name, a wrong shape, an element type or a value that does not convert, NaN, or
            a masked array.
    """
    names = [p.name for p in imported.inputs]
    named = _named(names, arrays, source)
    if unknown := sorted(set(named) - set(names)):
        raise ArrayError(f"{source}: no input is called {_quoted(unknown)}; the model's inputs are {_quoted(names)}")
    if missing := [n for n in names if n not in named]:
        raise ArrayError(f"{source}: nothing for {_quoted(missing)}; the model's inputs are {_quoted(names)}")
    split = [_split(port, named[port.name], source, taken.get(port.name)) for port in imported.inputs]
    counts = {len(s) for s in split}
    if len(counts) > 1:
        raise ArrayError(f"{source}: the arrays hold different numbers of inferences: {sorted(counts)}")
    return [list(sample) for sample in zip(*split, strict=True)]


def arguments_of(
    imported: Imported, arrays: Sequence[Array], named: Mapping[str, Array], taken: Mapping[str, DType] = {}
) -> list[list[Array]]:
    """Input sets from the arguments of a call, as `samples_from` makes them: by position, by input name, or both.
    Raises `ArrayError`."""
    names = [p.name for p in imported.inputs]
    if len(arrays) > len(names):
        raise ArrayError(f"{len(arrays)} arrays are given, and the model's inputs are {_quoted(names)}")
    by_name = dict(zip(names, arrays, strict=False))
    if twice := [n for n in named if n in by_name]:
        raise ArrayError(f"{_quoted(twice)} is given by position and by name")
    by_name |= named
    for name, array in by_name.items():
        if not isinstance(array, np.ndarray):
            raise ArrayError(f"{name!r} takes an array, not {brief(array)}")
    return samples_from(imported, by_name, "the call", taken)


def _named(names: Sequence[str], arrays: Mapping[str, Array] | Array, source: str) -> Mapping[str, Array]:
    """The arrays by name, the one without a name by that of the only input."""
    if isinstance(arrays, Mapping):
        if len(names) != 1 or set(arrays) != {UNNAMED}:
            return arrays
        arrays = arrays[UNNAMED]
    if len(names) != 1:
        raise ArrayError(
            f"{source}: one array without a name, and the model's inputs are {_quoted(names)}: give arrays by name, "
            "or an .npz file of them"
        )
    return {names[0]: arrays}


def _split(port: Port, array: Array, source: str, taken: DType | None) -> list[Array]:
    """One array an inference."""
    shape = port.onnx_shape
    _refuse_mask(array, f"{source}: input {port.name!r}")
    as_it_is = taken is not None and array.dtype == taken.numpy
    converted = array if as_it_is else _converted(port, array, source)
    if array.shape == shape:
        return [to_module(port, converted)]
    if array.size and array.shape[1:] == shape:
        return [to_module(port, one) for one in converted]
    if array.size and shape and shape[0] == 1 and array.shape[1:] == shape[1:]:
        return [to_module(port, row[np.newaxis]) for row in converted]
    raise ArrayError(
        f"{source}: input {port.name!r} is {list(shape)}, or N x {list(shape)} for several inferences, "
        f"the array is {list(array.shape)}"
    )


def _converted(port: Port, array: Array, source: str) -> Array:
    """The array in the input's element type. Raises `ArrayError` where that changes more than a rounding."""
    dtype = port.value.dtype.numpy
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ArrayError(f"{source}: input {port.name!r} is {dtype}, the array is {array.dtype}; convert it first")
    with np.errstate(over="ignore"):
        converted = np.asarray(array.astype(dtype))
    if dtype.kind == "f" and not np.isfinite(converted).all():
        raise ArrayError(f"{source}: input {port.name!r} holds NaN or infinite values")
    if dtype.kind in "iu" and (converted != array).any():
        raise ArrayError(f"{source}: input {port.name!r} is {dtype}, the array has values outside of it")
    return converted


def _refuse_mask(array: Array, what: str) -> None:
    """Raises `ArrayError` for a masked array: what it holds below its mask would be computed with."""
    if isinstance(array, np.ma.MaskedArray):
        raise ArrayError(f"{what} is a masked array: say what its masked elements are, by `array.filled(number)`")


def check_samples(imported: Imported, samples: Sequence[Sequence[Array]], option: str) -> list[list[Array]]:
    """The input sets, which are in the module's order and layout. Raises `ArrayError` when they are not."""
    return check_arrays([p.value.type for p in imported.inputs], samples, option)


def check_arrays(types: Sequence[TensorType], samples: Sequence[Sequence[Array]], option: str) -> list[list[Array]]:
    """The input sets, each with one array a type. Raises `ArrayError` naming the option and the first that differs."""
    if not len(samples):
        raise ArrayError(f"`{option}` holds no inputs")
    for number, sample in enumerate(samples):
        if len(sample) != len(types):
            raise ArrayError(
                f"`{option}`: input set {number} has {len(sample)} array(s), the model {len(types)} input(s)"
            )
        for position, (type_, array) in enumerate(zip(types, sample, strict=True)):
            _refuse_mask(array, f"`{option}`: input {position} of input set {number}")
            if array.shape != type_.shape or array.dtype != type_.dtype.numpy:
                raise ArrayError(
                    f"`{option}`: input set {number} has the array {array.dtype}{list(array.shape)} for input "
                    f"{position}, which is {type_.dtype.numpy}{list(type_.shape)} in the compiled model"
                )
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise ArrayError(f"`{option}`: input {position} of input set {number} holds NaN")
    return [list(sample) for sample in samples]


def outputs_by_name(imported: Imported, outputs: Sequence[Sequence[Array]]) -> dict[str, Array]:
    """Output sets, one an inference, as one array an output, named and laid out as the ONNX model's outputs."""
    joined = {}
    for number, port in enumerate(imported.outputs):
        arrays = [to_onnx(port, o[number]) for o in outputs]
        batched = len(arrays) > 1 and port.onnx_shape[:1] == (1,)
        joined[port.name] = np.concatenate(arrays) if batched else arrays[0] if len(arrays) == 1 else np.stack(arrays)
    return joined


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes a .npz file whole or not at all. Raises `OutputError`."""
    write_file(path, npz_bytes(arrays))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names)

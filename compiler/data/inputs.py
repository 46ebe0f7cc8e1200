"""What users have as inputs: a .npy or .npz file, an image, or a folder of such files, as input sets of a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.data.arrays import ArrayError, read_arrays, samples_from
from tinyc.compiler.data.pixels import CalibrationError, Normalise, axis_for, image_pixels
from tinyc.compiler.frontend import Imported, Port
from tinyc.compiler.reference import to_module
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

ARRAYS = {".npy", ".npz"}
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff"}
LABELS = "labels"


InputsLike = Mapping[str, Array] | Array | str | Path
"""Inputs as users have them: arrays by the names of the ONNX model's inputs, or one array without a name, each for one
inference or several (`samples_from`); or a file or folder of them (`load_inputs`)."""


@dataclass(frozen=True)
class Inputs:
    """Input sets in the module's order and layout, the class of each, where sub-folders stand for classes or files hold
    labels, what the user should know, and what the classes are called, where folders say it."""

    samples: list[list[Array]]
    classes: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interface:
    """What a quantised network takes in place of the model's floats: integers of a type, and what pixels mean where
    these are such."""

    dtype: DType
    pixels: Normalise


def load_inputs(
    path: Path, imported: Imported, normalise: Normalise | None = None, interface: Interface | None = None
) -> Inputs:
    """Inputs from a file, or from all files of a folder and its sub-folders in the order of their paths.

    A .npy file holds the input of a model that has one, a .npz file arrays named as the inputs; each for one inference
    or several (`samples_from`). Images are resized to the input where need be, or cut, made grey or RGB (BGR) as the
    input has one or three channels, and normalised, by 0 and 255 if nothing else is said. Arrays of integers 0..255 for
    an input of floats are normalised where `normalise` is given, and taken as they are, with a note, where it is not.
    Arrays of the bytes that a network takes as pixels are pixels. An array `labels` of a .npz file, if no input is
    called so, is no input but the class of each inference; else the sub-folders, of which there are two or more, are
    the classes.

    Raises:
        ArrayError: the message names the file, and what is wrong with it.
    """
    try:
        is_folder = os.path.isdir(path)
        files = _files(path) if is_folder else [path]
    except (OSError, ValueError) as error:
        raise CalibrationError(f"cannot read {shown(path)}: {reason(error)}") from None
    if not files:
        known = ", ".join(sorted(ARRAYS | IMAGES))
        raise CalibrationError(f"{shown(path)} holds no arrays and no images ({known})")
    seen = Ranges(imported, interface)
    samples: list[list[Array]] = []
    folders: list[Path] = []
    labels: list[int] = []
    for file in files:
        if file.suffix.lower() in IMAGES:
            found = [[read_image(file, imported, normalise or Normalise())]]
        else:
            arrays, own = _without_labels(read_arrays(file), imported)
            found = samples_from(imported, seen.look(arrays, normalise), shown(file))
            if own is not None:
                labels += labels_of(own, shown(file), len(found))
        samples += found
        folders += [file.parent] * len(found)
    notes = tuple(seen.notes(shown(path)))
    if labels:
        if len(labels) != len(samples):
            raise CalibrationError(
                f"{shown(path)}: only some of the files have `labels`, {len(labels)} of {len(samples)}"
            )
        return Inputs(samples, tuple(labels), notes)
    classes = sorted(set(folders))
    if not is_folder or path in classes or len(classes) < 2:
        return Inputs(samples, None, notes)
    names = tuple(c.relative_to(path).as_posix() for c in classes)
    return Inputs(samples, tuple(classes.index(f) for f in folders), notes, names)


def _without_labels(
    arrays: Mapping[str, Array] | Array, imported: Imported
) -> tuple[Mapping[str, Array] | Array, Array | None]:
    """A file's arrays less that of labels, and that one."""
    if not isinstance(arrays, Mapping) or LABELS not in arrays or LABELS in [p.name for p in imported.inputs]:
        return arrays, None
    return {name: array for name, array in arrays.items() if name != LABELS}, arrays[LABELS]


def labels_of(values: Array, source: str, count: int | None = None) -> tuple[int, ...]:
    """Classes, as whole numbers from 0, one for each of `count` inferences. Raises `CalibrationError`."""
    flat = values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values
    whole = flat.dtype.kind in "iuf" and bool(np.isfinite(flat).all() and (flat == np.rint(flat)).all())
    if flat.ndim != 1 or not whole or (flat < 0).any():
        raise CalibrationError(f"{source}: labels are whole numbers, 0 or above, one for each input")
    if count is not None and len(flat) != count:
        raise CalibrationError(f"{source} has {len(flat)} labels for {count} inputs")
    return tuple(int(v) for v in flat)


def load_arrays(
    inputs: InputsLike,
    imported: Imported,
    source: str,
    normalise: Normalise | None = None,
    interface: Interface | None = None,
) -> Inputs:
    """Inputs from arrays at hand, called `source` by errors, or from the file or folder that has them, in the same way
    as `load_inputs`. Raises `ArrayError`."""
    if isinstance(inputs, (str, Path)):
        return load_inputs(Path(inputs), imported, normalise, interface)
    seen = Ranges(imported, interface)
    return Inputs(samples_from(imported, seen.look(inputs, normalise), source), None, tuple(seen.notes(source)))


def _files(folder: Path) -> list[Path]:
    def stop(error: OSError) -> None:
        raise error

    found = [Path(where) / name for where, _, names in os.walk(folder, onerror=stop) for name in names]
    return sorted(p for p in found if p.suffix.lower() in ARRAYS | IMAGES)


class Ranges:
    """Watches for integers where a model wants floats: 0..255, which may be pixels, and those of the network's own
    interface."""

    def __init__(self, imported: Imported, interface: Interface | None = None) -> None:
        self._interface = interface
        self._floats = {p.name: p.onnx_shape for p in imported.inputs if p.value.dtype.is_float}
        self._seen: dict[str, tuple[int, int]] = {}

    def look(self, arrays: Mapping[str, Array] | Array, normalise: Normalise | None) -> Mapping[str, Array] | Array:
        """The arrays, normalised where they are pixels and it is said how. Raises `ArrayError` for integers by a scale
        that nobody knows yet."""
        if isinstance(arrays, Mapping):
            only = next(iter(self._floats)) if len(self._floats) == 1 else ""
            return {n: self._one(n if n in self._floats else only, a, normalise) for n, a in arrays.items()}
        return self._one(next(iter(self._floats)), arrays, normalise) if self._floats else arrays

    def _one(self, name: str, array: Array, normalise: Normalise | None) -> Array:
        if name and self._interface is not None and array.dtype == self._interface.dtype.numpy:
            return _real(name, array, self._interface, self._floats[name])
        whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.rint(array)).all()))
        if not name or not array.size or not whole:
            return array
        low, high = array.min(), array.max()
        if low < 0 or high > 255 or high <= 1:  # 0 and 1 are as likely a mask, or scaled already
            return array
        if normalise is not None:
            is_pixels = array.dtype.kind in "iu"
            return normalise.of(array, axis_for(normalise, name, self._floats[name])) if is_pixels else array
        before = self._seen.get(name, (int(low), int(high)))
        self._seen[name] = (min(before[0], int(low)), max(before[1], int(high)))
        return array

    def notes(self, source: str) -> list[str]:
        """One line for each input that got such integers."""
        return [
            f"{source}: input {name!r} got whole numbers from {low} to {high}, as they are. If they are pixels and the "
            "model was trained on (pixel - MEAN) / STD, convert them, or give an array of integers and "
            "`normalise=MEAN,STD`"
            for name, (low, high) in self._seen.items()
        ]


def _real(name: str, integers: Array, interface: Interface, shape: Sequence[int]) -> Array:
    """The floats that the integers of an interface stand for."""
    if interface.dtype is DType.U8:
        return interface.pixels.of(integers, axis_for(interface.pixels, name, shape))
    raise ArrayError(
        f"input {name!r} is given as {integers.dtype}, in a scale that follows from the calibration or comes "
        "with the model: give the floats of the model, or call what `tinyc.compile` returns, which takes such integers"
    )


def _image_port(imported: Imported, file: Path) -> tuple[Port, tuple[int, int], int]:
    """The only input, if it is an image: its (width, height) and channels."""
    if len(imported.inputs) == 1 and len(imported.inputs[0].onnx_shape) == 4:
        port = imported.inputs[0]
        _, a, b, c = port.onnx_shape
        if a in (1, 3):
            return port, (c, b), a
        if c in (1, 3):
            return port, (b, a), c
    raise CalibrationError(
        f"{shown(file)} is an image, but the model does not take one grey or RGB image; give .npz files instead"
    )


def read_image(path: Path, imported: Imported, normalise: Normalise) -> Array:
    """An image as the module takes it. Raises `CalibrationError`."""
    port, size, channels = _image_port(imported, path)
    _ = axis_for(normalise, port.name, port.onnx_shape)
    pixels = normalise.of(image_pixels(path, size, channels, normalise), -1)
    channel_first = port.onnx_shape[1] == channels and port.onnx_shape[1] in (1, 3)
    arranged = pixels.transpose(2, 0, 1) if channel_first else pixels
    return to_module(port, np.ascontiguousarray(arranged, np.float32).reshape(port.onnx_shape))

"""Calibration data: what users have, an .npz file or a folder of images, as input sets of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tinyc.compiler.arrays import ArrayError, read_npz, samples_from
from tinyc.compiler.frontend import Imported, Port
from tinyc.compiler.reference import to_module
from tinyc.ir.tensor import Array

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".webp", ".tif", ".tiff"}


class CalibrationError(ArrayError):
    """Calibration data that cannot be used. The message names the file or tensor."""


@dataclass(frozen=True)
class Calibration:
    """Input sets in the module's order and layout, and the class of each where it is known."""

    samples: Sequence[Sequence[Array]]
    labels: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Normalise:
    """How pixels 0..255 become what the model takes: (pixel - mean) / std."""

    mean: float = 0.0
    std: float = 255.0


def load_calibration(
    path: Path, imported: Imported, normalise: Normalise | None = None, labels: Path | None = None
) -> Calibration:
    """Calibration data from an .npz file (arrays named as the inputs) or a folder of images.

    Images are read in the order of their paths, resized to the input where need be, made grey or RGB as the input has
    one or three channels, and normalised. Where they lie in sub-folders, one a class, the folders' order gives labels.

    Args:
        path: the file or folder.
        imported: the model.
        normalise: for images; pixels / 255 by default.
        labels: one whole number an input set, in an .npy file or a text file; instead of those from sub-folders.

    Raises:
        CalibrationError, ArrayError: the message names the file, and what is wrong with it.
    """
    if path.is_dir():
        found = _from_folder(path, imported, normalise or Normalise())
    elif path.exists():
        found = Calibration(samples_from(imported, read_npz(path), str(path)))
    else:
        raise CalibrationError(f"there is no calibration data at {path}")
    if labels is None:
        return found
    given = read_labels(labels)
    if len(given) != len(found.samples):
        raise CalibrationError(f"{labels} has {len(given)} labels for {len(found.samples)} inputs")
    return Calibration(found.samples, given)


def read_labels(path: Path) -> tuple[int, ...]:
    """Whole numbers from an .npy file, or from a text file with one in each line. Raises `CalibrationError`."""
    try:
        values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1)
    except (OSError, ValueError) as error:
        raise CalibrationError(f"cannot read labels from {path}: {error}") from None
    if values.ndim != 1 or not np.isfinite(values).all() or (values != np.rint(values)).any() or (values < 0).any():
        raise CalibrationError(f"{path} does not hold one whole number (0 or above) for each input")
    return tuple(int(v) for v in values)


def _from_folder(folder: Path, imported: Imported, normalise: Normalise) -> Calibration:
    port, size, channels = _image_port(imported, folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGES)
    if not files:
        raise CalibrationError(f"{folder} holds no images ({', '.join(sorted(IMAGES))})")
    samples = [[to_module(port, _read_image(f, port, size, channels, normalise))] for f in files]
    classes = sorted({f.parent for f in files})
    labelled = folder not in classes and len(classes) > 1
    return Calibration(samples, tuple(classes.index(f.parent) for f in files) if labelled else None)


def _image_port(imported: Imported, folder: Path) -> tuple[Port, tuple[int, int], int]:
    """The only input, if it is an image: its (width, height) and channels."""
    if len(imported.inputs) == 1 and len(imported.inputs[0].onnx_shape) == 4:
        port = imported.inputs[0]
        _, a, b, c = port.onnx_shape
        if a in (1, 3):
            return port, (c, b), a
        if c in (1, 3):
            return port, (b, a), c
    raise CalibrationError(
        f"{folder} is a folder of images, but the model does not take one grey or RGB image; give an .npz file instead"
    )


def _read_image(path: Path, port: Port, size: tuple[int, int], channels: int, normalise: Normalise) -> Array:
    """An image as the ONNX model takes it."""
    try:
        with Image.open(path) as image:
            ready = image.convert("L" if channels == 1 else "RGB").resize(size, Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise CalibrationError(f"{path} is not a readable image: {error}") from None
    pixels = (np.asarray(ready, np.float32).reshape(size[1], size[0], channels) - normalise.mean) / normalise.std
    channel_first = port.onnx_shape[1] == channels and port.onnx_shape[1] in (1, 3)
    arranged = pixels.transpose(2, 0, 1) if channel_first else pixels
    return np.ascontiguousarray(arranged, np.float32).reshape(port.onnx_shape)

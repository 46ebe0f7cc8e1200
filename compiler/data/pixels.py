"""How pixels become what a model takes: the scale of each channel, the order of colours, and the part of an image file
that is seen."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from tinyc.backends.c import PixelScale
from tinyc.compiler.base.checked import AtLeast, OptionError, checked
from tinyc.compiler.base.files import reason, shown
from tinyc.compiler.data.arrays import ArrayError
from tinyc.ir.tensor import Array
from tinyc.passes.integerise.channels import channel_axis

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_IMAGE = 50_000_000
"""Pixels. Decoding takes 4 bytes for each, twice: what cameras make, and no file that is small and takes gigabytes."""
Pairs = tuple[tuple[float, float], ...]
"""Mean and deviation of pixels 0..255: one pair for all channels, or one for each."""


class CalibrationError(ArrayError):
    """Inputs that cannot be used. The message names the file or tensor."""


@checked
@dataclass(frozen=True)
class Normalise:
    """How pixels 0..255 become what the model takes: (pixel / scale - mean) / std.

    Attributes:
        mean: one number, or one for each channel of the model, in its order.
        std: the same, above 0.
        scale: what pixels are divided by first: 255 where mean and std are those of numbers 0..1.
        channels: the order of the model's three colours. Image files and cameras have others turned; arrays are taken
            as they are.
        resize: of image files, what the shorter side becomes; then the centre is cut out. Without it, and without
            `crop`, the whole image is stretched to the input's shape.
        crop: cut the largest part of the input's shape out of the centre of an image file, and scale that.
    """

    mean: float | Sequence[float] = 0.0
    std: float | Sequence[float] = 255.0
    scale: float = 1.0
    channels: Literal["rgb", "bgr"] = "rgb"
    resize: Annotated[int, AtLeast(1)] | None = None
    crop: bool = False

    def __post_init__(self) -> None:
        means, stds = _listed(self.mean), _listed(self.std)
        if not all(0.0 < s < math.inf for s in stds):
            raise OptionError(f"`std` is above 0, not {self.std}")
        if not 0.0 < self.scale < math.inf:
            raise OptionError(f"`scale` is above 0, not {self.scale}")
        if len({len(means), len(stds)} - {1}) > 1 or not means or not stds:
            raise OptionError(f"`mean` has {len(means)} numbers and `std` {len(stds)}: give one for each channel")

    @property
    def pairs(self) -> Pairs:
        """Mean and deviation as pixels have them: one pair where it is that of all channels."""
        means, stds = _listed(self.mean), _listed(self.std)
        count = max(len(means), len(stds))
        means, stds = (v * count if len(v) == 1 else v for v in (means, stds))
        pairs = tuple((m * self.scale, s * self.scale) for m, s in zip(means, stds, strict=True))
        return pairs[:1] if len(set(pairs)) == 1 else pairs

    @property
    def pixel_scale(self) -> PixelScale:
        """The same as generated code has it."""
        return PixelScale(self.pairs, self.channels == "bgr")

    def of(self, pixels: Array, axis: int) -> Array:
        """Pixels normalised, in float32; `axis` counts channels, where these differ."""
        shape = [1] * pixels.ndim
        if len(self.pairs) > 1:
            shape[axis] = -1
        mean, std = (np.array([p[k] for p in self.pairs], np.float32).reshape(shape) for k in (0, 1))
        return np.asanyarray((pixels.astype(np.float32) - mean) / std)


def _listed(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) if isinstance(values, (int, float)) else tuple(float(v) for v in values)


def axis_for(normalise: Normalise, name: str, shape: Sequence[int]) -> int:
    """The dimension that channels are counted in, from the end, if it matters. Raises `CalibrationError` where the
    input has not as many."""
    count = len(normalise.pairs)
    axis = channel_axis(shape, count)
    if count > 1 and axis is None:
        raise CalibrationError(
            f"input {name!r} is {list(shape)}, and `normalise` has {count} means and deviations: give one pair, or as "
            "many as the input has channels"
        )
    return -1 if axis is None else axis


def image_pixels(path: Path, size: tuple[int, int], channels: int, normalise: Normalise) -> Array:
    """The pixels of an image file as the network sees them: [height, width, channels], uint8. `size` is width and
    height. What is scaled is so by Pillow's bilinear filter, which is as wide as a pixel of the result. Raises
    `CalibrationError`."""
    from PIL import Image  # takes long, and few need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is lower
            with Image.open(path) as image:
                if image.width * image.height > LARGEST_IMAGE:
                    raise _too_large(path, f"{image.width} x {image.height} pixels")
                ready = _fitted(path, image.convert("L" if channels == 1 else "RGB"), size, normalise)
    except Image.DecompressionBombError:
        raise _too_large(path, "too many pixels") from None
    except OSError as error:  # what is no image is one, too
        raise CalibrationError(f"{shown(path)} is not a readable image: {reason(error)}") from None
    except (SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise CalibrationError(f"{shown(path)} is not a readable image: {error}") from None
    pixels = np.asarray(ready).reshape(size[1], size[0], channels)
    return pixels[:, :, ::-1] if channels == 3 and normalise.channels == "bgr" else pixels


def _fitted(path: Path, image: Image, size: tuple[int, int], normalise: Normalise) -> Image:
    """The image scaled, and cut, to the size."""
    from PIL.Image import Resampling

    width, height = size
    if normalise.resize is not None:
        short = min(image.size)
        whole = [max(side * normalise.resize // short, 1) for side in image.size]
        if whole[0] < width or whole[1] < height:
            raise CalibrationError(
                f"{shown(path)} is {whole[0]} x {whole[1]} pixels by `resize={normalise.resize}`, and the input "
                f"{width} x {height}: take a larger one"
            )
        left, top = (round((a - b) / 2) for a, b in zip(whole, size, strict=True))
        scaled = image.resize((whole[0], whole[1]), Resampling.BILINEAR)
        return scaled.crop((left, top, left + width, top + height))
    if normalise.crop:
        part = min(image.width / width, image.height / height)
        x, y = (image.width - part * width) / 2, (image.height - part * height) / 2
        box = (x, y, min(x + part * width, image.width), min(y + part * height, image.height))
        return image.resize(size, Resampling.BILINEAR, box)
    return image.resize(size, Resampling.BILINEAR)


def _too_large(path: Path, what: str) -> CalibrationError:
    return CalibrationError(
        f"{shown(path)} has {what}, more than {LARGEST_IMAGE:,}; make it smaller: it is scaled to the input anyway"
    )

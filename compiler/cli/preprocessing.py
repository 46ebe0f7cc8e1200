"""How pixels become what the model takes, as the command line has it."""

from __future__ import annotations

import math
import re
from typing import Literal

from tinyc.compiler.data.pixels import Normalise
from tinyc.ir.errors import TinycError


def parse_normalise(
    text: str, scale: str = "", channels: Literal["rgb", "bgr"] = "rgb", resize: str = "", crop: bool = False
) -> Normalise | None:
    """What --normalize and the flags beside it say; None for nothing. Raises `TinycError` for what makes no sense."""
    if not (text or scale or resize or crop or channels != "rgb"):
        return None
    divisor = _number(scale) if scale else 1.0
    if divisor is None or divisor <= 0.0:
        raise TinycError(f"--pixel-scale takes a number above 0, as in 255; not {scale!r}")
    if resize and not re.fullmatch(r"[1-9][0-9]{0,4}", resize):
        raise TinycError(f"--resize takes the number of pixels that the shorter side gets, not {resize!r}")
    mean, std = _pair(text) if text else ((0.0,), (1.0,) if scale else (255.0,))
    one = len(mean) == len(std) == 1
    return Normalise(
        mean[0] if one else mean, std[0] if one else std, divisor, channels, int(resize) if resize else None, crop
    )


def _pair(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """`MEAN,STD`, or `R,G,B/R,G,B`: means, and deviations behind a slash. Raises `TinycError`."""
    parts = text.split("/") if "/" in text else text.split(",")
    lists = [[_number(word) for word in part.split(",")] for part in parts]
    known = [tuple(v for v in values if v is not None) for values in lists]
    fits = len(known) == 2 and all(len(k) == len(v) for k, v in zip(known, lists, strict=True))
    if not fits or len(known[0]) != len(known[1]) or min(known[1]) <= 0.0:
        raise TinycError(
            "--normalize takes MEAN,STD (numbers, STD above 0), as in 127.5,127.5, or a mean for each channel and, "
            f"behind a slash, a deviation, as in 124,116,104/58.4,57.1,57.4; not {text!r}"
        )
    return known[0], known[1]


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

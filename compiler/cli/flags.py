"""Options as the command line spells them.

Messages name options as the library has them, in backquotes: `ram`, `rows_from=callback`. Here, and nowhere else, they
become flags: --ram, --rows-from callback.
"""

from __future__ import annotations

import dataclasses
import re

from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.options import CustomPass, Options, QuantiseOptions

_OTHERS = {
    "activations": "--quantize",
    "arrays": "--inputs",
    "extra_passes": "--pass",
    "input_shapes": "--input-shape",
    "inputs": "--inputs",
    "normalise": "--normalize",
    "output": "-o",
    "scale": "--pixel-scale",
    "quantise": "--quantize",
}
"""Flags that are not spelled as their options."""
_NO_FLAG = {"correct_bias", "equalise", "headroom", "mean", "samples", "std", "step", "trace", "verify"}
FLAGS = {
    **{
        field.name: "--" + field.name.replace("_", "-")
        for options in (Options, QuantiseOptions, Normalise, CustomPass)
        for field in dataclasses.fields(options)
        if field.name not in _NO_FLAG
    },
    "debug_passes": "--debug-pass",
    "on": "--on",
    **_OTHERS,
}
"""The flag of each option."""


def as_flags(message: str) -> str:
    """A message with options as flags."""
    return re.sub(r"`([a-z_]+)(?:=([^`]*))?`", _flag, message)


def _flag(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    if name not in FLAGS:
        return found[0]
    flag = FLAGS[name]
    if value is None or value == "True":
        return flag
    if name == "quantise":
        return f"{flag} int8"
    if name == "activations":
        return f"{flag} {'int16x8' if value == 'int16' else value}"
    if shape := re.fullmatch(r'\{"(.*)": \((.*?),?\)\}', value, re.DOTALL):
        return f"{flag} {shape[1]}={shape[2].replace(', ', ',')}"
    return f"{flag} {value}"

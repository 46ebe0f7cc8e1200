"""tinyc's side: a float network as it is compiled in int8, and what its C on this computer answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from benchmarks.accuracy.answers import Answers
from benchmarks.networks.graph import Floats
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation, api


def compiled(model: onnx.ModelProto, samples: Floats, how: Mapping[str, Any], **options: Any) -> Compilation:
    """A float network of one image, quantised and unverified, that gives real numbers.

    Args:
        model: the network.
        samples: to calibrate with.
        how: options of `QuantiseOptions` that are not its defaults.
        **options: of `tinyc.Options`.
    """
    quantise = QuantiseOptions([[s[None]] for s in samples], output_type="float32", **how)
    return api.compile(model, verify=False, quantise=quantise, **options)


def of_tinyc(model: onnx.ModelProto, samples: Floats, images: Floats, **how: Any) -> Answers:
    """Logits of the integer network in real numbers, computed by its C.

    Args:
        model: float, of one image.
        samples: to calibrate with.
        images: to answer for.
        **how: options of `QuantiseOptions` that are not its defaults.
    """
    (found,) = compiled(model, samples, how, target="host")(images, on="host").values()
    return Answers(found.reshape(len(images), -1), ", ".join(f"{k} {v}" for k, v in how.items()))

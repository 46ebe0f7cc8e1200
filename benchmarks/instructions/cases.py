"""What instructions are counted of: networks, machines, and how many instructions and bytes they may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import onnx

from benchmarks.networks import (
    MICRO_MOBILENET,
    ds_cnn,
    from_shared,
    micro_mobilenet,
    mnist_images,
    mobilenet_v1,
    mobilenet_v2,
    published,
    published_mobile_lenet,
    resnet8,
)
from tinyc.compiler.data.calibration import Calibration

INT8 = ("int8", "int8")
INT16 = ("int16", "int16")
TARGETS: Mapping[str, str] = {
    "rv32imc": "esp32c3",
    "rv32imac": "esp32c6",
    "rv32imafc": "esp32p4",
    "esp32": "esp32",
    "esp32s3": "esp32s3",
    "xtensa-lx106": "esp32s2",
}
"""The target that a user of each machine's chips names. No target is an ESP8266; ESP32-S2 is an Xtensa core
without MAC16, too."""
PLAIN = "mac16 = false\npie = false\n"
"""What the file of a target says that has neither MAC16 nor vectors, and is otherwise another one."""
MANY = 128
"""Inputs of a pointwise layer of which instructions a multiply-accumulate may have a limit of their own."""
Peer = Literal["", "esp-nn", "onnx2c"]


@dataclass(frozen=True)
class Limits:
    """What is asked at most, with the flags that are named first (-O2): instructions of an inference or of a
    multiply-accumulate, bytes of code, and bytes of constants beside the weights as a part of these; instructions of a
    multiply-accumulate in each pointwise layer of `MANY` inputs or more; and by which part the arena may be larger than
    that of the C without MAC16 and vectors, which is then counted, too. None where nothing is asked."""

    instructions: int | None = None
    per_mac: float | None = None
    code: int | None = None
    beside: float | None = None
    pointwise: float | None = None
    growth: float | None = None

    def instructions_of(self, macs: int) -> int | None:
        """The instructions of a network with so many multiply-accumulates."""
        return round(self.per_mac * macs) if self.per_mac is not None else self.instructions


@dataclass(frozen=True)
class Case:
    """A network on a machine.

    Attributes:
        network: makes it.
        machine: what runs it.
        limits: on that machine.
        quantised: with these types of input and output, to int8 or with int16 activations; None for float.
        calibration: inputs to quantise by; noise without them.
        peer: whose generated or portable C computes the same.
        options: of `tinyc.Options`, beside the target.
    """

    network: Callable[[], onnx.ModelProto]
    machine: str
    limits: Limits = field(default_factory=Limits)
    quantised: tuple[str, str] | None = INT8
    calibration: Callable[[], Calibration] | None = None
    peer: Peer = ""
    options: Mapping[str, str] = field(default_factory=dict)


def digits(count: int = 100) -> Calibration:
    """Images of MNIST to quantise by. Raises `FileNotFoundError` where there are none."""
    images, _ = mnist_images("train-first10k")
    return Calibration([[image[None]] for image in images[:count]])


def _mobile_lenet() -> onnx.ModelProto:
    return published_mobile_lenet(published("noodle_mobile_lenet_mnist"))


_mobilenet = partial(mobilenet_v1, 0.25, 96, classes=5)
_LEAST = {"input_layout": "nhwc"}
"""Options by which rows of the image are read where they lie, so that all layers advance together."""
_GROWTH = 0.03
_MICRO_LIMITS = {"pico": 125_000, "nano": 300_000, "micro": 1_450_000, "milli": 1_750_000, "base": 2_650_000}


def _on_chip(
    network: Callable[[], onnx.ModelProto],
    machine: str,
    per_mac: float | None = None,
    *,
    pointwise: float | None = None,
    **more: Any,
) -> Case:
    """A network in its least arena, by the instructions that the chip has of its own."""
    limits = Limits(per_mac=per_mac, pointwise=pointwise, growth=_GROWTH)
    return Case(network, machine, limits, options=_LEAST, **more)


CASES: dict[str, Case] = {
    "mobilenet_v1_0.25_96": Case(_mobilenet, "rv32imc", Limits(20_500_000, code=14 * 1024, beside=0.06), peer="esp-nn"),
    "mobilenet_v1_0.25_96_float_input": Case(
        _mobilenet, "rv32imc", Limits(21_700_000), quantised=("float32", "float32")
    ),
    "mobile_lenet": Case(_mobile_lenet, "rv32imc", Limits(1_650_000), calibration=digits, peer="esp-nn"),
    "mobilenet_v1_0.25_96_int16x8": Case(_mobilenet, "rv32imc", Limits(25_000_000), quantised=INT16),
    "mobile_lenet_int16x8": Case(_mobile_lenet, "rv32imc", Limits(3_300_000), quantised=INT16, calibration=digits),
    "ds_cnn": Case(ds_cnn, "rv32imc", Limits(per_mac=3.0), peer="esp-nn"),
    "resnet8": Case(resnet8, "rv32imc", Limits(per_mac=3.0), peer="esp-nn"),
    "mobilenet_v2_0.5_128": Case(
        partial(mobilenet_v2, 0.5, 128), "rv32imc", Limits(per_mac=3.0, code=24 * 1024, beside=0.06), peer="esp-nn"
    ),
    "mobilenet_v2_0.5_128_st": Case(
        partial(from_shared, "st_mbv2_128_05.onnx"),
        "rv32imc",
        Limits(per_mac=3.0, code=24 * 1024, beside=0.06),
        peer="esp-nn",
    ),
    "mobilenet_v1_0.25_96_float": Case(_mobilenet, "rv32imafc", Limits(14_500_000), quantised=None, peer="onnx2c"),
    "mobile_lenet_float": Case(_mobile_lenet, "rv32imafc", Limits(1_030_000), quantised=None, peer="onnx2c"),
    **{
        f"micro_mobilenet_{name}_float": Case(
            partial(micro_mobilenet, name), "rv32imafc", Limits(_MICRO_LIMITS[name]), quantised=None, peer="onnx2c"
        )
        for name in MICRO_MOBILENET
    },
    "mobilenet_v1_0.25_96_xtensa": Case(_mobilenet, "xtensa-lx106", Limits(40_000_000), peer="esp-nn"),
    "mobilenet_v1_0.25_96_esp32": _on_chip(_mobilenet, "esp32", 2.2, pointwise=1.35, peer="esp-nn"),
    "mobile_lenet_esp32": _on_chip(_mobile_lenet, "esp32", 3.9, calibration=digits, peer="esp-nn"),
    "mobilenet_v1_0.25_96_float_esp32": _on_chip(_mobilenet, "esp32", 2.3, quantised=None),
    "mobile_lenet_float_esp32": _on_chip(_mobile_lenet, "esp32", 2.5, quantised=None),
    "ds_cnn_esp32": _on_chip(ds_cnn, "esp32", peer="esp-nn"),
    "resnet8_esp32": _on_chip(resnet8, "esp32", peer="esp-nn"),
    "mobilenet_v1_0.25_96_esp32s3": _on_chip(_mobilenet, "esp32s3", 0.6, peer="esp-nn"),
    "mobilenet_v1_0.5_224_esp32s3": _on_chip(partial(mobilenet_v1, 0.5, 224, classes=5), "esp32s3", 0.4),
    "mobile_lenet_esp32s3": _on_chip(_mobile_lenet, "esp32s3", calibration=digits, peer="esp-nn"),
    "resnet8_esp32s3": _on_chip(resnet8, "esp32s3", 0.6, peer="esp-nn"),
    "ds_cnn_esp32s3": _on_chip(ds_cnn, "esp32s3", 0.6, peer="esp-nn"),
    "mobilenet_v1_0.25_96_float_esp32s3": _on_chip(_mobilenet, "esp32s3", 2.3, quantised=None),
}

WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = (96, 128, 160, 192, 224)


def swept(machine: str = "rv32imc") -> dict[tuple[float, int], Case]:
    """MobileNetV1 in int8, by width and resolution; with 5 classes, as above: with 1000 the widest is too large
    for the flash of an ESP32-C3."""
    return {(w, r): Case(partial(mobilenet_v1, w, r, classes=5), machine) for w in WIDTHS for r in RESOLUTIONS}


def cases_of(machine: str) -> list[str]:
    """The names of the cases of a machine; all where it has none of its own, or none is named."""
    return [name for name, case in CASES.items() if case.machine == machine] or list(CASES)

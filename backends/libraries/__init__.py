"""Kernel libraries: what they compute, where they must not be called, and what they cost. The calls are in
`tinyc.backends.c`."""

from __future__ import annotations

from typing import Literal

from tinyc.backends.libraries import esp_dsp, esp_nn
from tinyc.backends.libraries.esp_dsp import EspDSP
from tinyc.backends.libraries.esp_nn import EspNN
from tinyc.ir.rows.kernels import KernelLibrary

Kernels = Literal["generic", "auto", "esp-nn", "esp-dsp"]
CHOICES: tuple[Kernels, ...] = ("generic", "auto", "esp-nn", "esp-dsp")


def libraries(choice: Kernels, simd: str, isa: str) -> tuple[KernelLibrary, ...]:
    """The libraries that a choice stands for, on a chip with these vector instructions ("" for none) and this
    instruction set."""
    dsp_chip = simd or ("xtensa-lx6" if isa == "xtensa-lx6" else "")
    found: dict[str, KernelLibrary] = {esp_nn.NAME: EspNN(simd), esp_dsp.NAME: EspDSP(dsp_chip)}
    if choice == "auto":
        return tuple(found.values())
    return (found[choice],) if choice in found else ()


__all__ = ["CHOICES", "EspDSP", "EspNN", "Kernels", "libraries"]

"""The simulated machines: the instruction sets of the RISC-V chips of the ESP32 family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Machine:
    """A 32-bit RISC-V machine.

    Attributes:
        name: its instruction set, as the compiler's -march takes it.
        abi: how floats are passed, as -mabi takes it.
        cpu: the processor that QEMU simulates: no extension more than the chips have.
        chips: those of the ESP32 family that have it.
    """

    name: str
    abi: str
    cpu: str
    chips: str

    @property
    def has_float(self) -> bool:
        """Whether it computes with float32; otherwise software does, at tens of times the cost."""
        return "f" in self.name.removeprefix("rv32")


MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            Machine("rv32imc", "ilp32", "rv32,a=off,f=off,d=off", "ESP32-C3"),
            Machine("rv32imac", "ilp32", "rv32,f=off,d=off", "ESP32-C6, ESP32-H2"),
            Machine("rv32imafc", "ilp32f", "rv32,d=off", "ESP32-P4"),
        )
    }
)
"""The machines by name."""

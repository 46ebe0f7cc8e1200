"""The simulated machines: the instruction sets of the RISC-V chips of the ESP32 family, and an Xtensa core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinyc.backends.runners.families import RISCV, XTENSA, Family


@dataclass(frozen=True)
class Machine:
    """A 32-bit machine.

    Attributes:
        name: its instruction set; of RISC-V, as the compiler's -march takes it.
        abi: how RISC-V passes floats, as -mabi takes it.
        cpu: the processor that QEMU simulates: no extension more than the chips have.
        chips: those of Espressif's that have it.
        family: what programs for it are made with, and what simulates it.
    """

    name: str
    abi: str
    cpu: str
    chips: str
    family: Family = RISCV

    @property
    def has_float(self) -> bool:
        """Whether it computes with float32; otherwise software does, at tens of times the cost, or nothing does."""
        return self.family is RISCV and "f" in self.name.removeprefix("rv32")

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of the compiler."""
        selected = (f"-march={self.name}", f"-mabi={self.abi}") if self.family is RISCV else ()
        return (*self.family.flags, *selected)


MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            Machine("rv32imc", "ilp32", "rv32,a=off,f=off,d=off", "ESP32-C3"),
            Machine("rv32imac", "ilp32", "rv32,f=off,d=off", "ESP32-C6, ESP32-H2"),
            Machine("rv32imafc", "ilp32f", "rv32,d=off", "ESP32-P4"),
            Machine("xtensa-lx106", "", "lx106", "ESP8266", XTENSA),
        )
    }
)
"""The machines by name."""

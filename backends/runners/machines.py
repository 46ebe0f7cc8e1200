"""The simulated machines: the instruction sets of the chips of the ESP32 family, and that of the ESP8266."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinyc.backends.runners.families import RISCV, WINDOWED, XTENSA, Family


@dataclass(frozen=True)
class Machine:
    """A 32-bit machine.

    Attributes:
        name: its instruction set, or the chip's where that is not enough; of RISC-V, as the compiler's -march takes it.
        cpu: the processor that QEMU simulates: no extension more than the chips have.
        chips: those of Espressif's that have it.
        family: what programs for it are made with, and what simulates it.
        selected: options of the compiler that choose it among those of its family.
        has_float: whether it computes with float32; otherwise software does, at tens of times the cost, or nothing.
        has_vectors: whether it runs code with the vector instructions of the ESP32-S3: it has them, or it is no Xtensa,
            for which there is C in their place.
    """

    name: str
    cpu: str
    chips: str
    family: Family
    selected: tuple[str, ...] = ()
    has_float: bool = False
    has_vectors: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """Options of the compiler."""
        return (*self.family.flags, *self.selected)


def _riscv(name: str, cpu: str, chips: str, abi: str = "ilp32", has_float: bool = False) -> Machine:
    """One of RISC-V; `abi` says how floats are passed, as -mabi takes it."""
    return Machine(name, cpu, chips, RISCV, (f"-march={name}", f"-mabi={abi}"), has_float, True)


MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        machine.name: machine
        for machine in (
            _riscv("rv32imc", "rv32,a=off,f=off,d=off", "ESP32-C3"),
            _riscv("rv32imac", "rv32,f=off,d=off", "ESP32-C6, ESP32-H2"),
            _riscv("rv32imafc", "rv32,d=off", "ESP32-P4", abi="ilp32f", has_float=True),
            Machine("esp32", "esp32", "ESP32", WINDOWED, has_float=True),
            Machine("esp32s3", "esp32s3", "ESP32-S3", WINDOWED, has_float=True, has_vectors=True),
            Machine("xtensa-lx106", "lx106", "ESP8266", XTENSA),
        )
    }
)
"""The machines by name."""

"""The compilers and simulators for the two instruction sets of the ESP32 family: RISC-V and Xtensa.

Debian has no compiler for the Xtensa cores of ESP32, S2 and S3, but has one for the ESP8266's, which QEMU simulates: it
has neither their register windows nor their floating-point unit, and its compiler comes without software for floats. It
shows that integer networks compile for Xtensa and give the same bits there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STACK_BYTES = 256 * 1024
"""Stack that is watched; the machines have a quarter more."""


@dataclass(frozen=True, eq=False)
class Family:
    """What programs for an instruction set are made with, and what simulates it. There are two, compared by identity.

    Attributes:
        cc: the compiler.
        library: a file of its C library that it must find.
        emulator: the simulator.
        packages: the distribution's packages that have these three.
        header: what the harness needs to know in order to measure.
        flags: options of the compiler, for all machines.
        link: options for linking only, as in `Toolchain`.
        start: the simulator with its options, without the processor and the program.
        support: C files that programs need beside the harness.
        runs_float: whether programs that compute with floats can be linked.
        countable: of more instructions than these, a measurement would count too few; none for no limit.
    """

    cc: str
    library: str
    emulator: str
    packages: Mapping[str, str]
    header: str
    flags: tuple[str, ...]
    link: tuple[str, ...]
    start: tuple[str, ...]
    support: tuple[str, ...] = ()
    runs_float: bool = True
    countable: int | None = None


_QEMU = "qemu-system-misc"
_LINK = ("-Wl,--gc-sections", "-Wl,-Map={program}.map")
_QUIET = ("-nographic", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")

RISCV = Family(
    cc="riscv64-unknown-elf-gcc",
    library="picolibc.specs",
    emulator="qemu-system-riscv32",
    packages=MappingProxyType(
        {
            "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
            "picolibc.specs": "picolibc-riscv64-unknown-elf",
            "qemu-system-riscv32": f"{_QEMU} (qemu-system-riscv in newer distributions)",
        }
    ),
    header="harness_riscv.h",
    flags=("--specs=picolibc.specs",),
    link=(
        *("--crt0=semihost", "--oslib=semihost", *_LINK),
        "-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=0x4000000",
        "-Wl,--defsym=__ram=0x84000000,--defsym=__ram_size=0x4000000",
        f"-Wl,--defsym=__stack_size={STACK_BYTES + STACK_BYTES // 4}",
    ),
    start=("qemu-system-riscv32", "-M", "virt", "-m", "128M", "-bios", "none", *_QUIET, "-icount", "shift=0"),
)

# xtensa.h relies on the shift of -icount.
XTENSA = Family(
    cc="xtensa-lx106-elf-gcc",
    library="libc.a",
    emulator="qemu-system-xtensa",
    packages=MappingProxyType(
        {
            "xtensa-lx106-elf-gcc": "gcc-xtensa-lx106",
            "libc.a": "picolibc-xtensa-lx106-elf",
            "qemu-system-xtensa": _QEMU,
        }
    ),
    header="harness_xtensa.h",
    flags=(),
    link=("-nostartfiles", *_LINK, "-Wl,-T,harness_xtensa.ld", "-Wl,--no-warn-rwx-segments"),
    start=("qemu-system-xtensa", "-M", "sim", *_QUIET, "-icount", "shift=6"),
    support=("harness_xtensa.c",),
    runs_float=False,
    countable=2**32 * 25 // 64,
)

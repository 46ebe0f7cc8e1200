"""The compilers and simulators for the instruction sets of the ESP32 family: RISC-V and Xtensa.

Debian has no compiler for the Xtensa cores of ESP32, S2 and S3, but has one for the ESP8266's, which QEMU simulates: it
has neither their register windows nor their floating-point unit, and its compiler comes without software for floats. It
shows that integer networks compile for Xtensa and give the same bits there. Who has ESP-IDF has a compiler for the
others, and Espressif's QEMU, which simulates those of ESP32 and S3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

STACK_BYTES = 256 * 1024
"""Stack that is watched; the machines have a quarter more."""

VARIABLE = "TINYC_XTENSA_TOOLS"
"""The variable that names folders of Espressif's tools, as PATH names folders."""


@dataclass(frozen=True)
class Clock:
    """How instructions are counted by the clock of a core that has no counter of them.

    Attributes:
        mhz: of the clock, which counts to 2^32. xtensa.h knows each.
        shift: of QEMU's -icount: an instruction takes 2^shift nanoseconds.
    """

    mhz: int
    shift: int

    @property
    def countable(self) -> int:
        """Of more instructions than these, a measurement would count too few."""
        return 2**32 * 1000 // (self.mhz << self.shift)


@dataclass(frozen=True, eq=False)
class Family:
    """What programs for an instruction set are made with, and what simulates it. There are three, compared by identity.

    Attributes:
        compilers: the compilers that serve, the first that is there first, each with the options that choose the
            machine's core; `{core}` in them is the processor as QEMU names it.
        library: a file of its C library that it must find.
        emulator: the simulator.
        advice: how to get these three, where no package has what is missing.
        packages: the distribution's packages that have them, by their names above.
        variable: names folders where they are looked for before PATH; none if empty.
        header: what the harness needs to know in order to measure.
        flags: options of the compiler, for all machines.
        link: options for linking only, as in `Toolchain`.
        options: those of the simulator, without the processor, the clock and the program.
        support: C files that programs need beside the harness.
        runs_float: whether programs that compute with floats can be linked.
        clocks: those that a simulator of it may have; none where the core counts instructions.
    """

    compilers: tuple[tuple[str, ...], ...]
    library: str
    emulator: str
    header: str
    link: tuple[str, ...]
    options: tuple[str, ...]
    advice: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    variable: str = ""
    flags: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    runs_float: bool = True
    clocks: tuple[Clock, ...] = ()


_QEMU = "qemu-system-misc"
_LINK = ("-Wl,--gc-sections", "-Wl,-Map={program}.map")
_QUIET = ("-nographic", "-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native")

RISCV = Family(
    compilers=(("riscv64-unknown-elf-gcc",),),
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
    options=("-M", "virt", "-m", "128M", "-bios", "none", *_QUIET),
)

_XTENSA_LINK = ("-nostartfiles", *_LINK, "-Wl,-T,harness_xtensa.ld", "-Wl,--no-warn-rwx-segments")
_AS_RELEASED = Clock(mhz=40, shift=6)

XTENSA = Family(
    compilers=(("xtensa-lx106-elf-gcc",),),
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
    link=_XTENSA_LINK,
    options=("-M", "sim", *_QUIET),
    support=("harness_xtensa.c", "harness_xtensa_lx106.c"),
    runs_float=False,
    clocks=(_AS_RELEASED,),
)

# QEMU has two names for each register of MAC16's operands: within a piece of code that it translates, a product may not
# see what was loaded after an earlier product. So pieces are single instructions.
_SINGLY = "tcg,one-insn-per-tb=on"

# With a clock of 1 GHz, which it takes a line of its source to have, more can be counted.
WINDOWED = Family(
    compilers=(("xtensa-{core}-elf-gcc",), ("xtensa-esp-elf-gcc", "-mdynconfig=xtensa_{core}.so")),
    library="libc.a",
    emulator="qemu-system-xtensa",
    advice=(
        "ESP-IDF brings them (`idf_tools.py install xtensa-esp-elf qemu-xtensa`): put them on PATH, as its export.sh "
        f"does, or let {VARIABLE} name their folders"
    ),
    variable=VARIABLE,
    header="harness_xtensa.h",
    link=_XTENSA_LINK,
    options=("-M", "sim", "-accel", _SINGLY, *_QUIET),
    support=("harness_xtensa.c", "harness_xtensa_windowed.c"),
    clocks=(_AS_RELEASED, Clock(mhz=1000, shift=0)),
)

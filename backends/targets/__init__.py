"""Targets are data: a TOML file says what a chip can do; the code asks for capabilities, never for a chip's name.

A file of the user's has the same keys. With `base = "esp32s3"`, it takes the value of every key that it does not give
from that target, and needs nothing but a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tinyc.backends.targets.rules import ISAS, TargetError, at_line, check_types, check_values, read


@dataclass(frozen=True)
class Target:
    """What generated code runs on. Sizes are in bytes.

    Attributes:
        name: what it is called.
        description: one line for people.
        isa: the instruction set, "host" for that of any computer.
        fpu: whether it computes with float32 in hardware.
        fma: whether an instruction of that hardware adds a product to a sum and rounds once: float layers then use it.
        float_registers: how many registers for floats there are, where they are registers of their own; 0 if unknown.
        mac16: whether it has the MAC16 option of Xtensa cores, which integer layers then use.
        alignment: of the arena and, for vector kernels, of tensors; a power of two.
        package: the form of the output unless another is asked for, for example "c" or "idf".
        cores: processors that can share the work.
        simd: the vector instructions it has, by the chip that brought them; empty for none.
        pie: whether they are those of the ESP32-S3, for which there are kernels of tinyc's own.
        clock_hz: the highest clock of the processor; 0 where there is no one number.
        ram_bytes: internal memory for all data of an application: arena, buffers, stacks and the rest; 0 for no limit.
        static_bytes: what of it can be allocated statically: no array can be larger; 0 for no limit.
        system_bytes: what of `ram_bytes` the operating system takes, with an application that does nothing.
        system_static_bytes: what of that lies where static arrays would.
        psram_bytes: the most external memory that the chip can address; a board's file says what it has. 0 for none.
        flash_bytes: of the usual module, for code and constants; 0 for no limit.
        kernels: the kernel libraries that there are for it.
        idf_target: the chip as ESP-IDF spells it.
        tile: pixels of a register tile of four output channels that its registers hold.
        paired_tile: the same where one multiplication gives the products of two channels; 0 where that does not pay.
        simulator: the runner that has its instruction set; empty for none.
        cycles_per_100_instructions: of code that is in the cache, on average; 0 where nobody knows, for no times.
        cache_bytes: through which constants are read from flash.
        cache_line_bytes: what a miss loads.
        flash_line_ns: how long that takes, in nanoseconds, from flash as ESP-IDF sets it up for speed.
        psram_line_ns: the same from external memory.
        time_error_percent: how far the times that follow from these are from a published one of this chip, at most; 0
            where there is none to compare with.
        tuned_on: the simulated machine whose measurements of kernels hold for it; empty for none.
    """

    name: str
    description: str
    isa: str
    fpu: bool
    alignment: int
    package: str
    fma: bool = False
    float_registers: int = 0
    mac16: bool = False
    cores: int = 1
    simd: str = ""
    pie: bool = False
    clock_hz: int = 0
    ram_bytes: int = 0
    static_bytes: int = 0
    system_bytes: int = 0
    system_static_bytes: int = 0
    psram_bytes: int = 0
    flash_bytes: int = 0
    kernels: tuple[str, ...] = ()
    idf_target: str = ""
    tile: int = 4
    paired_tile: int = 3
    simulator: str = ""
    cycles_per_100_instructions: int = 0
    cache_bytes: int = 0
    cache_line_bytes: int = 32
    flash_line_ns: int = 0
    psram_line_ns: int = 0
    time_error_percent: int = 0
    tuned_on: str = ""

    def supports(self, library: str) -> bool:
        """Whether there is this kernel library for it."""
        return library in self.kernels

    @property
    def core(self) -> dict[str, Any]:
        """What kernels are chosen by, of the core's registers and instructions."""
        return {name: getattr(self, name) for name in _CORE}

    @property
    def as_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return {**asdict(self), "kernels": list(self.kernels)}


_CORE = ("tile", "paired_tile", "fpu", "fma", "float_registers", "mac16", "pie")


@cache
def builtin() -> Mapping[str, Target]:
    """The targets that come with tinyc, by name, in alphabetical order."""
    files = (f for f in resources.files("tinyc.backends.targets").iterdir() if f.name.endswith(".toml"))
    found = [_target(read(text := f.read_text(encoding="utf-8"), f.name), f.name, text) for f in files]
    return {t.name: t for t in sorted(found, key=lambda t: t.name)}


def find(name: str) -> Target:
    """A built-in target by name, or the target that a TOML file of the user's describes.

    Raises:
        TargetError: neither; or the file cannot be read, has unknown keys, or values that cannot be.
    """
    targets = builtin()
    if name in targets:
        return targets[name]
    if not name.endswith(".toml"):
        raise TargetError(f"unknown target {name!r}; the targets are {', '.join(targets)}, or a .toml file of your own")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise TargetError(
            f"cannot read the target file {name!r}: {getattr(error, 'strerror', None) or error}"
        ) from None
    return _target(_with_base(read(text, name), name), name, text)


def on_machine(target: Target, simulator: str) -> Target:
    """A target that is any computer, with the registers and the floating-point unit of the chip that a machine
    simulates; without a machine, or for one that no chip has, as it is. Another target is a chip itself, and stays
    so."""
    chip = next((t for t in builtin().values() if t.simulator == simulator), None)
    if target.isa != "host" or not simulator or chip is None:
        return target
    return replace(target, **chip.core, tuned_on=chip.tuned_on)


def _with_base(table: dict[str, Any], source: str) -> dict[str, Any]:
    """The table with the values of the target that it is based on, if there is one."""
    base = table.pop("base", None)
    if base is None:
        return table
    if base not in builtin():
        raise TargetError(f"{source}: base is one of {', '.join(builtin())}, not {base!r}")
    if "name" not in table:
        raise TargetError(f"{source}: missing key(s) name")
    # Who says how much memory there is says what the application has of it.
    system = {"system_bytes": 0, "system_static_bytes": 0} if "ram_bytes" in table else {}
    return {**builtin()[base].as_dict, **system, **table}


def _target(table: Mapping[str, Any], source: str, text: str) -> Target:
    """The target of a table, checked; `text` is what it was read from."""
    known: dict[str, Field[Any]] = {f.name: f for f in fields(Target)}
    if unknown := sorted(set(table) - set(known)):
        where = ", ".join(f"{key}{at_line(key, text)}" for key in unknown)
        raise TargetError(f"{source}: unknown key(s) {where}; the keys are {', '.join([*known, 'base'])}")
    check_types(table, {name: str(f.type) for name, f in known.items()}, source)
    if missing := [n for n, f in known.items() if f.default is MISSING and n not in table]:
        raise TargetError(f"{source}: missing key(s) {', '.join(missing)}")
    check_values(table, source)
    return Target(**{**table, "kernels": tuple(table.get("kernels", ()))})


__all__ = ["ISAS", "Target", "TargetError", "builtin", "find", "on_machine"]

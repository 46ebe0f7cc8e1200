"""Targets are data: a TOML file says what a chip can do; the code asks for capabilities, never for a chip's name."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

from tinyc.ir.errors import TinycError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TargetError(TinycError):
    """A target that does not exist, or whose file is wrong."""


@dataclass(frozen=True)
class Target:
    """What generated code runs on.

    `package` is the form of the output: "c" (plain files) or "idf" (an ESP-IDF component). Sizes are in bytes.
    """

    name: str
    description: str
    package: str
    fpu: bool
    alignment: int
    idf_target: str = ""


def builtin() -> dict[str, Target]:
    """The targets that come with tinyc, by name, in alphabetical order."""
    files = (f for f in resources.files("tinyc.backends.targets").iterdir() if f.name.endswith(".toml"))
    found = [_parse(f.read_text(encoding="utf-8"), f.name) for f in files]
    return {t.name: t for t in sorted(found, key=lambda t: t.name)}


def find(name: str) -> Target:
    """A built-in target by name, or the target that a TOML file of the user's describes.

    Raises:
        TargetError: neither; or the file cannot be read, has unknown keys or values of the wrong type.
    """
    targets = builtin()
    if name in targets:
        return targets[name]
    if name.endswith(".toml"):
        try:
            return _parse(Path(name).read_text(encoding="utf-8"), name)
        except (OSError, UnicodeDecodeError) as error:
            raise TargetError(
                f"cannot read the target file {name}: {getattr(error, 'strerror', None) or error}"
            ) from None
    raise TargetError(f"unknown target {name!r}; the targets are {', '.join(targets)}, or a .toml file of your own")


def _parse(text: str, source: str) -> Target:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"{source}: not valid TOML: {error}") from None
    known = {f.name: f for f in fields(Target)}
    if unknown := sorted(set(table) - set(known)):
        raise TargetError(f"{source}: unknown key(s) {', '.join(unknown)}; the keys are {', '.join(known)}")
    kinds = {"str": str, "bool": bool, "int": int}
    for key, value in table.items():
        if type(value) is not kinds[str(known[key].type)]:
            raise TargetError(f"{source}: {key} takes a value of type {known[key].type}, not {value!r}")
    try:
        target = Target(**table)
    except TypeError:
        missing = [k for k in ("name", "description", "package", "fpu", "alignment") if k not in table]
        raise TargetError(f"{source}: missing key(s) {', '.join(missing)}") from None
    if target.package not in ("c", "idf"):
        raise TargetError(f'{source}: package is "c" or "idf", not {target.package!r}')
    if target.alignment < 4 or target.alignment & (target.alignment - 1):
        raise TargetError(f"{source}: alignment is a power of two of at least 4, not {target.alignment}")
    return target

"""Object files that are kept, for whoever compiles the same C again and again: a test suite, or a script that verifies
one model under many options.

A folder that the environment names holds them. An object's name says all that it depends on: the compiler, its options,
and the texts of the file and of what it includes. The compiler's own headers do not count, so a folder serves one
installation. Nobody tidies it: it is meant to go away.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "TINYC_OBJECTS"
"""The variable that names the folder. Without it nothing is kept."""

_INCLUDED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def kept(command: Sequence[str], name: str, folder: Path) -> Path | None:
    """Where the object belongs that a command makes of a file in a folder; None where none is kept."""
    place = os.environ.get(VARIABLE)
    # What lies in other folders could change unseen: kernel libraries are compiled each time.
    if not place or any(option.startswith(("-I", "-isystem")) for option in command):
        return None
    digest = hashlib.sha256(repr(_identity(command)).encode())
    waiting, seen = [name, *(option for option in command if option.endswith(".h"))], set[str]()
    while waiting:
        name = waiting.pop()
        path = folder / name
        if name in seen:
            continue
        seen.add(name)
        # A header that is not there belongs to the compiler, or is not wanted under these options.
        text = path.read_text(encoding="ascii") if path.exists() else ""
        digest.update(repr((name, text)).encode())
        waiting += _INCLUDED.findall(text)
    return Path(place) / f"{digest.hexdigest()}.o"


def _identity(command: Sequence[str]) -> tuple[object, ...]:
    """A command with the compiler's file in place of its name."""
    found = shutil.which(command[0])
    file = os.stat(found) if found else None
    return (*command, found, file and (file.st_size, file.st_mtime_ns))


def fetch(place: Path, to: Path) -> bool:
    """Copies an object that is kept; tells whether there is one."""
    try:
        shutil.copyfile(place, to)
    except FileNotFoundError:
        return False
    return True


def keep(made: Path, place: Path) -> None:
    """Keeps an object. Others that keep the same one at the same time do no harm."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent)
    os.close(handle)
    shutil.copyfile(made, name)
    os.replace(name, place)

"""Files that users name: read with one clear message where that fails, and replaced whole: what is killed midway, by
whatever signal, leaves the old or the new.

New content is built under a name that follows from the name it is for, so that the next run finds and removes what a
killed one left. Whoever builds holds a lock on the folder around it. SIGINT, SIGTERM and SIGHUP wait until the work is
done or undone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tinyc.ir.errors import TinycError

if sys.platform != "win32":
    import fcntl

PART = ".tinyc-part"
"""How the names of what is being built end."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_LONGEST_NAME = 255
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux

_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM}


class OutputError(TinycError):
    """Output that cannot be written, or would overwrite what is not ours."""


class InputError(TinycError):
    """A file that cannot be read."""


def reason(error: OSError | ValueError) -> str:
    """What an error says of a path, as one line."""
    return getattr(error, "strerror", None) or str(error)


def shown(path: str | os.PathLike[str]) -> str:
    """A path as messages have it: one line that every terminal prints."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The content of a file. Raises `InputError` naming the file."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {shown(path)}: {reason(error)}") from None


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file. Raises `InputError` naming the file."""
    try:
        return read_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {shown(path)}: it is not UTF-8 text (byte {error.start})") from None


def part_of(path: Path) -> Path:
    """Where the new content of a path is built: beside it, under a name that depends on its name alone."""
    name = f".{path.name}{PART}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()}{PART}"
    return path.with_name(name)


def remove(path: Path) -> None:
    """Removes a file, a link or a folder with all it holds, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time is inside for a folder. The lock lies on the folder itself: it leaves no file, and
    ends with its process. Where a file system has no locks there is none."""
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that end a program wait until the end of the block, and then have their usual effect. Python hands
    signals to the main thread alone; in another there is nothing to do."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: dict[int, None] = {}

    def later(number: int, frame: FrameType | None) -> None:
        arrived[number] = None

    try:
        with contextlib.ExitStack() as restore:
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if handler is not None:  # None: installed by something other than Python
                    restore.callback(signal.signal, number, handler)
                    signal.signal(number, later)
            yield
    finally:
        for number in arrived:
            signal.raise_signal(number)


def exchange(one: Path, other: Path) -> bool:
    """Lets two paths of one file system change places in one step. False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if rename(*paths, ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Makes a file hold `content`, all of it or what it held before. A link is followed, a device or pipe written to.

    Raises:
        OutputError: the file cannot be written; the message names it and says why.
    """
    try:
        file = Path(os.path.realpath(path))
        if file.is_dir():
            raise OutputError(f"{shown(path)} is a directory; give the name of a file to write")
        if file.exists() and not file.is_file():
            file.write_bytes(content)
            return
        part = part_of(file)
        with locked(file.parent), uninterrupted():
            try:
                remove(part)
                with part.open("xb") as stream:
                    stream.write(content)
                if file.exists():
                    shutil.copymode(file, part)
                os.replace(part, file)
            except OSError:
                with contextlib.suppress(OSError):
                    remove(part)
                raise
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {shown(path)}: {reason(error)}") from None

"""Writing an output folder: all files or none, and never over somebody else's.

A folder is replaced in one of two ways. Usually the new one is built beside it and the two change places in one step.
That cannot be where the folder is somebody's current directory or a mount point, where its parent may not be written,
or where the file system has no such step; then the files are replaced within it, by a journal:

    FOLDER/.tinyc-part      new files, until they are all there: a run killed before that changes nothing
    FOLDER/.tinyc-journal   the same under its second name: from then on, the next run finishes what was begun

Killed at any moment, a rewrite leaves the old or the new output, whole: at once in the first way, and when the next
run for the folder starts in the second.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from tinyc.compiler.base.files import PART, OutputError, exchange, locked, part_of, reason, remove, shown, uninterrupted

__all__ = ["MARKER", "OutputError", "check_folder", "write_folder"]

MARKER = ".tinyc-output.json"
"""Names the files that tinyc wrote into a folder and their digests, so that it may replace them, and only them, as long
as nobody has edited them."""
JOURNAL = ".tinyc-journal"
_PLAN, _NEW = "plan.json", "new"
_NOT_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS}
"""Why nothing can be built beside a folder that itself may be written."""


def write_folder(folder: Path, files: Mapping[str, str], force: bool = False) -> None:
    """Makes `folder` hold exactly `files` (relative paths and contents), all of them or none.

    A folder that tinyc wrote before is replaced. A link is followed: what it points to is replaced.

    Args:
        folder: where to write.
        files: contents by relative path.
        force: overwrite generated files even if somebody has edited them.

    Raises:
        OutputError: the folder holds other files or edited ones, or cannot be written.
    """
    try:
        real = _real(folder)
        real.parent.mkdir(parents=True, exist_ok=True)
        with locked(real.parent), uninterrupted():
            _recover(real)
            old = _check(real, folder, force)
            contents = {name: files[name].encode("utf-8") for name in sorted(files)}
            marker = {"generator": "tinyc", "files": {name: _digest(content) for name, content in contents.items()}}
            contents[MARKER] = (json.dumps(marker, indent=2) + "\n").encode("utf-8")
            if not _replace_beside(real, contents):
                _replace_within(real, contents, old - set(contents))
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {shown(folder)}: {reason(error)}; choose another folder") from None


def check_folder(folder: Path, force: bool = False) -> None:
    """Raises `OutputError` unless `folder` is absent, empty, or holds only what tinyc wrote and nobody edited.

    A rewrite that was killed is finished or undone first. With `force`, edited files do not matter.
    """
    try:
        real = _real(folder)
        if _exists(real.parent):
            with locked(real.parent), uninterrupted():
                _recover(real)
                _check(real, folder, force)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {shown(folder)}: {reason(error)}; choose another folder") from None


def _real(folder: Path) -> Path:
    """The folder itself, where `folder` is a link."""
    return Path(os.path.realpath(folder))


def _exists(path: Path) -> bool:
    """Whether there is something at a path. Raises OSError where nothing can be: below a file, under a name too long,
    or in a folder that may not be searched."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _check(real: Path, folder: Path, force: bool) -> set[str]:
    """The files that the folder holds, all of them ours. Raises `OutputError` as `check_folder` does."""
    if not _exists(real):
        return set()
    if not real.is_dir():
        raise OutputError(f"{shown(folder)} is a file, not a folder; choose another one")
    ours = _ours(real)
    present, empty = _contents(real)
    parents = {parent.as_posix() for name in ours for parent in PurePosixPath(name).parents}
    foreign = sorted((present - set(ours)) | {f"{name}/" for name in empty - parents})
    if foreign:
        raise OutputError(
            f"{shown(folder)} holds files that tinyc did not write ({_some(foreign)}); "
            "choose another folder, or move them away"
        )
    edited = [name for name in sorted(present) if not _is_as_written(real / name, ours[name])]
    if edited and not force:
        raise OutputError(
            f"{shown(folder)} holds generated files that somebody has edited since ({_some(edited)}): "
            "choose another folder, move them away, or overwrite them with `force=True`"
        )
    return present


def _ours(folder: Path) -> dict[str, str | None]:
    """The digest of each file that tinyc wrote into a folder; None where an older version noted none."""
    try:
        noted = json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"]
        digests = noted if isinstance(noted, dict) else dict.fromkeys(noted)
        return {**{str(name): digest for name, digest in digests.items()}, MARKER: None}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _contents(folder: Path) -> tuple[set[str], set[str]]:
    """Relative paths of the files, links among them, and of the empty folders."""

    def stop(error: OSError) -> None:
        raise error

    files: set[str] = set()
    empty: set[str] = set()
    for where, folders, names in os.walk(folder, onerror=stop):
        here = Path(where)
        links = [name for name in folders if (here / name).is_symlink()]
        files |= {(here / name).relative_to(folder).as_posix() for name in (*names, *links)}
        if not folders and not names and here != folder:
            empty.add(here.relative_to(folder).as_posix())
    return files, empty


def _is_as_written(path: Path, digest: str | None) -> bool:
    """Whether a file is what tinyc wrote, as far as that was noted."""
    return digest is None or (not path.is_symlink() and path.is_file() and _digest(path.read_bytes()) == digest)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _replace_beside(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Builds the new folder beside the old one and lets them change places. False where that cannot be."""
    exists = folder.exists()
    if exists and (_is_current(folder) or os.path.ismount(folder)):
        return False
    part = part_of(folder)
    try:
        try:
            _write_all(part, files)
        except OSError as error:
            if exists and error.errno in _NOT_BESIDE and not part.exists():
                return False
            raise
        if not exists:
            os.rename(part, folder)
            return True
        shutil.copymode(folder, part)
        return exchange(part, folder)
    finally:
        _discard(part)  # the old folder now, or what could not be completed


def _is_current(folder: Path) -> bool:
    """Whether this process, and with it the shell that started it, is in the folder."""
    try:
        return Path.cwd().is_relative_to(folder)
    except OSError:
        return False


def _replace_within(folder: Path, files: Mapping[str, bytes], obsolete: set[str]) -> None:
    """Replaces the files of a folder one by one, by a journal."""
    part = folder / PART
    try:
        part.mkdir()
        _write_all(part / _NEW, files)
        (part / _PLAN).write_text(json.dumps({"obsolete": sorted(obsolete)}), encoding="utf-8")
        os.rename(part, folder / JOURNAL)
    finally:
        _discard(part)
    _finish(folder)


def _finish(folder: Path) -> None:
    """Does what the journal says. It may have been begun before, and may be begun again: each step can be repeated."""
    journal = folder / JOURNAL
    plan = journal / _PLAN
    obsolete: list[str] = json.loads(plan.read_text(encoding="utf-8"))["obsolete"] if plan.exists() else []
    for name in filter(_is_inside, obsolete):
        (folder / name).unlink(missing_ok=True)
        _prune(folder, PurePosixPath(name).parents)
    new = journal / _NEW
    for name in sorted(_contents(new)[0]) if new.exists() else ():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            target.rmdir()  # empty: what it held was ours, and is gone
        os.replace(new / name, target)
    remove(journal)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _prune(folder: Path, parents: Iterable[PurePosixPath]) -> None:
    """Removes those of the folders that are empty, innermost first."""
    for parent in parents:
        if parent.parts:
            try:
                (folder / parent).rmdir()
            except OSError:
                return


def _recover(folder: Path) -> None:
    """Removes or finishes what a run that was killed has left. The lock is held: nobody is at work on it."""
    remove(part_of(folder))
    if folder.is_dir():
        if (folder / JOURNAL).is_dir():
            _finish(folder)
        remove(folder / PART)


def _discard(path: Path) -> None:
    """Removes what is ours as far as possible; the next run tries again."""
    try:
        remove(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)

"""Writing results: built aside, then moved into place, and never over somebody else's files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tinyc.ir.errors import TinycError

MARKER = ".tinyc-output.json"
"""Names the files that tinyc wrote into a folder, so that it may replace them, and only them, later."""


class OutputError(TinycError):
    """The output folder cannot be written, or holds files that are not ours."""


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Makes `folder` hold exactly `files` (relative paths and contents), all of them or none.

    A folder that tinyc wrote before is replaced.

    Raises:
        OutputError: the folder holds other files, or cannot be written.
    """
    check_folder(folder)
    marker = json.dumps({"generator": "tinyc", "files": sorted(files)}, indent=2) + "\n"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise OutputError(f"cannot write to {folder.parent}: {error.strerror}; choose another folder with -o") from None
    try:
        fresh = aside / "new"
        for name, content in {**files, MARKER: marker}.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="\n")
        if folder.exists():
            os.replace(folder, aside / "old")
        os.replace(fresh, folder)
    except OSError as error:
        if (aside / "old").exists() and not folder.exists():
            os.replace(aside / "old", folder)
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another folder with -o") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Raises `OutputError` unless `folder` is absent, empty, or holds only what tinyc wrote."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder; choose another one with -o")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    try:
        ours = set(json.loads((folder / MARKER).read_text(encoding="utf-8"))["files"]) | {MARKER}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if foreign := sorted(present - ours):
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise OutputError(
            f"{folder} holds files that tinyc did not write ({', '.join(foreign[:3])}{more}); "
            "choose another folder with -o, or move them away"
        )

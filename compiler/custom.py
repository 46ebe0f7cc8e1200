"""Custom passes: found by `--pass module:Name`, or installed under the entry-point group `tinyc.passes`."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata
from pathlib import Path

from tinyc.passes import Pass, PassError, registered

GROUP = "tinyc.passes"


def load_pass(spec: str) -> Pass:
    """A custom pass from `module:Name` (a module of the current folder or an installed one), from the name of an
    installed entry point, or from the name of a registered pass. Raises `PassError`."""
    found = metadata.entry_points(group=GROUP)
    if spec in found.names:
        return _instance(found[spec].load(), spec)
    if spec in registered():
        return _instance(registered()[spec], spec)
    module_name, colon, attribute = spec.partition(":")
    if not colon or not attribute:
        raise PassError(f"--pass takes MODULE:NAME or the name of an installed pass, not {spec!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise PassError(f"--pass {spec}: cannot import {module_name}: {error}") from error
    if not hasattr(module, attribute):
        raise PassError(f"--pass {spec}: {module_name} has no {attribute}")
    return _instance(getattr(module, attribute), spec)


def _instance(found: object, spec: str) -> Pass:
    if isinstance(found, type) and issubclass(found, Pass):
        try:
            return found()
        except TypeError as error:
            raise PassError(f"--pass {spec}: needs options that the command line cannot give ({error})") from None
    if isinstance(found, Pass):
        return found
    raise PassError(f"--pass {spec}: is not a subclass of tinyc.passes.Pass")

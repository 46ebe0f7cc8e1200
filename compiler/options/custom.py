"""Custom passes: found by `module:Name`, or installed under the entry-point group `tinyc.passes`; and their places."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tinyc.compiler.base.checked import OptionError, checked
from tinyc.ir.blame import blame
from tinyc.passes import AnyPass, Pass, PassError, registered

GROUP = "tinyc.passes"


@checked
@dataclass(frozen=True)
class CustomPass:
    """A pass of the user's and its place among ours.

    Attributes:
        step: the pass.
        after: the name of the pass that it runs behind, one of ours or another custom one. Of several with one name the
            first is meant; "simplify:2" is the second.
        before: the name of the pass that it runs before, likewise. Without either it is the last on the tensor level.
    """

    step: AnyPass
    after: str = ""
    before: str = ""

    def __post_init__(self) -> None:
        if self.after and self.before:
            raise OptionError("a custom pass runs `after` another pass or `before` one, not both")


def load_pass(spec: str) -> Pass:
    """A custom pass from `module:Name` (a module of the current folder or an installed one), from the name of an
    installed entry point, or from the name of a registered pass. Raises `PassError`."""
    found = metadata.entry_points(group=GROUP)
    if spec in found.names:
        try:
            installed = found[spec].load()
        except Exception as error:  # a package of somebody else's, too
            raise PassError(f"pass {spec}: cannot be imported: {blame(error)}") from error
        return _instance(installed, spec)
    if spec in registered():
        return _instance(registered()[spec], spec)
    module_name, colon, attribute = spec.partition(":")
    if not colon or not attribute:
        raise PassError(f"a pass is given as MODULE:NAME or by the name of an installed one, not as {spec!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: it may raise anything
        raise PassError(f"pass {spec}: cannot import {module_name}: {blame(error)}") from error
    if not hasattr(module, attribute):
        raise PassError(f"pass {spec}: {module_name} has no {attribute}")
    return _instance(getattr(module, attribute), spec)


def _instance(found: object, spec: str) -> Pass:
    if isinstance(found, type) and issubclass(found, Pass):
        try:
            return found()
        except TypeError as error:
            raise PassError(f"pass {spec}: needs options that cannot be given here ({error})") from None
    if isinstance(found, Pass):
        return found
    raise PassError(f"pass {spec}: is not a subclass of tinyc.passes.Pass")

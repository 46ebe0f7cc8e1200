"""What a pass is: a frozen dataclass whose fields are its options, with a `run` from one immutable IR to the next.

    class DropIdentityScale(tinyc.passes.Pass, name="drop-identity-scale"):
        \"\"\"Removes multiplications by one.\"\"\"

        def run(self, module):
            ...

Defining the class registers it under its name. The first line of the docstring is the purpose that `tinyc passes`
lists. Every pass, ours or a user's, is run by the pass manager and checked by the same instruments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinyc.ir.blame import OURS, blame, line_of
from tinyc.ir.errors import IRError, OperatorError, TinycError
from tinyc.ir.module import Module
from tinyc.ir.rows import RowProgram

FINER = 3
"""How many times as many steps results of int16 may be moved by, of which 256 are one of int8: what straight lines
between the entries of a table are off, say."""


def steps_of(steps: int, dtype: np.dtype[np.generic]) -> int:
    """How many steps a result of this type may be moved by, where one of int8 may by `steps`."""
    return steps * FINER if dtype == np.int16 else steps


@dataclass(frozen=True)
class Slack:
    """How far a pass may move a result, and why: |after - before| <= relative * max |before| for floats, and `steps`
    for integers (`steps_of`).

    A pass without slack must agree bit for bit.
    """

    relative: float
    reason: str
    steps: int = 0


class PassError(TinycError):
    """A pass that was misused, misconfigured or that failed its own checks."""


@dataclass(frozen=True)
class AnyPass:
    """Base of all passes, at either level. Fields of a subclass are the pass's options."""

    name: ClassVar[str] = ""
    slack: ClassVar[Slack | None] = None
    keeps_names: ClassVar[bool] = False
    """Whether a value that keeps its name and type keeps its meaning, so that every such value can be compared."""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            if name in _REGISTRY and _REGISTRY[name].__qualname__ != cls.__qualname__:
                raise PassError(f"two passes are called {name}")
            cls.name = name
            _REGISTRY[name] = cls

    @classmethod
    def purpose(cls) -> str:
        """One line on what the pass is for: the first line of its documentation."""
        return (cls.__doc__ or "").strip().split("\n")[0]


@dataclass(frozen=True)
class Pass(AnyPass):
    """A pass over the tensor level."""

    def run(self, module: Module) -> Module:
        """The rewritten module; the same object when nothing changed."""
        raise NotImplementedError(f"{type(self).__name__} has no `run`: write it")


@dataclass(frozen=True)
class Lowering(AnyPass):
    """A pass from the tensor level to the row level."""

    def run(self, module: Module) -> RowProgram:
        """The row program that computes what the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no `run`: write it")


@dataclass(frozen=True)
class RowPass(AnyPass):
    """A pass over the row level."""

    def run(self, program: RowProgram) -> RowProgram:
        """The rewritten program; the same object when nothing changed."""
        raise NotImplementedError(f"{type(self).__name__} has no `run`: write it")


_REGISTRY: dict[str, type[AnyPass]] = {}


def registered() -> dict[str, type[AnyPass]]:
    """All registered passes by name, in alphabetical order."""
    return dict(sorted(_REGISTRY.items()))


def apply(step: AnyPass, ir: Module | RowProgram) -> Module | RowProgram:
    """Runs one pass on the IR of the level it takes.

    Raises:
        PassError: the levels do not fit, the pass refused the IR, or it gave something else than an IR. A pass that is
            not tinyc's own may raise anything: the error names the pass and its line.
    """
    level = "the tensor level" if isinstance(ir, Module) else "the row level"
    takes, gives = _levels(step)
    if not isinstance(ir, takes):
        raise PassError(f"pass {label(step)} does not run on {level}")
    try:
        result: Module | RowProgram = step.run(ir)  # type: ignore[attr-defined]
    except IRError as error:
        where = f" ({place})" if (place := line_of(error)) else ""
        raise PassError(f"pass {label(step)}: {error}{where}") from error
    except OperatorError as error:
        nodes = ir.nodes if isinstance(ir, Module) else ()
        known = next((f"{n.where}: {error.message}" for n in nodes if n.op == error.op), str(error))
        raise PassError(f"pass {label(step)}: {known}") from error
    except TinycError:
        raise
    except Exception as error:
        if type(step).__module__.startswith(OURS):
            raise
        raise PassError(f"pass {label(step)}: {blame(error)}") from error
    if not isinstance(result, gives):
        raise PassError(f"pass {label(step)}: run gave {type(result).__name__}, it has to give a {gives.__name__}")
    return result


def label(step: AnyPass) -> str:
    """What a pass is called."""
    return step.name or type(step).__name__


def _levels(step: AnyPass) -> tuple[type[Module] | type[RowProgram], type[Module] | type[RowProgram]]:
    """What a pass takes, and what it gives."""
    if isinstance(step, RowPass):
        return RowProgram, RowProgram
    return Module, RowProgram if isinstance(step, Lowering) else Module

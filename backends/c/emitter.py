"""Which C each operator has.

An emitter says what one step of a stage calls. It is registered by `emits`, beside the kernel that it calls, for a
class of operators or for a base class that several have in common; what has none is printed from its loops. A package
of the user's registers emitters of its own in the same way, also in place of those here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import RowCall, TranslationUnit
from tinyc.ir.blame import blame, line_of
from tinyc.ir.concern import Concern
from tinyc.ir.errors import TinycError
from tinyc.ir.op import Op, OpT
from tinyc.ir.rows import Stage

Emitter = Callable[[TranslationUnit, Stage, OpT], RowCall]
Condition = Callable[[TranslationUnit, Stage, OpT], bool]


@dataclass(frozen=True)
class _Choice:
    """An emitter that stands in for another one, and for which stages."""

    where: Condition[Any]
    emitter: Emitter[Any]


@dataclass(frozen=True)
class Emitters:
    """The emitters of one set of kernels: those declared by operator, and those that stand in for one of them where
    their condition holds."""

    declared: Concern[Emitter[Any]]
    instead: dict[type[Op], list[_Choice]] = field(default_factory=dict)

    def of(self, unit: TranslationUnit, stage: Stage) -> Emitter[Any]:
        """The emitter of a stage. Of those with conditions the nearest class's come first, and the last registered.

        Raises:
            IRError: there is none; the message says why, or where to register one.
        """
        for kind in type(stage.op).__mro__:
            choices: list[_Choice] = self.instead.get(kind, [])
            for choice in reversed(choices):
                if choice.where(unit, stage, stage.op):
                    return choice.emitter
        return self.declared.of(stage.op)


class _FromLoops(Concern[Emitter[Any]]):
    """What is declared for all operators prints loops, so it is declared for those that have loops."""

    def _owner(self, kind: type[Op]) -> type[Op] | None:
        owner = super()._owner(kind)
        return None if owner is Op and kind.loops is Op.loops else owner


EMITTERS = Emitters(
    _FromLoops(
        "C",
        "register an emitter beside its kernel (`emits` of tinyc.backends.c; tinyc's own in a file of `EMITTER_FILES`, "
        "backends/c/__init__.py), or give the operator `loops`",
    )
)
_LIBRARIES: dict[str, Emitters] = {}


def library_emitters(library: str) -> Emitters:
    """The emitters for stages that a kernel library computes, by the library's name."""
    if library not in _LIBRARIES:
        belongs = f"register a call of {library} (`emits` of tinyc.backends.c)"
        _LIBRARIES[library] = Emitters(Concern(f"call of {library} in C", belongs, f"nothing calls {library} for it"))
    return _LIBRARIES[library]


def emits(
    *kinds: type[OpT], where: Condition[OpT] | None = None, library: str = ""
) -> Callable[[Emitter[OpT]], Emitter[OpT]]:
    """A decorator that registers the emitter of operators of these classes.

    Args:
        kinds: the classes; the emitter serves their subclasses too, unless these have one of their own.
        where: makes it stand in for the emitter that there is already, for the stages for which this holds.
        library: the kernel library that it calls, for stages that are computed by it; tinyc's own kernels if empty.

    Raises:
        TypeError: there is one for this class already, and nothing says where it is to stand in for it.
    """

    def register(emitter: Emitter[OpT]) -> Emitter[OpT]:
        table = library_emitters(library) if library else EMITTERS
        for kind in kinds:
            if where is not None:
                table.instead.setdefault(kind, []).append(_Choice(where, emitter))
                continue
            try:
                table.declared.declare(kind, emitter)
            except TypeError as error:
                raise TypeError(f"{error}: to stand in for the emitter that there is, say `where`") from None
        return emitter

    return register


def emit(unit: TranslationUnit, stage: Stage) -> RowCall:
    """What one step of a stage calls.

    Raises:
        CodegenError: the operator has no C, or its emitter fails. The message names the stage.
    """
    emitters = library_emitters(stage.kernel.library) if stage.kernel.library else EMITTERS
    try:
        emitter = emitters.of(unit, stage)
        call = emitter(unit, stage, stage.op)
    except CodegenError:
        raise
    except TinycError as error:
        raise CodegenError(f"{stage.where}: {error}") from error
    except Exception as error:
        if not line_of(error):
            raise
        raise CodegenError(f"{stage.where}: {blame(error)}") from error
    if not isinstance(call, RowCall):
        raise CodegenError(f"{stage.where}: its emitter gave {type(call).__name__}, it has to give a RowCall")
    return call

"""What operators declare about one matter that the IR knows nothing of: their C, their spelling in a file format.

Such a declaration stands beside what it declares (a kernel's emitter beside the kernel), keyed by operator class or by
a base class that several have in common. Nobody lists operators: what is not declared is refused with the reason that
was given, or named as missing, and where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tinyc.ir.errors import IRError
from tinyc.ir.op import Op

Declared = TypeVar("Declared")

CONCERNS: dict[str, Concern[object]] = {}
"""All concerns by name, as far as their modules are imported."""


class Concern(Generic[Declared]):
    """A matter that operators declare something about.

    Args:
        name: what it is called, in errors.
        belongs: where a missing declaration belongs, for whoever adds an operator.
        otherwise: why there is nothing for operators that say nothing, of a matter that is of few only.
        within: a concern that this one is a part of: who refuses that has refused this one, too.
    """

    def __init__(self, name: str, belongs: str, otherwise: str = "", within: Concern[Any] | None = None) -> None:
        if name in CONCERNS:
            raise TypeError(f"two concerns are called {name}")
        self.name, self.belongs, self.otherwise, self.within = name, belongs, otherwise, within
        self._declared: dict[type[Op], Declared] = {}
        self._refused: dict[type[Op], str] = {}
        CONCERNS[name] = self  # type: ignore[assignment]

    def __call__(self, *kinds: type[Op]) -> Callable[[Declared], Declared]:
        """A decorator that declares what it decorates for operators of these classes."""

        def declare(declared: Declared) -> Declared:
            for kind in kinds:
                self.declare(kind, declared)
            return declared

        return declare

    def declare(self, kind: type[Op], declared: Declared) -> None:
        """Declares something for operators of a class and its subclasses. Raises `TypeError` for a second one."""
        self._new(kind)
        self._declared[kind] = declared

    def refuse(self, reason: str, *kinds: type[Op]) -> None:
        """Says why there is nothing for operators of these classes."""
        for kind in kinds:
            self._new(kind)
            self._refused[kind] = reason

    def find(self, kind: type[Op]) -> Declared | None:
        """What is declared for a class, by it or by its nearest base; None where nothing is, or it is refused."""
        owner = self._owner(kind)
        return self._declared.get(owner) if owner is not None else None

    def refused(self, kind: type[Op]) -> str:
        """The reason why there is nothing for a class; empty where there is something, or nothing was said."""
        owner = self._owner(kind)
        if owner is not None:
            return self._refused.get(owner, "")
        return self.within.refused(kind) if self.within is not None else self.otherwise

    def of(self, op: Op) -> Declared:
        """What is declared for an operator.

        Raises:
            IRError: it is refused, or nothing was said; the message says why, or where to say it.
        """
        found = self.find(type(op))
        if found is None:
            raise IRError(self.refused(type(op)) or self.missing(type(op)), op.mnemonic)
        return found

    def missing(self, kind: type[Op]) -> str:
        """What to do about a class that says nothing."""
        return f"{kind.__name__} declares no {self.name}: {self.belongs}, or `refuse` it there with the reason"

    def _owner(self, kind: type[Op]) -> type[Op] | None:
        return next((k for k in kind.__mro__ if k in self._declared or k in self._refused), None)

    def _new(self, kind: type[Op]) -> None:
        if kind in self._declared or kind in self._refused:
            raise TypeError(f"{kind.__name__} declares its {self.name} twice")

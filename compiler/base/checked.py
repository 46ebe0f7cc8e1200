"""Calls of the library are held against their own declarations: names, types, choices and ranges.

One decorator, `checked`, on the public functions and the classes of options. What a parameter may be stands in its
annotation and nowhere else: a `Literal` is a choice, `Annotated[int, AtLeast(1)]` a range. A call that does not fit
raises `CallError` with one line, before anything is done.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from tinyc.ir.errors import TinycError

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


class OptionError(TinycError):
    """An option that does not exist, or a value that it cannot have. Messages name options in backquotes, as the
    library has them; the command line spells them as its flags."""


class CallError(OptionError, TypeError):
    """A call that does not fit the declaration: what a type checker finds before the program runs."""


@dataclass(frozen=True)
class AtLeast:
    """The least that a number may be."""

    least: int


@dataclass(frozen=True)
class OneOf:
    """The words that a text may be."""

    words: Collection[str]


@dataclass(frozen=True)
class Elsewhere:
    """The choices of a text are for type checkers: who takes it checks it, and has more to say than what there is."""


def checked(called: AnyCallable) -> AnyCallable:
    """A function, or a class, whose calls raise `CallError` when they do not fit its annotations."""
    inner = called.__init__ if isinstance(called, type) else called  # type: ignore[misc]
    signature = inspect.signature(inner)
    own = [name for name in signature.parameters if name != "self"]

    @functools.wraps(inner)
    def call(*positional: Any, **named: Any) -> Any:
        try:
            bound = signature.bind(*positional, **named)
        except TypeError as error:
            raise CallError(_misfit(called.__name__, named, own, signature, str(error))) from None
        hints = _hints(called)
        for name, value in bound.arguments.items():
            kind = signature.parameters[name].kind
            if name in hints and kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
                if wrong := misfit(value, hints[name]):
                    raise CallError(f"`{name}` takes {wrong}")
        return inner(*positional, **named)

    if isinstance(called, type):
        called.__init__ = call  # type: ignore[misc]
        return called
    return cast("AnyCallable", call)


@functools.cache
def _hints(called: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(called, include_extras=True)


def _misfit(what: str, named: Mapping[str, Any], own: Sequence[str], signature: inspect.Signature, message: str) -> str:
    """Why a call does not fit the parameters."""
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    unknown = [] if open_ended else [name for name in named if name not in own]
    if unknown:
        return f"{what} has no option `{unknown[0]}`" + near(unknown[0], own, "`")
    return f"{what}: {message.removeprefix('__init__() ')}"


def near(word: str, known: Collection[str], quote: str = "") -> str:
    """What may have been meant, or else what there is; to be put behind a message."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {quote}{close[0]}{quote}?"
    return f"; there is {', '.join(f'{quote}{k}{quote}' for k in known)}"


def misfit(value: object, hint: Any) -> str:
    """What was wanted and what was given instead, where a value does not fit an annotation; empty where it does."""
    wanted = _unfit(value, hint)
    return f"{wanted}, not {brief(value)}" if wanted else ""


def brief(value: object) -> str:
    """A value in a few words, on one line."""
    if isinstance(value, type):
        return f"the class {value.__name__} (an instance is needed)"
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return _cut(f"[{', '.join(map(brief, value))}]")
    text = repr(value) if value is None or isinstance(value, (str, bytes, int, float, Path)) else type(value).__name__
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unfit(value: object, hint: Any) -> str:
    """What is wanted, where a value does not fit; else empty."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return ""
    if origin is Annotated:
        if Elsewhere() in arguments[1:]:
            return _unfit(value, str)
        return _unfit(value, arguments[0]) or _out_of_range(value, arguments[1:])
    if origin is Literal:
        fits = any(value == word and type(value) is type(word) for word in arguments)
        return "" if fits else "one of " + ", ".join(map(repr, arguments))
    if origin in (Union, types.UnionType):
        wanted = [_unfit(value, choice) for choice in arguments]
        return "" if not all(wanted) else " or ".join(dict.fromkeys(w for w in wanted if w))
    if origin is np.ndarray:
        return "" if isinstance(value, np.ndarray) else "an array"
    if origin in (Mapping, dict):
        return _unfit_mapping(value, arguments)
    if origin is tuple or origin in (Sequence, Collection, list):
        return _unfit_items(value, arguments[0] if arguments else Any)
    if origin is Callable or hint is Callable:
        return "" if callable(value) else "a function"
    return _unfit_plain(value, hint)


def _out_of_range(value: object, limits: Sequence[object]) -> str:
    for limit in limits:
        if isinstance(limit, AtLeast) and cast("int", value) < limit.least:
            return f"a whole number from {limit.least}"
        if isinstance(limit, OneOf) and value not in limit.words:
            return "one of " + ", ".join(map(repr, limit.words))
    return ""


def _unfit_mapping(value: object, arguments: Sequence[Any]) -> str:
    key, item = arguments
    if not isinstance(value, Mapping):
        return f"a mapping of {_unfit(_NOTHING, key)} to {_unfit(_NOTHING, item)}"
    wrong = [_unfit(k, key) or _unfit(v, item) for k, v in value.items()]
    return next((f"a mapping of {_unfit(_NOTHING, key)} to {_unfit(_NOTHING, item)}" for w in wrong if w), "")


def _unfit_items(value: object, item: Any) -> str:
    """Text and bytes are sequences of Python's, but never what is meant by a list of something."""
    many = isinstance(value, (Collection, np.ndarray)) and not isinstance(value, (str, bytes, Mapping))
    if many and not any(_unfit(each, item) for each in cast("Collection[object]", value)):
        return ""
    wanted = _unfit(_NOTHING, item) or "anything"
    return f"a list, of which each is {wanted}"


_NOTHING = object()
"""Fits no annotation but Any: asks an annotation for its description."""


def _unfit_plain(value: object, hint: Any) -> str:
    if hint is type(None):
        return "" if value is None else "None"
    if hint is float:
        fits = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        return "" if fits and np.isfinite(float(value)) else "a number"  # type: ignore[arg-type]
    if hint is int:
        return "" if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else "a whole number"
    if get_origin(hint) is os.PathLike or (isinstance(hint, type) and issubclass(hint, os.PathLike)):
        return "" if isinstance(value, os.PathLike) and not isinstance(os.fspath(value), bytes) else "a path"
    if isinstance(value, hint):
        return ""
    words: dict[Any, str] = {str: "a text", bool: "True or False", bytes: "bytes"}
    return words.get(hint) or f"{'an' if hint.__name__[0] in 'AEIOU' else 'a'} {hint.__name__}"

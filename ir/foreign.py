"""Operator classes that are not tinyc's own: what their methods raise and give wrongly is said by its name.

Such a class is asked by every pass, by the interpreter and by generators. So its methods are wrapped when the class is
defined (`guard`), once, in place of guards wherever somebody asks.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import cache, partialmethod, wraps
from types import FunctionType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from tinyc.ir.blame import OURS, blame
from tinyc.ir.errors import OperatorError, TinycError
from tinyc.ir.expr import Expr
from tinyc.ir.forms import IntegerForm, StaysFloat


def guard(cls: type) -> None:
    """Wraps the methods that an operator class of somebody else's has: what they raise becomes an `OperatorError`, and
    so does what is not of the kind that callers rely on. tinyc's own are held to that by types and tests."""
    if cls.__module__.startswith(OURS):
        return
    ours = [base for base in cls.__mro__ if base.__module__.startswith(OURS)]
    asked = {name for base in ours for name in vars(base)}
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        owner = next(base for base in cls.__mro__ if name in vars(base))
        foreign = not owner.__module__.startswith((OURS, "builtins")) and not hasattr(method, "guarded")
        if name.startswith("_") or not (foreign or name == "run") or name in getattr(owner, "__annotations__", {}):
            continue
        # What has a name of its own may be called on the class, without an operator.
        if isinstance(method, FunctionType) or (name in asked and isinstance(method, _CALLED)):
            setattr(cls, name, _guarded(method, name, ours))


_CALLED = (staticmethod, partialmethod, type(cache(str)))
"""What stands for a method, beside functions."""


def _guarded(method: Any, name: str, ours: Sequence[type]) -> Callable[..., Any]:
    wrong = cache(lambda: _PROMISED.get(name) or _as_declared(name, ours))

    @wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = method.__get__(self, type(self))(*args, **kwargs)
        except TinycError:
            raise
        except Exception as error:
            own = type(self).__name__
            failed = f"`{own}` cannot be evaluated as what it infers" if name == "run" else f"`{own}.{name}` failed"
            raise _error(self, f"{failed}: {blame(error)}") from error
        if wanted := wrong()(self, result):
            raise _error(self, f"`{type(self).__name__}.{name}` gave {_shown(result)}, and has to give {wanted}")
        return result

    guarded.guarded = True  # type: ignore[attr-defined]
    return guarded


def _as_declared(name: str, ours: Sequence[type]) -> Callable[[Any, object], str]:
    """What a method gives by its annotation in tinyc's class."""
    method = next((vars(base)[name] for base in ours if name in vars(base)), None)
    hint = get_type_hints(method).get("return", Any) if isinstance(method, FunctionType) else Any
    spelled = re.sub(r"\w+\.", "", inspect.formatannotation(hint))
    return lambda op, result: "" if _fits(hint, result) else spelled


def _fits(hint: Any, result: object) -> bool:
    """Whether an object is of a type, as far as that is a class, a tuple, or one of several."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(one, result) for one in arguments)
    if origin is tuple:
        every = arguments[:1] * len(result) if arguments[1:] == (...,) and isinstance(result, tuple) else arguments
        return isinstance(result, tuple) and len(result) == len(every) and all(map(_fits, every, result))
    if origin is np.ndarray:
        return isinstance(result, np.ndarray | np.generic)
    if hint in (bool, int, float):
        kinds = {bool: (bool, np.bool_), int: (int, np.integer), float: (int, float, np.integer, np.floating)}[hint]
        return isinstance(result, kinds) and (hint is bool or not isinstance(result, bool))
    return not isinstance(hint, type) or isinstance(result, hint)


def _error(op: Any, message: str) -> OperatorError:
    operands = ", ".join(str(v) for v in op.operands)
    return OperatorError(message, op, f"{op.mnemonic}({operands})")


def _shown(result: object) -> str:
    """What a method gave, on one short line."""
    if isinstance(result, np.ndarray):
        return f"an array of {result.dtype}{list(result.shape)}"
    if isinstance(result, tuple):
        return f"({', '.join(map(_shown, result))}{',' * (len(result) == 1)})"
    return "None" if result is None else f"{type(result).__name__} {' '.join(str(result).split())[:40]}"


def _a(what: str, *kinds: type) -> Callable[[Any, object], str]:
    return lambda op, result: "" if isinstance(result, kinds) else what


def _passes_on(op: Any, result: object) -> str:
    good = isinstance(result, tuple) and all(any(v is known or v == known for known in op.operands) for v in result)
    return "" if good else "a tuple of operands"


def _affine(op: Any, result: object) -> str:
    """See `Op.affine`: numbers of channels, or one number for all."""
    if result is None:
        return ""
    channels = op.type.shape[-1:]
    arrays = result if isinstance(result, tuple) else ()
    good = len(arrays) == 2 and all(
        isinstance(a, np.ndarray | np.generic)
        and np.can_cast(a.dtype, np.float64)
        and (a.size == 1 or (a.shape[-1:] == channels and a.size == channels[0]))
        for a in arrays
    )
    return "" if good else f"None, or two arrays that each have one number a channel ({list(channels)}), or one in all"


def _evaluated(op: Any, result: object) -> str:
    numbers = isinstance(result, np.ndarray | np.generic) and result.dtype.kind in "biuf"
    good = numbers and result.size == op.type.size  # type: ignore[attr-defined]
    return "" if good else f"an array with the elements of {op.type}"


_PROMISED: dict[str, Callable[[Any, Any], str]] = {
    "scalar": _a("an expression (`tinyc.ir.expr`)", Expr),
    "evaluate": _evaluated,
    "passes_on": _passes_on,
    "affine": _affine,
    "quantised": _a("an IntegerForm, or StaysFloat and the reason", IntegerForm, StaysFloat),
}
"""By method, where there is more to say than its type: what its result has to be, where it is not; else nothing."""

"""Operator classes that are not tinyc's own: what their methods raise and give wrongly is said by its name.

Such a class is asked by every pass, by the interpreter and by generators. So its methods are wrapped when the class is
defined (`guard`), once, in place of guards wherever somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

import numpy as np

from tinyc.ir.blame import OURS, blame
from tinyc.ir.errors import OperatorError, TinycError
from tinyc.ir.expr import Expr
from tinyc.ir.forms import IntegerForm, StaysFloat
from tinyc.ir.types import TensorType


def guard(cls: type) -> None:
    """Wraps the methods that an operator class of somebody else's writes: what they raise becomes an `OperatorError`,
    and so does what is not of the kind that callers rely on (`_PROMISED`). tinyc's own are held to that by tests."""
    if cls.__module__.startswith(OURS):
        return
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and not name.startswith("_"):
            setattr(cls, name, _guarded(method, name))


def _guarded(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    wrong = _PROMISED.get(name, lambda op, result: "")

    @wraps(method)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = method(self, *args, **kwargs)
        except TinycError:
            raise
        except Exception as error:
            raise _error(self, f"`{type(self).__name__}.{name}` failed: {blame(error)}") from error
        if wanted := wrong(self, result):
            raise _error(self, f"`{type(self).__name__}.{name}` gave {_shown(result)}, and has to give {wanted}")
        return result

    return guarded


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
    good = isinstance(result, np.ndarray | np.generic) and result.size == op.type.size
    return "" if good else f"an array with the elements of {op.type}"


_PROMISED: dict[str, Callable[[Any, Any], str]] = {
    "infer": _a("a TensorType", TensorType),
    "scalar": _a("an expression (`tinyc.ir.expr`)", Expr),
    "evaluate": _evaluated,
    "passes_on": _passes_on,
    "affine": _affine,
    "quantised": _a("an IntegerForm, or StaysFloat and the reason", IntegerForm, StaysFloat),
}
"""By method: what its result has to be, where it is not; else nothing."""

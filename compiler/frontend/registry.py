"""Which function imports which ONNX operator: a handler that is written for it, or what an operator of the IR declares.

An operator class that says `onnx="Sin"` needs no handler: Sin becomes it, on the same operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.ir import Op, Value
from tinyc.ir.op import REQUIRED, FieldKind, FieldSpec, fields_of
from tinyc.ir.ops import registry

Handler = Callable[[Context, OnnxNode], "Value | Sequence[Value]"]
"""Imports one node: emits what computes it and returns its outputs, in order. Outputs it leaves out cannot be used."""
HandlerT = TypeVar("HandlerT", bound=Handler)

HANDLERS: dict[str, Handler] = {}
"""Handlers that are written, by operator, as `operator_name` spells it: ONNX's own plainly, others after their domain.
`handler_for` knows all."""

SHAPED_LIKE: dict[str, tuple[str, Callable[[Sequence[str]], Sequence[str]]]] = {}
"""For operators of other domains, which onnx knows nothing of: an operator of ONNX's own whose result has the same
shape, and which of their inputs it takes."""

MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators."""


def onnx_op(*names: str, domain: str = "") -> Callable[[HandlerT], HandlerT]:
    """Registers the decorated function as the handler of ONNX operators."""

    def register(handler: HandlerT) -> HandlerT:
        for name in (f"{domain}:{n}" if domain else n for n in names):
            if name in HANDLERS:
                raise TypeError(f"two handlers for {name}")
            HANDLERS[name] = handler
        return handler

    return register


def handler_for(operator: str) -> Handler | None:
    """The handler of an ONNX operator: the one that is written, else the one of the operator class that declares to be
    the same. None where there is neither. Classes are looked up whenever somebody asks: new ones are found.

    Raises:
        FrontendError: there are both, and not from one hand: one of them would be ignored.
    """
    written = HANDLERS.get(operator)
    kind = next((kind for kind in registry().values() if kind.onnx and kind.onnx == operator), None)
    if written is None:
        return _same(kind) if kind is not None else None
    if kind is not None and _package(kind) != _package(written):
        raise FrontendError(
            f"{kind.__module__}.{kind.__name__} declares to be ONNX's {operator}, which {written.__module__} imports "
            f"otherwise: leave out `onnx` in the class"
        )
    return written


def _package(declared: type[Op] | Handler) -> str:
    """Whose a declaration is. Both may be one's own: the class then says how it is exported."""
    return declared.__module__.partition(".")[0]


def _same(kind: type[Op]) -> Handler:
    """The handler that makes an operator of a class, on the node's operands in order."""

    def handler(ctx: Context, node: OnnxNode) -> Value:
        _check_attributes(kind, node)
        operands = [spec for spec in fields_of(kind) if spec.kind is not FieldKind.ATTRIBUTE]
        if len(node.operands) > len(operands) and not any(spec.is_tuple for spec in operands):
            raise node.error(f"has {len(node.operands)} inputs, not {len(operands)}")
        return ctx.emit(kind(**{spec.name: _operand(spec, node, index) for index, spec in enumerate(operands)}))

    return handler


def _operand(spec: FieldSpec, node: OnnxNode, index: int) -> Value | tuple[Value, ...] | None:
    """What a node has for an operator's operand."""
    if spec.kind is FieldKind.VARIADIC:
        return tuple(node.operand(k) for k in range(index, len(node.operands)))
    return node.operand(index) if spec.kind is FieldKind.OPERAND else node.optional(index)


def _check_attributes(kind: type[Op], node: OnnxNode) -> None:
    """Raises `FrontendError` where the node or the operator has attributes, of which `onnx=` says nothing."""
    own = [spec.name for spec in fields_of(kind) if spec.kind is FieldKind.ATTRIBUTE and spec.default is REQUIRED]
    names = [*node.attributes, *own]
    if names:
        raise node.error(
            f"{kind.__name__} declares to be ONNX's {kind.onnx} without attributes, and there is {', '.join(names)}: "
            f"write a handler that reads it (`onnx_op`, in the frontend)"
        )

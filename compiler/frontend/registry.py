"""The table of handlers: which function imports which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.ir import Value

Handler = Callable[[Context, OnnxNode], "Value | Sequence[Value]"]
"""Imports one node: emits what computes it and returns its outputs, in order. Outputs it leaves out cannot be used."""

HANDLERS: dict[str, Handler] = {}
"""Handlers by operator, as `operator_name` spells it: ONNX's own plainly, others after their domain."""

SHAPED_LIKE: dict[str, tuple[str, Callable[[Sequence[str]], Sequence[str]]]] = {}
"""For operators of other domains, which onnx knows nothing of: an operator of ONNX's own whose result has the same
shape, and which of their inputs it takes."""

MICROSOFT = "com.microsoft"
"""The domain of onnxruntime's own operators."""


def onnx_op(*names: str, domain: str = "") -> Callable[[Handler], Handler]:
    """Registers the decorated function as the handler of ONNX operators."""

    def register(handler: Handler) -> Handler:
        for name in (f"{domain}:{n}" if domain else n for n in names):
            if name in HANDLERS:
                raise TypeError(f"two handlers for {name}")
            HANDLERS[name] = handler
        return handler

    return register

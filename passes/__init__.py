"""Passes: the base classes, the manager, and one module a pass. Importing this package registers our passes."""

from tinyc.ir.module import remove_dead
from tinyc.passes import pipeline  # importing it registers the passes
from tinyc.passes.core.base import AnyPass, Lowering, Pass, PassError, RowPass, Slack, registered
from tinyc.passes.core.manager import PassManager, PassVerificationError
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite, tracing

__all__ = [
    "Answer",
    "AnyPass",
    "Lowering",
    "Pass",
    "PassError",
    "PassManager",
    "PassVerificationError",
    "Replaced",
    "Rewriter",
    "RowPass",
    "Skip",
    "Slack",
    "on",
    "pipeline",
    "registered",
    "remove_dead",
    "rewrite",
    "tracing",
]

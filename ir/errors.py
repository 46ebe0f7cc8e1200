"""Errors of the IR.

Every error that a user can cause derives from `TinycError`: the command line prints its message and exits with
status 2, the library raises it. A message says what is wrong, where, and what to do.
"""

from __future__ import annotations


class TinycError(Exception):
    """Base of every error that bad input can cause."""


class IRError(TinycError):
    """An operator, module or row program that breaks a rule of the IR.

    Args:
        message: what is wrong.
        where: the location it concerns (an operator and the ONNX node it came from), empty when unknown.
    """

    def __init__(self, message: str, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class OperatorError(TinycError):
    """A method of an operator class that is not tinyc's own failed, or gave what it must not.

    Args:
        message: the class, the method, and what was wrong.
        op: the operator that was asked.
        where: the node, or the operator's mnemonic.
    """

    def __init__(self, message: str, op: object, where: str) -> None:
        super().__init__(f"{where}: {message}")
        self.message = message
        self.op = op

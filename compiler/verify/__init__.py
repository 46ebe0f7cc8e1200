"""Verification: against the reference, layer by layer, and of each pass."""

from tinyc.compiler.verify.executors import check_executor, run_on
from tinyc.compiler.verify.gaps import ABSOLUTE, RELATIVE, VerificationError
from tinyc.compiler.verify.verdict import Agreement, Verdict, check_import

__all__ = [
    "ABSOLUTE",
    "RELATIVE",
    "Agreement",
    "Verdict",
    "VerificationError",
    "check_executor",
    "check_import",
    "run_on",
]

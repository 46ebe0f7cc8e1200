"""Verification: against the reference, layer by layer, and of each pass."""

from tinyc.compiler.verify.executors import check_executor, run_on
from tinyc.compiler.verify.gaps import ABSOLUTE, RELATIVE, Gap, VerificationError, describe, gap
from tinyc.compiler.verify.verdict import Agreement, Verdict, check_import, compare, first_difference_in_c, run_rows

__all__ = [
    "ABSOLUTE",
    "RELATIVE",
    "Agreement",
    "Gap",
    "Verdict",
    "VerificationError",
    "check_executor",
    "check_import",
    "compare",
    "describe",
    "first_difference_in_c",
    "gap",
    "run_on",
    "run_rows",
]

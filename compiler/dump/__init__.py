"""What a device printed, held against the interpreter."""

from tinyc.compiler.dump.document import compare_dump
from tinyc.compiler.dump.times import compare_times

__all__ = ["compare_dump", "compare_times"]

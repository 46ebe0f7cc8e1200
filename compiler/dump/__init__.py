"""What a device printed, held against the interpreter."""

from tinyc.compiler.dump.document import compare_dump

__all__ = ["compare_dump"]

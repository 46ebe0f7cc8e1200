"""The command line."""

from tinyc.compiler.cli.commands import app, main

__all__ = ["app", "main"]

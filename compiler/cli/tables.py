"""What the tables of the terminal have in common."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

out = Console()
"""Standard output."""


def grid() -> Table:
    """A table of names and what they stand for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table

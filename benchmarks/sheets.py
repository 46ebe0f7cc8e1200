"""Tables for people: on a terminal, or as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 210


def markdown_line(cells: Iterable[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True)
class Sheet:
    """A table: how many columns at its left are words, the others being numbers; cells may have rich's markup."""

    title: str
    words: int
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, title_justify="left")
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="left" if number < self.words else "right")
        for line in self.lines:
            table.add_row(*line)
        return table

    def markdown(self) -> str:
        """For the documentation."""
        rules = ["---" if number < self.words else "---:" for number in range(len(self.headings))]
        plain = [[Text.from_markup(cell).plain for cell in line] for line in self.lines]
        return "\n".join(map(markdown_line, [self.headings, rules, *plain]))


def show(sheets: Iterable[Sheet], markdown: bool = False) -> None:
    """Prints them."""
    console = Console(width=WIDTH)
    for sheet in sheets:
        if markdown:
            print(f"{sheet.title}:\n\n{sheet.markdown()}\n")
        else:
            console.print(sheet.rich())

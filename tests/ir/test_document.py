"""The reference page is made from the operators and is up to date."""

from __future__ import annotations

from pathlib import Path

from tinyc.ir.text.document import operator_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "operators.md").read_text(encoding="utf-8") == operator_page(), (
        "run: python -m tinyc.ir.text.document > docs/operators.md"
    )

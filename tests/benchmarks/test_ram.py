"""The table of RAM: a case of it is measured, and a limit that is not kept shows."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import ram
from tests.helpers import DATA


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is missing")
def test_the_published_mobile_lenet() -> None:
    held, callback = ram.measure("blood_mobile_lenet")
    assert held.holds
    assert callback.holds
    assert held.by_layers >= 2 * held.arena
    assert {"interpreter", "host"} <= set(held.same_on)
    assert callback.stack is None or callback.stack <= 1024
    assert not dataclasses.replace(held, limit=held.arena - 1).holds


def test_an_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        ram.main(["nothing"])
    assert stop.value.code == 2
    assert "no case nothing" in capsys.readouterr().err

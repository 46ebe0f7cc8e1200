"""Two cores are faster than one: the benchmark, where its figures mean something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.two_cores import UNLIMITED, compiled, measure


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="this computer has one core")
def test_two_cores_are_faster(tmp_path: Path) -> None:
    one = compiled(1, "one", tmp_path, UNLIMITED)
    two = compiled(2, "two", tmp_path, None)
    result = measure(one.source, two.source, tmp_path, pairs=10)
    print(f"median speed-up {result.speed_up:.2f} of {[f'{r:.2f}' for r in result.ratios]}")
    if not result.real_time:
        pytest.skip("no real-time priority here: other work on this computer decides")
    assert result.speed_up >= 1.6

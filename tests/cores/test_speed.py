"""Two cores are faster than one: by the work that each has, and the benchmark that measures it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.two_cores import UNLIMITED, compiled, measure


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="this computer has one core")
def test_two_cores_are_faster(tmp_path: Path) -> None:
    """Of the layers that both share, each computes half; time itself is for the benchmark, on a computer that does
    nothing else. The benchmark fails where the results of one core and of two differ."""
    one = compiled(1, "one", tmp_path, UNLIMITED)
    two = compiled(2, "two", tmp_path, None)
    macs, shared = two.report["macs"], two.report["cores"]["shared_macs"]
    assert one.report["macs"] == macs
    assert macs / (macs - shared / 2) >= 1.6
    result = measure(one.source, two.source, tmp_path, pairs=1)
    assert len(result.ratios) == 1

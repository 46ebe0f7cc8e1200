"""Some random models through the whole compiler; `python -m tests.fuzz.graphs` runs thousands."""

from __future__ import annotations

import pytest

from tests.fuzz.graphs import Case, Kind, Outcome, check


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [f"{Case.of(o.kind, o.seed).repeat}: {o.wrong}" for o in outcomes if o.wrong]


@pytest.mark.parametrize(("kind", "first", "count"), [("float", 0, 30), ("float", 30, 30), ("int8", 0, 20)])
def test_random_models_agree_with_onnxruntime(kind: Kind, first: int, count: int) -> None:
    outcomes = check([Case.of(kind, seed) for seed in range(first, first + count)])
    assert len(outcomes) == count
    assert not wrong(outcomes), "\n".join(wrong(outcomes))
    assert sum(not o.refused for o in outcomes) >= 0.9 * count, [o.refused for o in outcomes]

"""Some random models through the whole compiler; `python -m tests.fuzz.graphs` runs thousands."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from random import Random

import pytest

from tests.c.support import need
from tests.fuzz.graphs import Case, Kind, Outcome, check, check_c, compiled
from tests.fuzz.onnx_graphs import model_of
from tests.fuzz.onnx_grower import Grower
from tinyc.compiler.session import Compilation


def wrong(outcomes: list[Outcome]) -> list[str]:
    return [f"{Case.of(o.kind, o.seed).repeat}: {o.wrong}" for o in outcomes if o.wrong]


@pytest.mark.parametrize(
    ("kind", "first", "count"), [("float", 0, 30), ("float", 30, 30), ("int8", 0, 8), ("int8", 8, 12)]
)
def test_random_models_agree_with_onnxruntime(kind: Kind, first: int, count: int) -> None:
    need("gcc")
    outcomes = check([Case.of(kind, seed) for seed in range(first, first + count)])
    assert len(outcomes) == count
    assert not wrong(outcomes), "\n".join(wrong(outcomes))
    assert sum(not o.refused for o in outcomes) >= 0.9 * count, [o.refused for o in outcomes]


def changed(was: str, now: str) -> str:
    """What is said of the C of a channel scale in which a piece of text is another one."""
    g = Grower(Random(0))
    x = g.input((1, 3, 4, 5))
    y = g.node("Mul", [x.name, g.constant(g.array((3, 1, 1)))], x.shape)
    case = Case("float", 0, model_of(g, [y]), {"rows_from": "argument"}, {})
    with tempfile.TemporaryDirectory() as folder:
        found = compiled(case, Path(folder), drive=False)
        assert isinstance(found, Compilation)
        files = {name: text.replace(was, now) for name, text in found.source.files.items()}
        assert (files != found.source.files) == (was != now)
        source = dataclasses.replace(found.source, files=files)
        (outcome,) = check_c([(case, dataclasses.replace(found, source=source))], Path(folder))
    return outcome.wrong


def test_a_difference_in_the_c_is_seen() -> None:
    need("gcc")
    assert not changed("", "")
    assert "the C, sample 0: " in changed("] * x1[", "] + x1[")
    assert "wrote outside an output" in changed("out[i0", "out[1 + i0")
    assert "does not compile" in changed(" = x0[", " == x0[")
    assert "status" in changed(" = x0[", " = *(const volatile float *)0 + x0[")

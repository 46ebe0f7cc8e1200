"""`ram` of two memories, from the option to every executor and the report."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import onnx
import pytest

import tinyc
from benchmarks.networks import mobilenet_v1
from benchmarks.networks.residual import resnet8
from tests.packages.support import model, packed
from tests.runners.support import need_simulator
from tinyc.compiler.base.checked import OptionError
from tinyc.compiler.options import Options
from tinyc.compiler.report.times import Places, bytes_moved
from tinyc.ir.rows.traffic import moved, traffic
from tinyc.passes import PassError

WAYS: dict[str, dict[str, Any]] = {
    "arena": {"ram": "2K+64K"},
    "argument": {"ram": "2K+64K", "rows_from": "argument"},
    "callback": {"ram": "1K+64K", "rows_from": "callback"},
    "two cores": {"ram": "2K+64K", "cores": 2},
    "a byte inside": {"ram": "1+64K"},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_executor_agrees(way: str) -> None:
    made = tinyc.compile(model(3, 1, 1), verify=False, **WAYS[way])
    assert made.source.psram_bytes
    verdicts = tinyc.verify(model(3, 1, 1), on=["interpreter", "host"], **WAYS[way])
    assert [v.passed for v in verdicts] == [True, True]


@pytest.mark.parametrize("way", WAYS)
def test_a_chip_agrees(way: str) -> None:
    need_simulator("rv32imafc")
    if way != "two cores":
        assert tinyc.verify(model(3, 1, 1), on=["rv32imafc"], **WAYS[way])[0].passed


def test_the_report_says_what_lies_and_moves_where() -> None:
    both = packed("arena", "c", ram="2K+64K")
    report = both.report
    ram, inside = report["ram"], moved(both.program)
    assert (ram["arena_bytes"], ram["psram_arena_bytes"]) == (both.source.arena_bytes, both.source.psram_bytes)
    assert ram["arena_bytes"] <= 2048
    assert {b["memory"] for b in ram["buffers"]} == {"internal", "psram"}
    for buffer in ram["buffers"]:
        size = ram["arena_bytes" if buffer["memory"] == "internal" else "psram_arena_bytes"]
        assert buffer["offset"] + buffer["bytes"] <= size
    assert (ram["moved_bytes"]["internal"], ram["moved_bytes"]["psram"]) == inside
    assert sum(inside) == sum(traffic(both.program).values())
    assert report["package"]["arena_in"] == "internal and psram"
    outside = packed("arena", "c", arena_in="psram").report["ram"]["moved_bytes"]
    assert outside["internal"] == 0 < ram["moved_bytes"]["psram"] < outside["psram"]
    within = packed("arena", "c").report
    assert within["ram"]["moved_bytes"]["psram"] == within["ram"]["psram_arena_bytes"] == 0
    assert within["time"]["psram_ms"] == 0 < report["time"]["psram_ms"]


def test_constants_in_internal_ram_are_moved_there() -> None:
    made = packed("arena", "c")
    flash = bytes_moved(made.program, made.target, Places())
    inside = bytes_moved(made.program, made.target, Places(weights_in_flash=False))
    assert (inside["flash"], inside["internal"]) == (0, flash["internal"] + flash["flash"])


@pytest.mark.parametrize(
    ("ram", "sizes"),
    [(None, (None, None)), (4096, (4096, None)), ("4K", (4096, None)), ("160K+2M", (160 << 10, 2 << 20))],
)
def test_numbers_of_bytes(ram: Any, sizes: tuple[int | None, int | None]) -> None:
    options = Options(ram=ram)
    assert (options.ram_bytes, options.external_bytes) == sizes


@pytest.mark.parametrize("ram", ["1K+", "+1K", "+", "1K + "])
def test_a_memory_without_a_number(ram: str) -> None:
    with pytest.raises(OptionError, match=rf"a number on both sides of the \+, as in 160K\+2M; not '{re.escape(ram)}'"):
        _ = Options(ram=ram)


@pytest.mark.parametrize(
    ("network", "ram"),
    [(lambda: mobilenet_v1(0.25, 32, classes=5), "4K+1K"), (resnet8, "4K+2K")],
    ids=["chain", "residual"],
)
def test_a_pair_that_is_too_small_is_told_what_is_enough(network: Callable[[], onnx.ModelProto], ram: str) -> None:
    """Never more than one memory alone takes."""
    with pytest.raises(PassError, match="too small for any schedule") as caught:
        tinyc.compile(network(), ram=ram, verify=False)
    enough = re.search(r"`ram=(4096\+([0-9]+))` is enough", str(caught.value))
    alone = re.search(r"In one memory, the smallest arena is ([0-9,]+) bytes", str(caught.value))
    assert enough is not None
    assert alone is not None
    least = int(alone[1].replace(",", ""))
    assert int(enough[2]) <= least
    made = tinyc.compile(network(), ram=enough[1], verify=False)
    assert made.source.arena_bytes <= 4096
    assert tinyc.compile(network(), verify=False).source.arena_bytes == least

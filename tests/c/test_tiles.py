"""Into which tiles the pixels of float layers are divided."""

from __future__ import annotations

import pytest

from tinyc.backends.c.tiles import LANES, MOST, Tiles, room, tiles


@pytest.mark.parametrize(
    ("registers", "pixels"),
    [
        (32, {1: 8, 2: 8, 3: 8, 4: 6}),  # RISC-V
        (16, {1: 8, 2: 6, 3: 4, 4: 3}),  # Xtensa
        (0, {1: 2, 2: 2, 3: 2, 4: 2}),
    ],
)
def test_sums_and_what_is_multiplied_fit(registers: int, pixels: dict[int, int]) -> None:
    assert {lanes: room(registers, lanes) for lanes in range(1, LANES + 1)} == pixels


def test_three_pixels_are_not_divided_by_two() -> None:
    """As a tile of two takes a tenth more; of six, four and five take less than that."""
    assert tiles(28, 3) == Tiles(3, larger=8, smaller=2)
    assert tiles(26, 3) == Tiles(3, larger=8, smaller=1)
    assert tiles(47, 3) == Tiles(3, larger=16, overlap=1)
    assert tiles(36, 3) == Tiles(3, larger=12)
    assert tiles(2, 3) == Tiles(2, larger=1)
    assert tiles(28, 6) == Tiles(4, larger=7)


@pytest.mark.parametrize("most", range(2, MOST + 1))
def test_every_pixel_is_in_a_tile(most: int) -> None:
    for count in range(1, 200):
        t = tiles(count, most)
        assert t.pixels <= most
        assert t.larger * t.pixels - t.overlap + t.smaller * (t.pixels - 1) == count

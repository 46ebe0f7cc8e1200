"""Arena planning: byte offsets for blocks of which some must keep apart, in the least memory."""

from tinyc.passes.placement.problem import Apart, Block, Placement, apart_by_lifetimes
from tinyc.passes.placement.regions import Region, RegionPlacement, place_in_regions
from tinyc.passes.placement.solve import place

__all__ = [
    "Apart",
    "Block",
    "Placement",
    "Region",
    "RegionPlacement",
    "apart_by_lifetimes",
    "place",
    "place_in_regions",
]

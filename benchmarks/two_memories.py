"""What networks move in PSRAM whose arena lies in two memories: `python -m benchmarks.two_memories`.

For each network and budget of internal RAM: the two arenas, the bytes that an inference moves in PSRAM, and those that
it moves with the whole arena there, in the schedule of the least arena or in that for two memories, whichever moves
fewer. int8, channels last, for the ESP32-S3; every case is verified on the interpreter and on this computer unless
`--no-verify` is given.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.building import compiled
from benchmarks.networks.listing import NETWORKS

CASES = {
    "mobilenet_v1_1.0_224": ("200K", "100K", "60K"),
    "mobilenet_v1_0.5_224": ("100K", "48K"),
    "mobilenet_v1_0.25_96": ("20K", "12K"),
    "mobilenet_v2_0.5_128": ("32K", "16K"),
    "resnet8": ("8K",),
}
"""Budgets of internal RAM for each network."""
PSRAM = "2M"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.two_memories", description="Bytes moved in PSRAM.")
    parser.add_argument("names", nargs="*", choices=[*CASES, []], metavar="NAME", help="networks; all by default")
    parser.add_argument("--no-verify", action="store_true", help="do not run them")
    chosen = parser.parse_args(arguments)
    columns = ("network", "internal", "arena", "in PSRAM", "moved in PSRAM", "all in PSRAM", "part")
    table = Table(*columns, title=f"ram=...+{PSRAM}", title_justify="left")
    for name in chosen.names or CASES:
        shared = {"target": "esp32s3", "input_layout": "nhwc", "verify": not chosen.no_verify}
        network = NETWORKS[name]()
        outside = compiled(network, name, ("int8", "float32"), **shared, arena_in="psram").report["ram"]["moved_bytes"]
        for budget in CASES[name]:
            ram = compiled(network, name, ("int8", "float32"), **shared, ram=f"{budget}+{PSRAM}").report["ram"]
            moved = ram["moved_bytes"]["psram"]
            everything = min(outside["psram"], moved + ram["moved_bytes"]["internal"])
            sizes = (f"{ram['arena_bytes']:,}", f"{ram['psram_arena_bytes']:,}", f"{moved:,}")
            table.add_row(name, budget, *sizes, f"{everything:,}", f"{moved / everything:.1%}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

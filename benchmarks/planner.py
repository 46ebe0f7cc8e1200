"""How close to the lower bound the arena planner comes, and how long it takes, beside greedy lowest fit.

    python -m benchmarks.planner [--json]
    python -m benchmarks.planner --models [--json]

The hard instances of MiniMalloc (Moffitt, ASPLOS 2023), of which 1,048,576 bytes are the capacity, two traces of
idealloc (Lamprakos et al., 2025), and random lifetimes; or, with --models, the arenas of real networks, streamed by
rows as `tinyc compile` does. The data is looked for in ../shared/data, or in `data` of the
folder that TINYC_TEST_DATA names. Seconds depend on the machine and its load; sizes do not.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinyc.compiler.frontend import load_onnx
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram
from tinyc.passes.core.manager import PassManager
from tinyc.passes.pipeline import integer_passes, row_passes, tensor_passes
from tinyc.passes.placement import Block, apart_by_lifetimes, place
from tinyc.passes.rows.plan import PlanArena

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TINYC_TEST_DATA") or ROOT.parent / "shared") / "data"
FOLDERS = ("minimalloc", "idealloc")
SECONDS = 20.0
OPEN_SHAPES = {"vespa_tiny_transformer": {"input": (1, 16)}}
"""Shapes for models whose input has open dimensions."""


@dataclass(frozen=True)
class Instance:
    """Blocks by (first time, last time, bytes), times included; `capacity` in bytes."""

    name: str
    lives: tuple[tuple[int, int, int], ...]
    capacity: int | None


@dataclass(frozen=True)
class Result:
    """Sizes in bytes; ratios are sizes over the lower bound."""

    instance: str
    blocks: int
    lower_bound: int
    capacity: int | None
    size: int
    ratio: float
    optimal: bool
    seconds: float
    greedy_ratio: float


def read(path: Path) -> Instance:
    """An instance in MiniMalloc's format: id, lower, upper (exclusive), size; the capacity is part of the name."""
    with path.open(encoding="utf-8", newline="") as file:
        lives = [(int(row["lower"]), int(row["upper"]) - 1, int(row["size"])) for row in csv.DictReader(file)]
    capacity = path.stem.rpartition(".")[2]
    return Instance(
        f"{path.parent.name}/{path.stem}", tuple(sorted(lives)), int(capacity) if capacity.isdigit() else None
    )


def invented(count: int, longest: int, seed: int) -> Instance:
    """Random lifetimes over `count` times, each of up to `longest` times."""
    chance = random.Random(seed)
    lives = []
    for _ in range(count):
        first = chance.randrange(count)
        lives.append((first, first + chance.randint(0, longest), 16 * chance.randint(1, 4096)))
    return Instance(f"random/{count}x{longest}", tuple(sorted(lives)), None)


def instances() -> Iterator[Instance]:
    """All of them; says on the terminal's error stream which data is missing."""
    for folder in FOLDERS:
        paths = sorted((DATA / folder).glob("*.csv"))
        if not paths:
            print(f"no *.csv in {DATA / folder}; TINYC_TEST_DATA names the folder that has data/", file=sys.stderr)
        yield from map(read, paths)
    for longest in (20, 100):
        yield invented(1000, longest, seed=1)


def measured(instance: Instance) -> Result:
    """Plans one instance."""
    blocks = [Block(str(n), size, time=last - first + 1) for n, (first, last, size) in enumerate(instance.lives)]
    start = time.perf_counter()
    apart, bound = apart_by_lifetimes(blocks, {str(n): life[:2] for n, life in enumerate(instance.lives)})
    found = place(blocks, apart, lower_bound=bound, capacity=instance.capacity, seconds=SECONDS)
    seconds = time.perf_counter() - start
    quick = place(blocks, apart, lower_bound=bound, seconds=0)
    return Result(
        instance.name,
        len(blocks),
        found.lower_bound,
        instance.capacity,
        found.bytes,
        round(found.bytes / found.lower_bound, 5),
        found.optimal,
        round(seconds, 2),
        round(quick.bytes / found.lower_bound, 5),
    )


def networks() -> Iterator[Result]:
    """The arenas of all networks in ../shared/models that can be compiled."""
    for path in sorted((DATA.parent / "models").glob("*.onnx")):
        try:
            imported = load_onnx(path, input_shapes=OPEN_SHAPES.get(path.stem, {}))
            ir, _ = PassManager([*tensor_passes(), *integer_passes(), *row_passes("arena")[:-1]]).run(imported.module)
        except TinycError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        assert isinstance(ir, RowProgram)
        start = time.perf_counter()
        plan = PlanArena().run(ir).plan
        seconds = time.perf_counter() - start
        quick = PlanArena(seconds=0).run(ir).plan
        assert plan is not None
        assert quick is not None
        least = max(plan.lower_bound, 1)
        yield Result(
            path.stem,
            len(plan.slots),
            plan.lower_bound,
            None,
            plan.bytes,
            round(plan.bytes / least, 5),
            plan.bytes == plan.lower_bound,
            round(seconds, 2),
            round(quick.bytes / least, 5),
        )


def main() -> None:
    """Prints the table, or with --json a list of results."""
    results = list(networks()) if "--models" in sys.argv[1:] else [measured(instance) for instance in instances()]
    if "--json" in sys.argv[1:]:
        print(json.dumps([dataclasses.asdict(r) for r in results], indent=2))
        return
    columns = ("instance", "blocks", "lower bound", "capacity", "size", "ratio", "optimal", "seconds", "greedy")
    table = Table(*columns)
    for r in results:
        capacity = "" if r.capacity is None else f"{r.capacity:,}"
        numbers = (f"{r.blocks}", f"{r.lower_bound:,}", capacity, f"{r.size:,}", f"{r.ratio:.4f}")
        table.add_row(r.instance, *numbers, "yes" if r.optimal else "", f"{r.seconds:.1f}", f"{r.greedy_ratio:.4f}")
    Console(width=max(120, Console().width)).print(table)


if __name__ == "__main__":
    main()

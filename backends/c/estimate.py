"""About how many instructions tinyc's own kernels take, where nobody has counted them.

The count of a kernel is near a sum of five products: of what it does how often (`Work`), and what each of that takes.
`estimates.toml` has the factors of each kind of kernel, from counts on simulated machines; `python -m
scripts.estimates` makes it anew and tells how far the sums are from the counts. They are those of a family of cores,
for which compilers make the same of C: RISC-V, and Xtensa with register windows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources

from tinyc.backends.c.tuning import Tuning
from tinyc.backends.c.work import Work, work_of
from tinyc.ir.rows import RowProgram, Stage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FAMILIES = {"rv32": "riscv", "xten": "xtensa"}
"""By how the name of an instruction set begins."""
LOOPS = "loops"
"""The kind that stands in for those of no line: loops over elements."""
Factors = tuple[float, ...]


def family_of(isa: str) -> str:
    """The family of an instruction set; empty for one that nothing was counted on."""
    return FAMILIES.get(isa[:4], "")


def all_instructions(program: RowProgram, tuning: Tuning, family: str) -> list[int | None]:
    """About the instructions of each stage by the kernel that it has, a library's too; None where nothing is known."""

    def one(stage: Stage) -> int | None:
        if stage.kernel.library:
            return stage.kernel.instructions or None
        return instructions(program, stage, tuning, family)

    return [one(stage) for stage in program.stages]


def instructions(program: RowProgram, stage: Stage, tuning: Tuning, family: str) -> int | None:
    """About the instructions of a stage in an inference by tinyc's own kernel; None for a family without counts. What a
    function of the caller's does with rows that it is given is not among them."""
    if family not in tables():
        return None
    if not stage.result.type.size or program.gives_rows(stage):
        return 0
    work = work_of(program, stage, tuning)
    return round(sum(n * each for n, each in zip(work.counts, _factors(work, family), strict=True)))


@cache
def tables() -> Mapping[str, Mapping[str, Factors]]:
    """The factors by family and kind, in the order of `Work.counts`."""
    text = (resources.files("tinyc.backends.c") / "estimates.toml").read_text(encoding="utf-8")
    return {
        f: {kind: tuple(map(float, line)) for kind, line in table.items()} for f, table in tomllib.loads(text).items()
    }


def _factors(work: Work, family: str) -> Factors:
    """Those of a kind; of the other family, or of loops, where nothing was counted."""
    wanted, (how, dtype) = tables(), (work.kind.rpartition(" ")[2], work.kind.split(" ")[-2])
    places = [(family, work.kind), *((f, work.kind) for f in wanted if f != family)]
    places += [(f, f"{LOOPS} {dtype} {how}") for f in (family, *wanted)]
    places += [(family, f"{LOOPS} f32 plain")]
    return next(wanted[f][kind] for f, kind in places if kind in wanted[f])

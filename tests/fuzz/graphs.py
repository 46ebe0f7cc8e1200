"""Random models through the whole compiler, under random schedules: a command, and what the suite runs of it.

    python -m tests.fuzz.graphs --float 5000 --int8 2000 --seed 1 --jobs 2

Each model takes the road of `tinyc compile`: the import is compared with onnxruntime, every pass before with after, and
the row program runs on the planned arena. The C of all is compiled without optimisation, some dozens of programs in one
library, and compared with the row program; of each 50th the driver itself compiles and compares the C, as it does.
A difference prints how to repeat it, and its model is kept.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import onnx

import tinyc
from tests.fuzz import shared_c
from tests.fuzz.onnx_graphs import float_model
from tests.fuzz.onnx_quantised import quantised_model
from tests.helpers import assert_close
from tinyc.backends.interpreter import run_program
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation
from tinyc.ir.errors import TinycError
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError

Kind = Literal["float", "int8"]
BATCH = 40
"""Programs in one library."""
DRIVEN = 50
"""Of so many models, one goes through the driver's own comparison of the C."""


@dataclass(frozen=True)
class Case:
    """A model and how it is compiled; a seed gives it."""

    kind: Kind
    seed: int
    model: onnx.ModelProto
    options: dict[str, Any]
    calibration: dict[str, Array]

    @staticmethod
    def of(kind: Kind, seed: int) -> Case:
        """The case of a seed."""
        random = Random(f"{kind} {seed}")
        calibration: dict[str, Array] = {}
        if kind == "float":
            model = float_model(random)
        elif random.random() < 0.5:
            model = float_model(random, batch=True)
            rng = np.random.default_rng(random.getrandbits(32))
            for info in model.graph.input:
                shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
                calibration[info.name] = rng.standard_normal((12, *shape[1:])).astype(np.float32)
        else:
            model = quantised_model(random)
        return Case(kind, seed, model, _options(random, model, calibration), calibration)

    @property
    def repeat(self) -> str:
        """The command that runs it again."""
        return f"python -m tests.fuzz.graphs --{self.kind} 1 --seed {self.seed}"


def _options(random: Random, model: onnx.ModelProto, calibration: dict[str, Array]) -> dict[str, Any]:
    """A schedule and an interface. A budget is a multiple of what the least schedule takes; that is looked up later."""
    places = ["arena", "arena", "argument", *(["callback"] * 2 if _has_images(model.graph.input) else [])]
    options: dict[str, Any] = {"name": "net", "rows_from": random.choice(places)}
    options["input_layout"] = random.choice(["onnx", "onnx", "nhwc"])
    options["output_layout"] = random.choice(["onnx", "onnx", "nhwc"])
    options["rows_to"] = random.choice(["argument", *(["callback"] if _has_images(model.graph.output) else [])])
    if random.random() < 0.2:
        options["ram"] = random.uniform(1.0, 2.5)
    if random.random() < 0.2:
        options |= {"cores": 2, "target": "esp32s3"}
    if calibration:
        options["equalise"] = random.random() < 0.7
        options["correct_bias"] = random.random() < 0.7
        options["input_type"] = random.choice(["float32", "int8", "auto"])
        options["output_type"] = random.choice(["float32", "int8", "auto"])
    return options


def _has_images(ports: Iterable[onnx.ValueInfoProto]) -> bool:
    shapes = [[d.dim_value for d in p.type.tensor_type.shape.dim] for p in ports]
    return any(len(s) == 4 and s[0] == 1 and min(s[1:]) > 1 for s in shapes)


@dataclass(frozen=True)
class Outcome:
    """What came of a case: nothing said when all agreed."""

    kind: Kind
    seed: int
    refused: str = ""
    wrong: str = ""


def compiled(case: Case, folder: Path, drive: bool) -> Compilation | Outcome:
    """Compiles a case, or says why it was refused or what is wrong."""
    path = folder / f"{case.kind}_{case.seed}.onnx"
    path.write_bytes(case.model.SerializeToString())
    try:
        # Layers here are small: two cores share them as if waking the other one took no time.
        with host_compiler(drive), patch("tinyc.passes.rows.split.HAND_OVER", 0):
            return _compile(path, case.options, case.calibration)
    except TinycError as error:
        refusal = next((r for r in REFUSED if re.search(r, str(error))), "")
        if refusal:
            return Outcome(case.kind, case.seed, refused=refusal)
        return Outcome(case.kind, case.seed, wrong=f"{type(error).__name__}: {error}")
    except Exception:
        return Outcome(case.kind, case.seed, wrong=traceback.format_exc(limit=-4))
    finally:
        path.unlink()


def _compile(path: Path, given: Mapping[str, Any], calibration: Mapping[str, Array]) -> Compilation:
    options = dict(given)
    if calibration:
        data = path.with_suffix(".npz")
        np.savez(data, **calibration)  # type: ignore[arg-type]
        fields = {k: options.pop(k) for k in ("equalise", "correct_bias", "input_type", "output_type")}
        options["quantise"] = QuantiseOptions(data, **fields)
    try:
        if "ram" in options:
            least = tinyc.compile(path, verify=False, **{k: v for k, v in options.items() if k != "ram"})
            options["ram"] = max(int(least.source.arena_bytes * options["ram"]), 1)
        return tinyc.compile(path, **options)
    except PassError as error:
        # Whether integers can come in and go out depends on the operators there, which the options do not look at.
        floats = {"input_type": "float32", "output_type": "float32"}
        if "cannot be int" not in str(error) or floats.items() <= given.items():
            raise
        return _compile(path, {**given, **floats}, calibration)


REFUSED = (
    "rows from a callback need an input of more than one row",
    "rows to a callback need an output of more than one row",
    "the RAM budget is",
)
"""What may be refused, and is counted: the schedule was chosen without looking at the model."""


@contextmanager
def host_compiler(there: bool) -> Iterator[None]:
    """Lets the driver find a compiler for this computer, or none."""
    before = os.environ.get("CC")
    if not there:
        os.environ["CC"] = "/nowhere/cc"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("CC", None)
        else:
            os.environ["CC"] = before


def check(cases: Sequence[Case]) -> list[Outcome]:
    """Compiles cases and runs the C of all that compiled."""
    outcomes: list[Outcome] = []
    waiting: list[tuple[Case, Compilation]] = []
    with tempfile.TemporaryDirectory(prefix="tinyc-fuzz-") as name:
        folder = Path(name)
        for number, case in enumerate(cases):
            named = replace(case, options=case.options | {"name": f"net{number}"})
            found = compiled(named, folder, case.seed % DRIVEN == 0)
            if isinstance(found, Outcome):
                outcomes.append(found)
            else:
                waiting.append((case, found))
        return outcomes + check_c(waiting, folder)


def check_c(waiting: Sequence[tuple[Case, Compilation]], folder: Path) -> list[Outcome]:
    """Compares the C of compiled cases with their row programs."""
    if not waiting:
        return []
    sources = [c.source for _, c in waiting]
    samples = [c.lowered.samples for _, c in waiting]
    try:
        library = shared_c.build(sources, folder)
    except RuntimeError as error:
        if len(waiting) == 1:
            case = waiting[0][0]
            return [Outcome(case.kind, case.seed, wrong=f"the C does not compile: {error}")]
        half = len(waiting) // 2
        return check_c(waiting[:half], folder) + check_c(waiting[half:], folder)
    outcomes = []
    for (case, compilation), found in zip(waiting, shared_c.run(library, sources, samples), strict=True):
        expected = [run_program(compilation.program, list(s)) for s in compilation.lowered.samples]
        wrong = found if isinstance(found, str) else _difference(found, expected)
        outcomes.append(Outcome(case.kind, case.seed, wrong=wrong))
    return outcomes


RELATIVE, ORDER = 1e-4, 1e-2
"""The C sums in float32, the row program in float64: through a dozen layers each loses a few units in the last place
(6e-8) for every factor of ten in the length of its sums, relative to the largest element. What is smaller than ORDER
comes of values of order one that cancel."""


def _difference(own: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]) -> str:
    """How the outputs of the C differ from the row program's; integers are equal."""
    for sample, (arrays, references) in enumerate(zip(own, expected, strict=True)):
        try:
            assert_close(references, arrays, RELATIVE, ORDER)
        except AssertionError as error:
            return f"the C, sample {sample}: {' '.join(str(error).split())[:300]}"
    return ""


def _work(seeds: tuple[Kind, Sequence[int]]) -> list[Outcome]:
    kind, numbers = seeds
    return check([Case.of(kind, seed) for seed in numbers])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--float", type=int, default=0, help="how many float models")
    parser.add_argument("--int8", type=int, default=0, help="how many quantised ones")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where the models of differences go")
    given = parser.parse_args(arguments)
    work: list[tuple[Kind, Sequence[int]]] = []
    kinds: tuple[tuple[Kind, int], ...] = (("float", given.float), ("int8", given.int8))
    for kind, count in kinds:
        seeds = range(given.seed, given.seed + count)
        work += [(kind, seeds[at : at + BATCH]) for at in range(0, count, BATCH)]
    start, done, refused, wrong = time.time(), 0, Counter[str](), 0
    with ProcessPoolExecutor(given.jobs, multiprocessing.get_context("spawn")) as pool:
        for outcomes in (future.result() for future in as_completed([pool.submit(_work, w) for w in work])):
            done += len(outcomes)
            refused.update(o.refused for o in outcomes if o.refused)
            for outcome in (o for o in outcomes if o.wrong):
                wrong += 1
                case = Case.of(outcome.kind, outcome.seed)
                given.keep.mkdir(parents=True, exist_ok=True)
                path = given.keep / f"{case.kind}_{case.seed}.onnx"
                path.write_bytes(case.model.SerializeToString())
                print(f"{case.repeat}\n  {path} with {case.options}\n  {outcome.wrong}\n", flush=True)
            print(f"{done} done, {wrong} wrong, {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"{done} models: {done - wrong - refused.total()} agree, {wrong} differ, {refused.total()} refused")
    for reason, count in refused.most_common():
        print(f"  {count} refused: {reason}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""ONNX's own tests, as they ship with the onnx package, by its backend interface: how many pass, and why others do not.

    python -m benchmarks.onnx_tests [--executor interpreter|host] [--kind KIND ...] [--list] [--json] [PATTERN ...]

A test passes when all its data sets give what ONNX's authors wrote down, of the same shapes and types and within their
tolerances. Where an operator needs numbers when it is compiled, inputs of the model are given as constants, as few as
can be: such tests are counted apart. What tinyc refuses is told by reason. Patterns are parts of names.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt, Runner
from rich.console import Console
from rich.table import Table

from tinyc import onnx_backend

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
OUTCOMES = PASSED, CONSTANT, REFUSED, WRONG, CRASHED = "passed", "passed with constants", "refused", "wrong", "crashed"
REASONS = {
    "operators that tinyc does not have": r"operators that tinyc does not support",
    "element types": r"(?i)float16|double|float64|float[48]|int[24]|uint\d+|int16|string|complex|element type",
    "sequences, optional values and maps": r"is no tensor|sequence|optional|map",
    "control flow": r"\b(?:If|Loop|Scan)\b",
    "shapes that are computed": r"computed from the model's inputs|open dimension|unknown shape|dynamic",
    "tensors without elements": r"no elements|empty|dimension(?:s)? of size 0|0 elements",
    "more than two spatial dimensions": r"spatial",
    "several samples at once": r"batch",
}
"""Of messages, the first that fits; "others" for the rest."""


@dataclass(frozen=True)
class Result:
    """How a test ended, with what was said."""

    name: str
    kind: str
    outcome: str
    message: str = ""
    constants: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it is refused, in few words."""
        return next((name for name, words in REASONS.items() if re.search(words, self.message)), "others")


def ran(kind: str, name: str, executor: str) -> Result:
    """One test."""
    backend = onnx_backend.C if executor == "host" else onnx_backend.Interpreter
    test = _tests(kind)[name]
    try:
        model, sets = _loaded(test)
        prepared = backend.prepare(model)
        for inputs, expected in sets:
            found = prepared.run(inputs)
            Runner.assert_similar_outputs(expected, found, test.rtol, test.atol)
    except BackendIsNotSupposedToImplementIt as error:
        return Result(name, kind, REFUSED, str(error))
    except AssertionError as error:
        return Result(name, kind, WRONG, str(error))
    except Exception:
        return Result(name, kind, CRASHED, traceback.format_exc())
    return Result(name, kind, CONSTANT if prepared.constants else PASSED, "", prepared.constants)


@cache
def _tests(kind: str) -> Mapping[str, TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {test.name: test for test in load_model_tests(kind=kind)}


Set = tuple[list[Any], list[Any]]


def _loaded(test: TestCase) -> tuple[onnx.ModelProto, list[Set]]:
    """The model of a test, and inputs with what they give; what is no tensor is None."""
    if test.model is not None:
        return test.model, [(_arrays(inputs), _arrays(outputs)) for inputs, outputs in test.data_sets or []]
    folder = Path(test.model_dir or "")
    sets = [
        (_files(data, "input"), _files(data, "output"))
        for data in sorted(folder.glob("test_data_set*"))
        if data.is_dir()
    ]
    return onnx.load(folder / "model.onnx"), sets


def _arrays(values: Sequence[Any]) -> list[Any]:
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]


def _files(folder: Path, kind: str) -> list[Any]:
    found = []
    for number in range(len(list(folder.glob(f"{kind}_*.pb")))):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
            found.append(numpy_helper.to_array(tensor))
        except (DecodeError, TypeError, ValueError):
            found.append(None)  # a sequence, or an optional value
    return found


def all_of(kinds: Sequence[str], executor: str, patterns: Sequence[str] = (), processes: int = 2) -> list[Result]:
    """All tests of some kinds whose names have one of the patterns."""
    chosen = [
        (kind, name, executor)
        for kind in kinds
        for name in sorted(_tests(kind))
        if not patterns or any(p in name for p in patterns)
    ]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(ran, *zip(*chosen, strict=True), chunksize=8)) if chosen else []


def tables(results: Sequence[Result]) -> Iterator[Table]:
    """How tests of each kind ended, and why some are refused."""
    ends = Table(title="ONNX's tests")
    for column in ("kind", "tests", PASSED, CONSTANT, REFUSED, WRONG, CRASHED):
        ends.add_column(column, justify="left" if column == "kind" else "right")
    for kind in dict.fromkeys(r.kind for r in results):
        count = Counter(r.outcome for r in results if r.kind == kind)
        ends.add_row(kind, *(f"{n:,}" for n in (count.total(), *(count[o] for o in OUTCOMES))))
    yield ends
    reasons = Counter(r.reason for r in results if r.outcome == REFUSED)
    why = Table("refused for", "tests", title="Why")
    for reason, number in reasons.most_common():
        why.add_row(reason, str(number))
    yield why


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 1 if any is wrong or crashes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="parts of names; all tests without")
    parser.add_argument("--executor", choices=("interpreter", "host"), default="host", help="what runs them")
    parser.add_argument("--kind", action="append", choices=KINDS, help="all by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="every test that does not pass, with what was said")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    given = parser.parse_args(arguments)
    results = all_of(given.kind or KINDS, given.executor, given.patterns, given.processes)
    if given.json:
        json.dump([{**asdict(r), "reason": r.reason if r.outcome == REFUSED else ""} for r in results], sys.stdout)
    else:
        console = Console()
        for table in tables(results):
            console.print(table)
        for result in results:
            failed = result.outcome in (WRONG, CRASHED)
            if failed or (given.list and result.outcome == REFUSED):
                console.print(
                    f"{result.outcome}: {result.name}: {result.message.strip()}", markup=False, highlight=False
                )
    return int(any(r.outcome in (WRONG, CRASHED) for r in results))


if __name__ == "__main__":
    sys.exit(main())

"""What several tests share: running modules, comparing what they compute, finding the test data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tinyc.backends.interpreter.tensor import run_module
from tinyc.ir import Module
from tinyc.ir.expr import FUNCTIONS
from tinyc.ir.op import REGISTERED
from tinyc.ir.tensor import Array

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("TINYC_TEST_DATA") or ROOT.parent / "shared")
"""Models and reference data, which are not part of the repository."""


def model(name: str) -> Path:
    """The path of a test model; skips the test where it is missing."""
    path = DATA / "models" / name
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has models/)")
    return path


def run(module: Module, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a module."""
    with np.errstate(all="ignore"):
        return run_module(module, inputs)


def count(module: Module) -> Counter[str]:
    """How many of each operator a module has, constants left out."""
    return Counter(n.op.mnemonic for n in module.nodes if n.op.mnemonic != "constant")


def assert_same(before: Sequence[Array], after: Sequence[Array]) -> None:
    """Equal types and numbers; NaN equals NaN, and a zero the zero of the other sign."""
    assert len(before) == len(after)
    for a, b in zip(before, after, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def assert_close(before: Sequence[Array], after: Sequence[Array], relative: float, scale: float = 0.0) -> None:
    """Within `relative` times the largest number of each output, or times `scale` if that is larger."""
    assert len(before) == len(after)
    for a, b in zip(before, after, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype != np.float32:
            np.testing.assert_array_equal(a, b)
            continue
        finite = np.isfinite(a)
        largest = max(scale, float(np.abs(a[finite]).max(initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=0, atol=relative * largest, equal_nan=True)


def bits(array: Array) -> Array:
    """The array as integers: zeros of different signs differ, a NaN is itself."""
    return np.array(array, order="C").view(f"u{array.dtype.itemsize}")


def same_bits(a: Array, b: Array) -> bool:
    """Bit for bit, any NaN being as good as another."""
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    return bool(((bits(a) == bits(b)) | ((a != a) & (b != b))).all())


def run_outside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder outside the project that has what is in tests/outside: a package, and scripts that use it.

    In a process of its own, since what a package registers stays registered.
    """
    shutil.copytree(ROOT / "tests" / "outside", folder, dirs_exist_ok=True)
    return run_python(folder, *arguments)


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder outside the project, with the packages there and the project's."""
    path = os.pathsep.join((str(folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def new_operators() -> Iterator[None]:
    """What is declared inside, operators and functions, is forgotten afterwards."""
    operators, functions = dict(REGISTERED), dict(FUNCTIONS)
    try:
        yield
    finally:
        for table, before in ((REGISTERED, operators), (FUNCTIONS, functions)):
            for name in [name for name in table if name not in before]:
                del table[name]

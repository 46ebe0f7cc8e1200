"""What holds for all tests: the layers as markers, the choice for `make quick`, objects that are compiled once, and one
thread for numpy's products."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before anything loads numpy. Its products are small here, and threads that wait for one another cost many times the
# work as soon as something else runs on the computer. Child processes inherit this.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Programs for this computer compile in less time when they are optimised little and kernels stay functions. Tests of
# kernels, and of some whole networks, ask for them as they are shipped (`AS_SHIPPED` of tests/c/support.py).
if "TINYC_TEST_ALL" not in os.environ:
    os.environ.setdefault("TINYC_CFLAGS", "-O1 '-DTINYC_INLINE=static inline'")

from tests.quick import CHOSEN, LEFT_OUT, entries_for  # noqa: E402

HERE = Path(__file__).parent
WHOLE = "whole"
LAYERS = {
    "ir": ("ir",),
    "passes": ("passes",),
    "passes/integerise": ("passes", "quantisation"),
    "passes/quantise": ("passes", "quantisation"),
    "quantised": ("interpreter", "quantisation"),
    "interpreter": ("interpreter",),
    "c": ("c",),
    "cores": ("c",),
    "kernels": ("c",),
    "runners": ("runners",),
    "frontend": ("frontend",),
    "compiler": ("compiler",),
    "compiler/witness": ("compiler", "witness"),
    "planted": ("witness",),
    "packages": ("packages",),
    "targets": ("packages",),
}
"""The layers that the tests of a folder are of; the deepest folder that is named decides, and what is in none is of the
whole. `pytest -m layer_c` runs those of the C backend."""
MADE = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # The option is unknown when pytest starts from a folder above this one.
    wanted = bool(request.config.getoption("--update-golden", default=False))
    if wanted and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("golden files are written by one process: leave out -n")
    return wanted


def pytest_configure(config: pytest.Config) -> None:
    for layer in sorted({WHOLE, *(layer for layers in LAYERS.values() for layer in layers)}):
        config.addinivalue_line("markers", f"layer_{layer}: set by the folder, see tests/conftest.py")
    # pytest-xdist's workers and all other child processes use the folder of the process that starts them.
    if "TINYC_OBJECTS" not in os.environ:
        config.stash[MADE] = Path(tempfile.mkdtemp(prefix="tinyc-objects-"))
        os.environ["TINYC_OBJECTS"] = str(config.stash[MADE])


def pytest_unconfigure(config: pytest.Config) -> None:
    if MADE in config.stash:
        del os.environ["TINYC_OBJECTS"]
        shutil.rmtree(config.stash[MADE], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    met: set[str] = set()
    for item in items:
        path = item.path.relative_to(HERE)
        for layer in layers_of(path):
            item.add_marker(f"layer_{layer}")
        entries = entries_for(f"{path.as_posix()}::{item.nodeid.partition('::')[2]}")
        met.update(entries)
        if entries and not any(entry in LEFT_OUT for entry in entries):
            item.add_marker("quick")
    everything = config.option.markexpr in ("quick", "") and config.args == config.getini("testpaths")
    if everything and (unmet := [entry for entry in (*CHOSEN, *LEFT_OUT) if entry not in met]):
        raise pytest.UsageError(f"tests/quick.py chooses tests that there are not: {', '.join(unmet)}")


def layers_of(path: Path) -> tuple[str, ...]:
    """The layers of a test file, given by its path from here."""
    return next((LAYERS[f.as_posix()] for f in path.parents if f.as_posix() in LAYERS), (WHOLE,))

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # The option is unknown when pytest starts from a folder above this one.
    wanted = bool(request.config.getoption("--update-golden", default=False))
    if wanted and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.fail("golden files are written by one process: leave out -n")
    return wanted

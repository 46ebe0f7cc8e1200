from __future__ import annotations

import pytest

from tests.c.support import need


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # The option is unknown when pytest starts from a folder above this one.
    return bool(request.config.getoption("--update-golden", default=False))


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest) -> None:
    """Skips a test whose compiler, or whose compiler's sanitisers, are missing."""
    builds = {"clang-sanitize"} if "ten_thousand" in request.node.name else set()
    if hasattr(request.node, "callspec"):
        params = request.node.callspec.params
        builds |= {params[name] for name in ("build", "compiler") if name in params}
    for build in builds:
        need(build)

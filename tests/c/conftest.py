from __future__ import annotations

import pytest

from tests.c.support import need


@pytest.fixture(autouse=True)
def _tools(request: pytest.FixtureRequest) -> None:
    """Skips a test whose compiler, or whose compiler's sanitisers, are missing."""
    builds = {"clang-sanitize"} if "ten_thousand" in request.node.name else set()
    if hasattr(request.node, "callspec"):
        params = request.node.callspec.params
        builds |= {params[name] for name in ("build", "compiler") if name in params}
    for build in builds:
        need(build)

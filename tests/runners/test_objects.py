"""Objects that are kept: the same text is compiled once, and whatever could make another object makes another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import need
from tests.runners.support import halves, images, network
from tinyc.backends.c import CSource
from tinyc.backends.runners import HostRunner, RunnerError
from tinyc.backends.runners.objects import VARIABLE


@pytest.fixture(autouse=True)
def _compiler() -> None:
    need("gcc")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "objects"))
    return tmp_path / "objects"


def compiled(source: CSource, folder: Path, flags: Sequence[str] = ()) -> set[str]:
    """The objects that are kept once a source is compiled and has run as it should."""
    inputs = images(2)
    for (image,), (got,) in zip(inputs, HostRunner(source, cc="gcc", flags=flags).run(inputs), strict=True):
        np.testing.assert_array_equal(got, halves(image))
    return {path.name for path in folder.iterdir()}


def changed(source: CSource, name: str, text: str) -> CSource:
    return dataclasses.replace(source, files={**source.files, name: source.files[name] + text})


def test_the_same_is_compiled_once(place: Path) -> None:
    first = compiled(network(), place)
    assert len(first) == 2, "the network and the harness"
    assert all(name.endswith(".o") for name in first)
    assert compiled(network(), place) == first


def test_a_kept_object_is_what_is_linked(place: Path) -> None:
    source = network()
    compiled(source, place)
    for path in place.iterdir():
        path.write_bytes(b"no object")
    with pytest.raises(RunnerError, match="does not compile"):
        HostRunner(source, cc="gcc")


def test_other_texts_headers_and_options_are_other_objects(place: Path) -> None:
    source = network()
    found = compiled(source, place)
    for other, flags, count in (
        (changed(source, "net.c", "int net_more;\n"), (), 1),
        (changed(source, "net.h", "extern int net_more;\n"), (), 2),
        (source, ("-DMORE",), 2),
    ):
        more = compiled(other, place, flags)
        assert len(more - found) == count
        found = more


def test_nothing_is_kept_of_what_lies_elsewhere(place: Path, tmp_path: Path) -> None:
    HostRunner(network(), cc="gcc", flags=(f"-I{tmp_path}",))
    assert not place.exists()


def test_nothing_is_kept_unasked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    HostRunner(network(), cc="gcc")
    assert not place.exists()


def test_what_does_not_compile_is_not_kept(place: Path) -> None:
    with pytest.raises(RunnerError, match="does not compile"):
        HostRunner(changed(network(), "net.c", "#error none\n"), cc="gcc")
    assert len(list(place.iterdir())) <= 1, "the harness at most"

"""Networks of every topology compile, small ones of each kind, and are verified; the tables of RAM and of schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import onnx
import pytest

from benchmarks import schedules, topologies
from benchmarks.building import compiled
from benchmarks.networks import (
    densenet,
    detector,
    efficientnet,
    espcn,
    mobilenet_v3_small,
    shufflenet_v2,
    squeezenet,
    tcn,
    unet,
)
from benchmarks.networks.inverted import EFFICIENTNET, MOBILENET_V3_SMALL
from benchmarks.topologies import FORMS, Taken, has_rows, line, main, measure, taken
from tests.runners.support import need_simulator
from tinyc.ir.errors import TinycError
from tinyc.ir.ops import QDepthwiseConv2d, QMul

SMALL: dict[str, Callable[[], onnx.ModelProto]] = {
    "densenet": partial(densenet, (1, 1), 4, 8),
    "shufflenet": partial(shufflenet_v2, 32, (8, 16, 32), (2,)),
    "mobilenet_v3": partial(mobilenet_v3_small, 0.25, 32, MOBILENET_V3_SMALL[3:5]),
    "efficientnet_lite": partial(efficientnet, 0.25, 16, True, EFFICIENTNET[:1]),
    "efficientnet": partial(efficientnet, 0.25, 16, False, EFFICIENTNET[:1]),
    "detector": partial(detector, 32, 4, True),
    "squeezenet": partial(squeezenet, 32, ((4, 8),)),
    "unet": partial(unet, 8, 4, 1),
    "unet_deconvolution": partial(unet, 8, 4, 1, "deconvolution"),
    "unet_linear": partial(unet, 8, 4, 1, "linear"),
    "espcn": partial(espcn, 8, 8, 1),
    "espcn_linear": partial(espcn, 8, 8, 1, "linear"),
    "tcn": partial(tcn, 16, 4, 8, 1),
}


@pytest.mark.parametrize("name", SMALL)
def test_it_compiles_and_is_verified(name: str) -> None:
    by_layers, default = (taken(SMALL[name](), name, form, form == "default") for form in ("by layers", "default"))
    assert default.lower_bound <= default.arena <= by_layers.arena


def test_a_network_with_rows_has_every_form() -> None:
    model = SMALL["espcn"]()
    found = dict(measure("espcn", model, verify=False))
    assert list(found) == list(FORMS)
    both, one, held = (found[form] for form in ("both callbacks", "callback", "default"))
    assert isinstance(both, Taken)
    assert isinstance(one, Taken)
    assert isinstance(held, Taken)
    assert one.arena < held.arena
    assert both.output == 0
    assert both.arena < one.arena + one.output
    assert (held.input, held.output) == (3 * 8 * 8, 3 * 16 * 16)
    assert line("espcn", found)[:2] == ("espcn", f"{found['by layers'].arena:,}")  # type: ignore[union-attr]


def test_a_form_that_is_refused_is_told() -> None:
    found = dict(measure("squeezenet", SMALL["squeezenet"](), verify=False))
    assert "both callbacks" not in found
    assert not has_rows(SMALL["squeezenet"]())
    assert line("n", {**found, "callback": "because"})[-2:] == ("refused", "")


def test_the_command_takes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(SMALL["tcn"](), path)
    main([str(path), "--no-verify", "--markdown"])
    assert "| small |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "no network and no file nothing" in capsys.readouterr().err


def test_a_batch_norm_before_a_convolution_is_one_layer() -> None:
    """Scale, shift and ReLU of DenseNet's layers are one integer layer, not two that round twice."""
    made = compiled(densenet((1,), 4, 8), "densenet", ("int8", "int8"), verify=False)
    scales = [stage.op for stage in made.program.stages if isinstance(stage.op, QDepthwiseConv2d)]
    assert len(scales) == 2  # before the narrow convolution and before the mean: that of the 3x3 one is in the narrow
    assert not any(isinstance(stage.op, QMul) for stage in made.program.stages)


@pytest.mark.simulator
def test_schedules_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    need_simulator()
    monkeypatch.setattr(schedules, "CASES", {"small": SMALL["tcn"]})
    monkeypatch.setattr(schedules, "MOST", 1.0)
    monkeypatch.setattr(schedules, "FORMS", {form: schedules.FORMS[form] for form in ("by layers", "default")})
    assert schedules.main(["--markdown", "--layers"]) == 0
    printed = capsys.readouterr().out
    assert "| small |" in printed
    assert "Layers of small" in printed
    monkeypatch.setattr(schedules, "MOST", -1.0)
    counted = schedules.Counted(100, 10, ())
    found = {"by layers": counted, "default": dataclasses.replace(counted, instructions=110)}
    assert schedules.line("small", found, found)[-2:] == ("+10.0%", "+10.0% [red]missed[/]")


def test_a_network_that_fails_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> Taken:
        raise TinycError("the arena is too large")

    monkeypatch.setattr(topologies, "taken", refuse)
    monkeypatch.setattr(topologies, "CASES", SMALL)
    with pytest.raises(SystemExit):
        main(["tcn"])
    assert "the arena is too large" in capsys.readouterr().err

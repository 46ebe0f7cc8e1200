"""The exported QDQ model in onnxruntime gives the integers of the C, but near ties."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import onnx
import pytest

from benchmarks.accuracy import exported
from benchmarks.accuracy.exported import agreement, main
from benchmarks.building import compiled
from benchmarks.networks import efficientnet, mobilenet_v3_small, squeezenet
from benchmarks.networks.inverted import EFFICIENTNET, MOBILENET_V3_SMALL
from benchmarks.networks.listing import NETWORKS

SMALL: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobile_lenet": NETWORKS["mobile_lenet"],
    "mobilenet_v3": partial(mobilenet_v3_small, 0.25, 32, MOBILENET_V3_SMALL[3:5]),
    "efficientnet": partial(efficientnet, 0.25, 16, False, EFFICIENTNET[:1]),
    "squeezenet": partial(squeezenet, 32, ((4, 8),)),
}


@pytest.mark.parametrize("name", SMALL)
def test_layers_differ_near_ties_only(name: str) -> None:
    found = agreement(compiled(SMALL[name](), name, ("int8", "int8"), verify=False))
    assert sum(one.elements for one in found.values()) > 1000
    assert {"quantize", "qconv2d"} <= found.keys()
    for operator, one in found.items():
        assert one.others == 0, operator
        assert one.ties <= 2 + one.elements * 1e-3, operator
        assert one.distance < 1e-3, operator


def test_a_difference_away_from_ties_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "FLOAT_STEPS", -1.0)
    found = agreement(compiled(NETWORKS["mobile_lenet"](), "lenet", ("int8", "int8"), verify=False))
    assert sum(one.others for one in found.values()) > 0


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mobile_lenet", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| operator | layers | elements | near a tie | steps from it | else |" in printed
    assert "| qdepthwise_conv2d | 6 |" in printed

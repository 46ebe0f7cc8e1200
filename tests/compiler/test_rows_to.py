"""`rows_to=callback`: images leave the network row by row, whatever comes in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tinyc
from benchmarks.networks import Graph
from tests.compiler.test_cli import MODEL, refused
from tests.compiler.test_cli import tinyc as command
from tests.planted.plant import Fault, in_c, must_be_caught, on_result, params
from tests.planted.test_rows import closer, early, short_ring
from tinyc.backends.runners import HostRunner
from tinyc.compiler.session import Compilation
from tinyc.compiler.verify import run_on
from tinyc.passes import PassError
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import Stream

SIZE = 16


def network(channels: int, beside: bool = False, last: bool = False) -> onnx.ModelProto:
    """Two 3x3 convolutions of an image of 16x16 pixels, that give an image of so many channels; with a mean of it
    `beside`, and, if asked for, channels last."""
    g = Graph("image", (1, 3, SIZE, SIZE))
    g.conv("wide", g.random(8, 3, 3, 3), g.random_bias(8), pads=[1, 1, 1, 1])
    g.add("Relu", "relu")
    g.conv("narrow", g.random(channels, 8, 3, 3), g.random_bias(channels), pads=[1, 1, 1, 1])
    if last:
        g.add("Transpose", "pixels", perm=[0, 2, 3, 1])
        return g.model((1, SIZE, SIZE, channels))
    if not beside:
        return g.model((1, channels, SIZE, SIZE))
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "mean")
    made = g.model((1, channels))
    info = helper.make_tensor_value_info("narrow", TensorProto.FLOAT, (1, channels, SIZE, SIZE))
    made.graph.output.append(info)
    return made


def pictures(count: int = 3) -> dict[str, Any]:
    return {"image": np.random.default_rng(1).normal(size=(count, 3, SIZE, SIZE)).astype(np.float32)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibration data."""
    path = tmp_path_factory.mktemp("calibration") / "pictures.npz"
    np.savez(path, **pictures(8))
    return path


def compiled(channels: int, data: Path | None, **options: Any) -> Compilation:
    """The network, quantised where there is data, and verified in all executors."""
    if data is not None:
        options["quantise"] = tinyc.QuantiseOptions(data)
    return tinyc.compile(network(channels), name="net", accept_accuracy=True, **options)


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows_from", ["arena", "argument", "callback"])
def test_no_output_buffer(rows_from: str, channels: int, quantised: bool, data: Path) -> None:
    samples = data if quantised else None
    held = compiled(channels, samples, rows_from=rows_from, output_layout="nhwc")
    given = compiled(channels, samples, rows_from=rows_from, rows_to="callback")
    row = SIZE * channels * (1 if quantised else 4)
    assert all(v.passed for v in given.verdicts)
    assert given.report["ram"]["output_place"] == {"narrow": "rows"}
    assert (given.report["ram"]["output_bytes"], held.report["ram"]["output_bytes"]) == (0, SIZE * row)
    if rows_from == "callback":  # a row of the output at a time, and nothing else
        assert given.source.arena_bytes <= held.source.arena_bytes + row
    (port,) = given.source.outputs
    assert (port.type.shape, port.place) == ((1, SIZE, SIZE, channels), "rows")
    inputs = pictures()
    for executor in ("interpreter", "host"):
        found = {name: c(**inputs, on=executor)["narrow"] for name, c in {"held": held, "given": given}.items()}
        assert found["given"].shape == (3, channels, SIZE, SIZE), "as in the model"
        np.testing.assert_array_equal(found["given"], found["held"])


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
def test_rows_are_pushed_and_handed_over(quantised: bool, data: Path) -> None:
    found = compiled(3, data if quantised else None, rows_from="callback", rows_to="callback")
    samples = [list(s) for s in found.lowered.samples]
    want = run_on("interpreter", found.program, found.source, samples)
    runner = HostRunner(found.source, push=True)
    for got, expected in zip(runner.run(samples), want, strict=True):
        np.testing.assert_allclose(got[0], expected[0], rtol=0, atol=0 if quantised else 1e-4)
    header = found.source.files["net.h"]
    kind = "int8_t" if quantised else "float"
    assert f"typedef void (*net_on_row_fn)(void *user, int y, const {kind} *row);" in header
    assert "void net_run(void *arena, net_row_fn next_row, net_on_row_fn on_row, void *user);" in header
    assert f"void net_push_row(void *arena, int y, const {kind} *row, net_on_row_fn on_row, void *user);" in header


def test_other_outputs_stay_arguments() -> None:
    found = tinyc.compile(network(3, beside=True), name="net", rows_to="callback")
    mean, image = found.source.outputs
    assert (mean.place, image.place) == ("argument", "rows")
    assert f"net_on_row_fn on_row, void *user, float *{mean.name})" in found.source.files["net.h"]
    assert found.report["ram"]["output_bytes"] == 3 * 4


def test_several_images_have_a_function_each() -> None:
    made = network(3)
    made.graph.output.append(helper.make_tensor_value_info("relu", TensorProto.FLOAT, (1, 8, SIZE, SIZE)))
    made.graph.output.append(helper.make_tensor_value_info("narrow", TensorProto.FLOAT, (1, 3, SIZE, SIZE)))
    del made.graph.output[0]
    found = tinyc.compile(made, name="net", rows_from="callback", rows_to="callback")
    assert [p.callback for p in found.source.outputs] == ["on_output_relu", "on_output_narrow"]
    assert found.source.outputs[0].callback_type == "net_on_output_relu_fn"
    assert all(v.passed for v in found.verdicts)
    assert found.source.arena_bytes < SIZE * SIZE * 8 * 4


@pytest.mark.parametrize("options", [{}, {"rows_to": "callback"}])
def test_what_is_channels_last_already_stays_so(options: dict[str, Any]) -> None:
    found = tinyc.compile(network(3, last=True), name="net", **options)
    assert found.source.outputs[0].type.shape == (1, SIZE, SIZE, 3)
    assert found.imported.outputs[0].perm is None
    assert found(**pictures(1))["pixels"].shape == (1, SIZE, SIZE, 3)


def test_the_layout_of_outputs() -> None:
    first, last = (tinyc.compile(network(3), name="net", output_layout=k) for k in ("onnx", "nhwc"))  # type: ignore[arg-type]
    assert [c.source.outputs[0].type.shape for c in (first, last)] == [(1, 3, SIZE, SIZE), (1, SIZE, SIZE, 3)]
    assert last.imported.outputs[0].value.name == "narrow"
    assert "NHWC" in last.source.files["net.h"].split('"narrow"')[1].split("\n")[0]
    np.testing.assert_array_equal(first(**pictures())["narrow"], last(**pictures())["narrow"])


def signals(last: bool = False) -> onnx.ModelProto:
    """Two convolutions of 40 samples with 2 channels, which give 3; channels first, as in ONNX, or last."""
    g = Graph("signal", (1, 2, 40))
    g.conv("wide", g.random(8, 2, 3), g.random_bias(8), pads=[1, 1])
    g.add("Relu", "relu")
    g.conv("narrow", g.random(3, 8, 5), g.random_bias(3), pads=[2, 2])
    g.add("Tanh", "curve")
    if not last:
        return g.model((1, 3, 40))
    g.add("Transpose", "samples", perm=[0, 2, 1])
    return g.model((1, 40, 3))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("rows_from", ["argument", "callback"])
def test_samples_leave_one_by_one(rows_from: str, last: bool) -> None:
    found = tinyc.compile(signals(last), name="net", rows_from=rows_from, rows_to="callback")  # type: ignore[arg-type]
    (port,) = found.source.outputs
    assert (port.type.shape, port.place) == ((1, 40, 3), "rows")
    assert all(v.passed for v in found.verdicts)
    assert (found.imported.outputs[0].perm is None) == last
    if rows_from == "callback":
        assert found.source.arena_bytes < 40 * 8 * 4
    held = tinyc.compile(signals(last), name="net")
    x = np.random.default_rng(0).normal(size=(1, 2, 40)).astype(np.float32)
    for name, array in held(x).items():
        np.testing.assert_allclose(found(x)[name], array, rtol=0, atol=1e-5)


def test_an_input_that_is_handed_over_as_it_is() -> None:
    port = helper.make_tensor_value_info
    ports = [port(n, TensorProto.FLOAT, [1, 3, 6, 4]) for n in ("x", "same", "y")]
    nodes = [helper.make_node("Identity", ["x"], ["same"]), helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for rows_from in ("arena", "argument", "callback"):
        found = tinyc.compile(made, rows_from=rows_from, rows_to="callback")
        assert all(v.passed for v in found.verdicts)
        assert sum(map(found.program.gives_rows, found.program.stages)) == 2


def test_an_output_that_is_an_input_has_a_name_of_its_own_in_another_layout() -> None:
    g = Graph("both", (1, 2, 5, 6))
    g.add("Relu", "positive")
    model = g.model((1, 2, 5, 6))
    model.graph.output.append(model.graph.input[0])
    made = tinyc.compile(model, name="net", output_layout="nhwc")
    assert all(verdict.passed for verdict in made.verdicts)
    assert [p.type.shape for p in made.source.outputs] == [(1, 5, 6, 2)] * 2


def test_volumes_stay_arguments() -> None:
    port = helper.make_tensor_value_info
    ports = [port(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 3, 4]), ("y", [1, 3, 4]), ("z", [1, 3, 2, 2, 1]))]
    shape = helper.make_tensor("shape", TensorProto.INT64, [5], [1, 3, 2, 2, 1])
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Reshape", ["y", "shape"], ["z"])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [shape])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = tinyc.compile(made, rows_to="callback")
    assert [p.place for p in found.source.outputs] == ["rows", "argument"]


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PassError, match=r"rows to a callback need an output of more .* is f32\[1,10\]$"):
        tinyc.compile(MODEL, rows_to="callback", verify=False)
    refused(
        command("compile", MODEL, "--rows-to", "callback", "-o", tmp_path / "out"),
        "need an output of more than one row",
    )


def test_the_command_line(tmp_path: Path) -> None:
    onnx.save(network(1), tmp_path / "net.onnx")
    given = ("--rows-from", "callback", "--rows-to", "callback")
    shown = command("compile", tmp_path / "net.onnx", *given, "-o", tmp_path / "out")
    assert "images row by row to a callback" in shown.stdout
    found = json.loads(command("verify", tmp_path / "net.onnx", *given, "--json").stdout)
    assert all(v["passed"] for v in found["executors"])


BOTH = {"rows_from": "callback", "rows_to": "callback"}
FAULTS = [
    Fault("hands over the row after", in_c(r"on_row\(user, y,", "on_row(user, y + 1,"), "rows of its output", BOTH),
    Fault("hands over each row twice", in_c(r"(on_row\(user, y,.*;)", r"\1 \1"), "rows of its output", BOTH),
    Fault("hands over no row", in_c(r"on_row\(user, y,.*;", ""), "rows of its output", BOTH),
    Fault("hands over another place", in_c(r"(on_row\(user, y, \w+)", r"\1 + 1"), "the C gives other numbers", BOTH),
    Fault("a row too early", on_result(Stream, early(-1)), "pass stream-rows", BOTH),
    Fault(
        "a row too early, input in the arena",
        on_result(Stream, early(-1)),
        "pass stream-rows",
        BOTH | {"rows_from": "arena", "input_layout": "nhwc"},
    ),
    Fault("ring one row short", on_result(Stream, short_ring), "pass stream-rows", BOTH),
    Fault("overlap of 4 bytes", on_result(PlanArena, closer(4)), "pass plan-arena", BOTH),
]


@pytest.mark.parametrize("fault", params(FAULTS))
def test_a_fault_is_caught(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(network(3), tmp_path / "net.onnx")
    must_be_caught(fault, tmp_path / "net.onnx", monkeypatch)


@pytest.mark.simulator
def test_it_is_counted_without_the_callers_function(tmp_path: Path) -> None:
    onnx.save(network(3), tmp_path / "net.onnx")
    counts = {}
    for to in ("argument", "callback"):
        # In no less memory than both need without moving rows, they have the same schedule.
        options = ("--rows-from", "callback", "--output-layout", "nhwc", "--rows-to", to, "--ram", "4K")
        found = command("bench", tmp_path / "net.onnx", *options, "--on", "rv32imafc", "--json")
        counts[to] = json.loads(found.stdout)["instructions"]
    assert abs(counts["callback"] / counts["argument"] - 1) < 0.02

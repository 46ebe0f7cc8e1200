"""`hop`: networks of signals that keep their state between calls, from ONNX to C."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import tinyc
from benchmarks.networks import Graph, causal_tcn, ds_cnn, gru_keywords
from tests.compiler.test_cli import refused
from tests.compiler.test_cli import tinyc as command
from tests.planted.plant import Fault, in_c, must_be_caught, on_result, params
from tests.planted.test_rows import short_ring
from tests.runners.support import need_simulator
from tinyc.backends.interpreter.steps import run_endless
from tinyc.compiler.base.checked import OptionError
from tinyc.compiler.reference import open_session
from tinyc.compiler.session import Compilation
from tinyc.ir.rows import RowProgram
from tinyc.passes import PassError
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import KeepState

WINDOW, FRAMES = 48, 24
ROUNDED = 1e-4
"""Float sums in another order than onnxruntime's, through ten layers of numbers of order one."""


def tcn(samples: int = WINDOW) -> onnx.ModelProto:
    return causal_tcn(samples, (1, 3))


def gru(frames: int = FRAMES) -> onnx.ModelProto:
    return gru_keywords(frames, hidden=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Calibration data, by what makes the network."""
    folder, rng, found = tmp_path_factory.mktemp("calibration"), np.random.default_rng(0), {}
    for name, shape in (("tcn", (8, 8, WINDOW)), ("gru", (8, FRAMES, 40))):
        found[name] = folder / f"{name}.npz"
        np.savez(found[name], image=rng.normal(size=shape).astype(np.float32))
    return found


def compiled(model: onnx.ModelProto, data: Path | None = None, **options: Any) -> Compilation:
    """The network, verified in all executors."""
    if data is not None:
        options["quantise"] = tinyc.QuantiseOptions(data)
    return tinyc.compile(model, name="net", accept_accuracy=True, **options)


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("kind", ["tcn", "gru"])
def test_verified_and_smaller_than_the_window(kind: str, quantised: bool, data: dict[str, Path]) -> None:
    model = {"tcn": tcn, "gru": gru}[kind]()
    made = compiled(model, data[kind] if quantised else None, hop="least")
    whole = compiled(model, data[kind] if quantised else None, verify=False)
    assert all(v.passed for v in made.verdicts)
    assert len(made.verdicts) == 2
    assert made.source.arena_bytes < whole.source.arena_bytes
    rows = 2 if kind == "gru" else 1
    assert [p.type.shape[1] for p in (*made.source.inputs, *made.source.outputs)] == [rows, 1]
    assert made.report["ram"]["input_bytes"] == made.source.inputs[0].type.bytes


@pytest.mark.parametrize(("kind", "hop"), [("tcn", 1), ("tcn", 12), ("gru", 2), ("gru", 6)])
def test_a_signal_that_is_longer_than_the_window(kind: str, hop: int) -> None:
    """What onnxruntime makes of all of it at once."""
    make, window = {"tcn": (tcn, WINDOW), "gru": (gru, FRAMES)}[kind]
    program = compiled(make(), hop=hop, verify=False).program
    shape = (1, 8, 5 * window) if kind == "tcn" else (1, 5 * window, 40)
    signal = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    want = np.asarray(open_session(make(5 * window)).run(None, {"image": signal})[0])
    rows = signal.transpose(0, 2, 1) if kind == "tcn" else signal
    got = run_endless(program, [rows], in_steps=True)[0]
    np.testing.assert_allclose(got.transpose(0, 2, 1) if kind == "tcn" else got, want, rtol=ROUNDED, atol=ROUNDED)


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
def test_frames_of_a_spectrogram(quantised: bool, tmp_path: Path) -> None:
    """Convolutions over frames and frequencies, all of whose channels a recurrent layer takes frame by frame."""
    frames, channels, hidden = 16, 4, 6
    g = Graph("crnn", (1, 1, 2 * frames, 10))
    g.conv("entry", g.random(channels, 1, 3, 3), g.random_bias(channels), pads=[2, 1, 0, 1], strides=[2, 2])
    g.add("Relu", "relu")
    g.conv("dw", g.random(channels, 1, 3, 3), pads=[2, 1, 0, 1], group=channels)
    g.add("Transpose", "frames", perm=[2, 0, 1, 3])
    g.reshape("features", frames, 1, channels * 5)
    shapes = {"w": (1, 4 * hidden, channels * 5), "r": (1, 4 * hidden, hidden)}
    weights = [g.weight(name, 0.2 * g.random(*shape)) for name, shape in shapes.items()]
    g.add("LSTM", "states", *weights, hidden_size=hidden)
    g.reshape("signal", 1, frames, hidden)
    g.add("Softmax", "scores", axis=-1)
    samples = tmp_path / "samples.npz"
    np.savez(samples, image=np.random.default_rng(0).normal(size=(8, 1, 2 * frames, 10)).astype(np.float32))
    made = compiled(g.model((1, frames, hidden)), samples if quantised else None, hop="least")
    assert all(v.passed for v in made.verdicts)
    assert [p.type.shape for p in (*made.source.inputs, *made.source.outputs)] == [(1, 2, 10, 1), (1, 1, hidden)]


@pytest.mark.parametrize("quantised", [False, True], ids=["float", "int8"])
def test_padded_on_both_sides_and_cut_on_one(quantised: bool, tmp_path: Path) -> None:
    """As PyTorch users write causal convolutions."""
    g = Graph("cut", (1, 4, WINDOW))
    for number, dilation in enumerate((1, 2, 4)):
        before, reach = g.last, 2 * dilation
        g.conv(f"wide{number}", g.random(4, 4, 3), dilations=[dilation], pads=[reach, reach])
        ends = {"starts": [0], "ends": [-reach], "axes": [2]}
        names = [g.weight(f"{name}{number}", np.array(at, np.int64)) for name, at in ends.items()]
        g.add("Slice", f"cut{number}", *names)
        g.add("Relu", f"relu{number}")
        g.add("Add", f"sum{number}", before)
    samples = tmp_path / "samples.npz"
    np.savez(samples, image=np.random.default_rng(0).normal(size=(8, 4, WINDOW)).astype(np.float32))
    made = compiled(g.model((1, 4, WINDOW)), samples if quantised else None, hop=1)
    assert all(v.passed for v in made.verdicts)


def test_a_mean_over_time_is_refused_by_name() -> None:
    with pytest.raises(PassError) as caught:
        compiled(ds_cnn(), hop="least")
    for said in ("`hop`", "reads the whole window", "pool", "end the network before it"):
        assert said in str(caught.value)


def test_what_looks_ahead_is_refused_by_name() -> None:
    g = Graph("ahead", (1, 4, 32))
    g.conv("around", g.random(4, 4, 3), pads=[1, 1])
    with pytest.raises(PassError, match=r"around.* looks ahead"):
        compiled(g.model((1, 4, 32)), hop=1)


def test_a_signal_in_another_layout_is_told_which_one_to_choose() -> None:
    with pytest.raises(PassError, match="its input is a signal channel by channel; choose `input_layout=nlc`, or none"):
        compiled(tcn(), hop=1, input_layout="nhwc", verify=False)
    with pytest.raises(PassError, match="its output is a signal channel by channel; choose `output_layout=nlc`"):
        compiled(tcn(), hop=1, output_layout="nhwc", verify=False)


def channel_first(kind: str) -> onnx.ModelProto:
    """A causal network whose signals are channel by channel, though what is at their ends goes sample by sample."""
    g = Graph(kind, (1, 4, FRAMES))
    if kind == "gru":
        g.add("Transpose", "steps", perm=[2, 0, 1])
        g.add("GRU", "states", g.weight("w", g.random(1, 12, 4)), g.weight("r", g.random(1, 12, 4)), hidden_size=4)
        g.add("Squeeze", "squeezed", g.weight("axes", np.array([1], np.int64)))
        g.add("Transpose", "signal", perm=[1, 2, 0])
        return g.model((1, 4, FRAMES))
    g.conv("convolution", g.random(4, 4, 3), pads=[2, 0])
    if kind in ("Softmax", "LogSoftmax"):
        g.add(kind, "scores", axis=1)
        return g.model((1, 4, FRAMES))
    g.add("Transpose", "last", perm=[0, 2, 1])
    g.add("LayerNormalization", "norm", g.weight("scale", g.random(4)), axis=-1)
    g.add("Transpose", "first", perm=[0, 2, 1])
    return g.model((1, 4, FRAMES))


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax", "norm", "gru"])
def test_signals_have_rows_without_being_told(kind: str) -> None:
    made = compiled(channel_first(kind), hop="least")
    assert all(v.passed for v in made.verdicts)
    assert [p.type.shape for p in (*made.source.inputs, *made.source.outputs)] == [(1, 1, 4), (1, 1, 4)]


def time_first() -> onnx.ModelProto:
    """A recurrent layer as ONNX has it, without a transposition: [time, batch, channels]."""
    g = Graph("first", (FRAMES, 1, 8))
    weights = [g.weight("w", g.random(1, 12, 8)), g.weight("r", g.random(1, 12, 4))]
    g.add("GRU", "states", *weights, hidden_size=4)
    g.add("Squeeze", "squeezed", g.weight("axes", np.array([1], np.int64)))
    return g.model((FRAMES, 1, 4))


@pytest.mark.parametrize("options", [{"hop": 1}, {"rows_from": "callback"}, {"rows_to": "callback"}], ids=str)
def test_time_that_comes_first_is_told_where_it_belongs(options: dict[str, Any]) -> None:
    with pytest.raises(PassError, match="TxBxC with a batch B of 1, let the model take and give 1xTxC"):
        compiled(time_first(), verify=False, **options)


REPACED: dict[str, Callable[[Graph], None]] = {
    "resized": lambda g: g.add("Resize", "more", "", g.weight("s", np.array([1, 1, 2], np.float32)), mode="linear"),
    "transposed": lambda g: g.deconv("more", g.random(4, 4, 2), g.random_bias(4), strides=[2]),
    "edges": lambda g: g.add("Pad", "more", g.weight("p", np.array([0, 0, 32, 0, 0, 0], np.int64)), mode="edge"),
}


@pytest.mark.parametrize("name", REPACED)
def test_rows_at_another_pace_are_refused(name: str) -> None:
    g = Graph("pace", (1, 4, 32))
    g.conv("before", g.random(4, 4, 3), pads=[2, 0])
    REPACED[name](g)
    g.conv("behind", g.random(4, 4, 3), pads=[2, 0])
    with pytest.raises(PassError, match=r"`hop`: .*more.* at another pace than they come, or those at"):
        compiled(g.model((1, 4, 64)), hop="least", verify=False)


OPTIONS: list[dict[str, Any]] = [
    {"rows_from": "callback"},
    {"rows_to": "callback"},
    {"cores": 2},
    {"kernels": "auto"},
    {"ram": "8K+1M"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: next(iter(o)))
def test_options_that_do_not_go_with_it(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"`hop` and `{next(iter(options))}"):
        compiled(tcn(), hop=1, **options)


@pytest.mark.parametrize("hop", [0, -1, "most"])
def test_hops_that_are_none(hop: Any) -> None:
    with pytest.raises(tinyc.TinycError, match="hop"):
        compiled(tcn(), hop=hop)


def test_the_command_line(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    onnx.save(tcn(), model)
    done = command("compile", str(model), "--hop", "8", "-o", str(tmp_path / "net"), "--no-verify")
    assert done.exit_code == 0, done.output
    header = (tmp_path / "net" / "net.h").read_text()
    assert re.search(r"#define NET_INPUT_SAMPLES 8\b", header)
    assert "void net_step(void *arena, const float *input, float *output);" in header
    refused(command("compile", model, "--hop", "seven"), "--hop")
    refused(command("compile", model, "--hop", "7", "--no-verify"), "--hop", "calls of 7, 6 are left", "--input-shape")
    log = tmp_path / "log.txt"
    log.write_text("")
    refused(command("compare-dump", model, log, "--hop", "8"), "--hop")


def test_a_budget_is_kept() -> None:
    with pytest.raises(tinyc.TinycError, match=r"more than `ram` allows \(64\)"):
        compiled(tcn(), hop=1, ram=64, verify=False)


def sooner(program: RowProgram) -> RowProgram:
    """The sweeps are counted again before all rings are where they were."""
    assert program.endless is not None
    endless = dataclasses.replace(program.endless, cycle=program.endless.cycle - program.endless.hop)
    return dataclasses.replace(program, endless=endless)


def over_state(program: RowProgram) -> RowProgram:
    """A ring lies over the last bytes of another one."""
    assert program.plan is not None
    low, high = sorted((s for s in program.plan.slots if program.buffer[s.buffer].ring > 1), key=lambda s: s.offset)[:2]
    moved = dataclasses.replace(high, offset=low.offset + low.bytes - 4)
    slots = tuple(moved if s is high else s for s in program.plan.slots)
    return dataclasses.replace(program, plan=dataclasses.replace(program.plan, slots=slots))


HOP = {"hop": 1}
FAULTS = [
    Fault("ring one row short", on_result(KeepState, short_ring), "pass keep-state", HOP),
    Fault("counted again too soon", on_result(KeepState, sooner), "pass keep-state", HOP),
    Fault("overlap of 4 bytes", on_result(PlanArena, over_state), "pass plan-arena", HOP),
    Fault("a row that is not padding", in_c(r"net_step(.*\n)+?.*y - 2", lambda m: m[0][:-1] + "1"), "layer", HOP),
]


@pytest.mark.parametrize("fault", params(FAULTS))
def test_faults_are_caught(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(tcn(), tmp_path / "net.onnx")
    must_be_caught(fault, tmp_path / "net.onnx", monkeypatch)


def test_the_bench_says_of_how_many_calls_its_count_is() -> None:
    need_simulator("rv32imc")
    measured = tinyc.bench(tcn(), on="rv32imc", hop=12, verify=False)
    assert measured["note"].startswith(f"the count is of {WINDOW // 12} calls")

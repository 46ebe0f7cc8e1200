"""What a quantised network takes and gives, unless it is told otherwise, and what each other choice would cost."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tests.compiler.test_cli import MODEL
from tinyc.backends.runners import MACHINES, MissingTool
from tinyc.backends.runners.simulator import SimulatorRunner
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.session import Session
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

RNG = np.random.default_rng(5)
SHAPE = (1, 3, 8, 8)
SAMPLES = [[RNG.normal(size=SHAPE).astype(np.float32)] for _ in range(6)]


def network(path: Path, *, sum_first: bool = False) -> Path:
    """Two convolutions and what is between them; first, if it is asked for, the input plus its sine."""
    weights = {"w": (4, 3, 3, 3), "v": (6, 4, 8, 8)}
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Conv", ["r", "v"], ["y"], "last"),
    ]
    if sum_first:
        nodes[0].input[0] = "sum"
        nodes[:0] = [
            helper.make_node("Sin", ["image"], ["sine"], "sine"),
            helper.make_node("Add", ["image", "sine"], ["sum"], "sum"),
        ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("image", SHAPE), ("y", (1, 6, 1, 1)))]
    rng = np.random.default_rng(2)
    held = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in weights.items()]
    graph = helper.make_graph(nodes, "net", ports[:1], ports[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("model") / "net.onnx")


@pytest.fixture(scope="module")
def qdq(model: Path) -> Path:
    """The same, quantised by a script."""
    tinyc.quantize(model, model.with_name("qdq.onnx"), options())
    return model.with_name("qdq.onnx")


def options(**more: Any) -> tinyc.QuantiseOptions:
    return tinyc.QuantiseOptions(Calibration(SAMPLES), **more)


def types(made: tinyc.Compilation) -> tuple[list[DType], list[DType]]:
    return [v.dtype for v in made.program.inputs], [v.dtype for v in made.program.outputs]


def test_int8_is_the_default(model: Path) -> None:
    made = tinyc.compile(model, quantise=options())
    assert types(made) == ([DType.I8], [DType.I8])
    floats = tinyc.compile(model, quantise=options(input_type="float32", output_type="float32"))
    assert types(floats) == ([DType.F32], [DType.F32])
    # The same network: what it makes of floats is what the other quantizes them to, and gives.
    for (x,) in SAMPLES:
        given = made(x)["y"]
        real = made.lowered.real_outputs([given.reshape(made.program.outputs[0].shape)])[0]
        np.testing.assert_array_equal(real.ravel(), floats(x, on="host")["y"].ravel())


def test_int8_is_the_default_of_what_came_quantised(qdq: Path) -> None:
    made = tinyc.compile(qdq)
    assert types(made) == ([DType.I8], [DType.I8])
    assert made.reference == "onnxruntime"
    assert [v.passed for v in made.verdicts] == [True, True]
    assert max(v.max_abs_error for v in made.verdicts) < 0.1  # as real numbers, not as integers
    floats = tinyc.compile(qdq, input_type="float32", output_type="float32")
    assert types(floats) == ([DType.F32], [DType.F32])
    (x,) = SAMPLES[0]
    real = made.lowered.real_outputs([made(x)["y"].reshape(made.program.outputs[0].shape)])[0]
    np.testing.assert_array_equal(real.ravel(), floats(x)["y"].ravel())
    pixels = tinyc.compile(qdq, input_type="uint8", normalise=tinyc.Normalise(127.5, 50.0))
    assert types(pixels) == ([DType.U8], [DType.I8])
    assert all(v.passed for v in tinyc.verify(qdq, arrays={"image": x}))
    assert tinyc.run(qdq, x, on="host")["y"].dtype == np.int8


def test_a_wrong_scale_of_what_came_quantised_is_caught(qdq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinyc.passes.integerise import boundary

    right = boundary.ScaledPort
    monkeypatch.setattr(
        boundary, "ScaledPort", lambda n, d, scale, zero, note="": right(n, d, scale * 1.01, zero, note)
    )
    with pytest.raises(tinyc.TinycError, match="its integers are said to mean"):
        tinyc.compile(qdq)


@pytest.mark.parametrize("to", [np.int8, np.uint8])
def test_integers_of_either_sign(tmp_path: Path, to: Any) -> None:
    """A quantize to uint8 becomes one to int8, whose zero point is less by 128."""
    zero = 3 if to is np.int8 else 131
    held = {"s": np.float32(0.05), "z": to(zero), "w": RNG.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)}
    held |= {"ws": np.float32(0.01), "wz": np.int8(0), "os": np.float32(0.1), "oz": to(zero)}
    held["wq"] = np.rint(held["w"] / 0.01).clip(-127, 127).astype(np.int8)
    del held["w"]
    lines = [
        ("QuantizeLinear", ["image", "s", "z"], "q"),
        ("DequantizeLinear", ["q", "s", "z"], "d"),
        ("DequantizeLinear", ["wq", "ws", "wz"], "wd"),
        ("Conv", ["d", "wd"], "c"),
        ("QuantizeLinear", ["c", "os", "oz"], "cq"),
        ("DequantizeLinear", ["cq", "os", "oz"], "y"),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("image", SHAPE), ("y", (1, 4, 6, 6)))]
    graph = helper.make_graph(
        [helper.make_node(kind, given, [made], made) for kind, given, made in lines],
        "net",
        ports[:1],
        ports[1:],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in held.items()],
    )
    made = tinyc.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    assert [(p.dtype, p.zero) for p in (*made.lowered.inputs, *made.lowered.outputs)] == [(DType.I8, 3)] * 2


def test_what_is_float_stays_float(model: Path, tmp_path: Path) -> None:
    """One layer that is kept float, an input that a float operator takes too, and networks of floats."""
    assert types(tinyc.compile(model, quantise=options(keep_float=("first",)))) == ([DType.F32], [DType.I8])
    assert types(tinyc.compile(model, quantise=options(keep_float=("last",)))) == ([DType.I8], [DType.F32])
    both = network(tmp_path / "sum.onnx", sum_first=True)
    partly = options(keep_float=("sine",))
    assert types(tinyc.compile(both, quantise=partly)) == ([DType.F32], [DType.I8])
    assert types(tinyc.compile(model)) == ([DType.F32], [DType.F32])
    # Who asks for integers gets them, or is told why not.
    with pytest.raises(tinyc.TinycError, match="takes it in float"):
        tinyc.compile(both, quantise=dataclasses.replace(partly, input_type="int8"))


def test_integers_of_a_network_of_floats(model: Path) -> None:
    for choice in ({"input_type": "int8"}, {"input_type": "uint8"}, {"output_type": "int8"}):
        wanted: Any = choice
        with pytest.raises(tinyc.TinycError, match="goes with `quantise=QuantiseOptions"):
            tinyc.compile(model, **wanted)
    with pytest.raises(tinyc.TinycError, match="`input_type` of a model that is quantised here belongs into"):
        tinyc.compile(model, quantise=options(), input_type="int8")


def test_floats_become_integers_as_the_network_would_round_them(qdq: Path) -> None:
    """A quotient that is rounded to a tie in float32, and is none in float64."""
    made, floats = (tinyc.compile(qdq, verify=False, input_type=t) for t in ("int8", "float32"))  # type: ignore[arg-type]
    scale = np.float32(made.lowered.inputs[0].scale)
    ties = (np.arange(-200, 200, dtype=np.float32) + np.float32(0.5)) * scale
    near = ties.view(np.int32)[:, None] + np.arange(-2, 3, dtype=np.int32)
    x = np.resize(near.view(np.float32).ravel(), (12, *SHAPE[1:]))
    np.testing.assert_array_equal(made(x)["y"], floats(x)["y"])
    steps = x.astype(np.float64) / np.float64(scale)
    assert (np.rint(steps) != np.rint(x / scale)).any()


def alternatives(made: tinyc.Compilation) -> dict[tuple[str, str], dict[str, Any]]:
    return {(a["option"], a["value"]): a for a in made.report["interface"]["alternatives"]}


def test_alternatives_are_what_comes_of_them(model: Path, qdq: Path) -> None:
    made = tinyc.compile(model, quantise=options(), target="esp32c3")
    assert [p["type"] for p in made.report["interface"]["inputs"]] == ["i8[1,3,8,8]"]
    assert made.report["interface"]["outputs"][0]["scale"] == made.lowered.outputs[0].scale
    found = alternatives(made)
    assert set(found) == {("input_type", "float32"), ("input_type", "uint8"), ("output_type", "float32")}
    for (option, value), told in found.items():
        other = tinyc.compile(model, quantise=options(**{option: value}), target="esp32c3", verify=False).report
        for key in ("arena_bytes", "input_bytes", "output_bytes"):
            assert told[key] == other["ram"][key]
        assert told["weights_bytes"] == other["flash"]["weights_bytes"]
    back = alternatives(tinyc.compile(qdq, input_type="float32", output_type="float32", target="esp32c3"))
    assert {("input_type", "int8"), ("output_type", "int8")} <= set(back)
    assert back["input_type", "int8"]["instructions_more_estimated"] < 0


def test_alternatives_are_tried_only_where_there_are_some(model: Path) -> None:
    assert not alternatives(tinyc.compile(model))
    assert not alternatives(tinyc.compile(model, quantise=options(), verify=False))
    kept = tinyc.compile(model, quantise=options(keep_float=("first",)))
    assert set(alternatives(kept)) == {("output_type", "float32")}


@pytest.mark.parametrize(("machine", "target"), [("rv32imc", "esp32c3"), ("rv32imafc", "esp32p4")])
def test_estimates_are_near_what_is_counted(machine: str, target: str) -> None:
    """Within a quarter, on real sizes: Mobile-LeNet's input, and an output that is as large."""
    rng = np.random.default_rng(1)
    samples = [[rng.random((1, 28, 28, 1), np.float32)] for _ in range(2)]

    def made(**more: Any) -> tinyc.Compilation:
        chosen = tinyc.QuantiseOptions(Calibration(samples), **more)
        session = Session(MODEL, tinyc.Options(quantise=chosen, target=target, verify=False, input_layout="nhwc"))
        return session.compilation

    def counted(compiled: tinyc.Compilation) -> int:
        inputs: list[Array] = list(compiled.lowered.samples[0])
        return SimulatorRunner(compiled.source, MACHINES[machine]).measure(inputs).instructions

    from tinyc.compiler.session.alternatives import try_interfaces

    plain = made()
    setup = Session(MODEL, tinyc.Options(target=target)).setup
    chosen = tinyc.Options(
        quantise=tinyc.QuantiseOptions(Calibration(samples)), target=target, verify=False, input_layout="nhwc"
    )
    told = {(a.option, a.value): a for a in try_interfaces(plain.lowered, plain.source, plain.imported, chosen, setup)}
    try:
        base = counted(plain)
    except MissingTool as error:
        pytest.skip(str(error))
    for value in ("float32", "uint8"):
        estimate = told["input_type", value].instructions
        assert counted(made(input_type=value)) - base == pytest.approx(estimate, rel=0.25)


@pytest.mark.parametrize("operator", ["Slice", "Reshape", "Identity", "Gather"])
def test_an_output_that_is_a_part_of_another_has_a_scale(tmp_path: Path, operator: str) -> None:
    """It is a copy in the row program, which has a name of its own."""
    ints = {"from": [0], "to": [3], "along": [1], "shape": [12, 16], "which": [3, 1]}
    operands = {"Slice": ["from", "to", "along"], "Reshape": ["shape"], "Identity": [], "Gather": ["which"]}[operator]
    attributes = {"axis": 1} if operator == "Gather" else {}
    shape = {"Slice": (1, 3, 16), "Reshape": (12, 16), "Identity": (1, 12, 16), "Gather": (1, 2, 16)}[operator]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], "m"),
        helper.make_node("Relu", ["m"], ["whole"], "r"),
        helper.make_node(operator, ["whole", *operands], ["part"], "p", **attributes),
    ]
    shapes = {"x": (1, 12, 16), "whole": (1, 12, 16), "part": shape}
    x, *results = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    rng = np.random.default_rng(3)
    held = [numpy_helper.from_array(rng.normal(0, 0.3, (16, 16)).astype(np.float32), "w")]
    held += [numpy_helper.from_array(np.array(ints[n], np.int64), n) for n in operands]
    graph = helper.make_graph(nodes, "net", [x], results, held)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    samples = [[rng.normal(size=(1, 12, 16)).astype(np.float32)] for _ in range(6)]
    made = tinyc.compile(path, quantise=tinyc.QuantiseOptions(samples, input_type="float32"))
    whole, part = made.report["interface"]["outputs"]
    assert (part["scale"], part["zero_point"]) == (whole["scale"], whole["zero_point"])
    noise = {o.name: 10 * np.log10(o.signal / o.noise) for o in made.evaluate(samples).outputs}
    assert min(noise.values()) > 30, noise
    assert made.source.files["net.h"].count("_TO_FLOAT(integer)") == 2

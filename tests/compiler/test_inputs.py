"""Inputs as users have them: arrays of any number of samples, files, folders, images; and what is said of them."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import tinyc
from tests.compiler.test_cli import refused
from tests.compiler.test_cli import tinyc as command
from tests.helpers import DATA, ROOT
from tinyc.backends.interpreter import run_module
from tinyc.compiler.data.arrays import ArrayError
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.data.inputs import load_inputs
from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.frontend import Imported
from tinyc.ir.tensor import Array


def model(path: Path, *shapes: tuple[int, ...], dtype: int = TensorProto.FLOAT) -> Path:
    """A model that gives its inputs x0, x1, ... as they are, in the types they have."""
    ins = [helper.make_tensor_value_info(f"x{k}", dtype, s) for k, s in enumerate(shapes)]
    outs = [helper.make_tensor_value_info(f"y{k}", dtype, s) for k, s in enumerate(shapes)]
    operator = "Relu" if dtype == TensorProto.FLOAT else "Identity"
    nodes = [helper.make_node(operator, [f"x{k}"], [f"y{k}"]) for k in range(len(shapes))]
    graph = helper.make_graph(nodes, "g", ins, outs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def imported(folder: Path, *shapes: tuple[int, ...], dtype: int = TensorProto.FLOAT) -> Imported:
    return tinyc.load(model(folder / "m.onnx", *shapes, dtype=dtype))


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "given", "count"),
    [
        ((7, 1, 3), (7, 1, 3), 1),
        ((7, 1, 3), (5, 7, 1, 3), 5),
        ((7, 1, 3), (1, 7, 1, 3), 1),
        ((7, 7), (7, 7), 1),
        ((1, 4), (1, 4), 1),
        ((1, 4), (6, 4), 6),
        ((1, 4), (6, 1, 4), 6),
        ((1, 1), (1, 1), 1),
        ((3,), (2, 3), 2),
        ((), (), 1),
        ((), (4,), 4),
    ],
)
def test_one_sample_or_one_more_axis_of_samples(
    shape: tuple[int, ...], given: tuple[int, ...], count: int, tmp_path: Path
) -> None:
    array = numbers(*given)
    np.save(tmp_path / "in.npy", array)
    found = load_inputs(tmp_path / "in.npy", imported(tmp_path, shape))
    assert len(found.samples) == count
    np.testing.assert_array_equal(np.stack([s[0] for s in found.samples]), array.reshape(count, *shape))


@pytest.mark.parametrize("given", [(7, 3), (0, 7, 1, 3), (2, 2, 7, 1, 3), (6, 1, 3), (7, 1, 4)])
def test_other_shapes_are_refused(given: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", numbers(*given))
    with pytest.raises(ArrayError, match=r"in\.npy: input 'x0' is \[7, 1, 3\], or N x \[7, 1, 3\]"):
        load_inputs(tmp_path / "in.npy", imported(tmp_path, (7, 1, 3)))


def test_a_folder_of_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(np.full((6, 5), 255, np.uint8)).save(data / "a.png")
    np.save(data / "b.npy", np.full((2, 1, 1, 6, 5), 0.5, np.float32))
    np.savez(data / "c.npz", x0=np.full((1, 1, 6, 5), 0.25, np.float32))
    np.savez(data / "d.npz", np.full((1, 1, 6, 5), 0.125, np.float32))
    (data / "notes.txt").write_text("not meant")
    found = load_inputs(data, imported(tmp_path, (1, 1, 6, 5)))
    assert [float(s[0].mean()) for s in found.samples] == [1.0, 0.5, 0.5, 0.25, 0.125]
    assert found.classes is None
    assert found.notes == ()


def test_sub_folders_are_classes_of_arrays_too(tmp_path: Path) -> None:
    for name, count in (("cat", 2), ("dog", 1)):
        (tmp_path / "data" / name).mkdir(parents=True)
        np.save(tmp_path / "data" / name / "x.npy", numbers(count, 1, 4))
    assert load_inputs(tmp_path / "data", imported(tmp_path, (1, 4))).classes == (0, 0, 1)


def test_several_inputs_by_name(tmp_path: Path) -> None:
    both = imported(tmp_path, (1, 2), (3, 1))
    data = tmp_path / "data"
    data.mkdir()
    np.savez(data / "0.npz", x0=numbers(1, 2), x1=numbers(3, 1))
    np.savez(data / "1.npz", x0=numbers(4, 2), x1=numbers(4, 3, 1))
    assert [[a.shape for a in s] for s in load_inputs(data, both).samples] == [[(1, 2), (3, 1)]] * 5
    np.savez(data / "2.npz", x0=numbers(4, 2), x1=numbers(3, 1))
    with pytest.raises(ArrayError, match=r"2\.npz: the arrays hold different numbers of inferences: \[1, 4\]"):
        load_inputs(data, both)
    np.save(tmp_path / "one.npy", numbers(1, 2))
    with pytest.raises(ArrayError, match=r"one array without a name, and the model's inputs are 'x0', 'x1'"):
        load_inputs(tmp_path / "one.npy", both)


def test_integers_for_floats_are_converted_and_told(tmp_path: Path) -> None:
    to = imported(tmp_path, (1, 4))
    np.save(tmp_path / "in.npy", np.array([[0, 3, 250, 9], [1, 2, 3, 4]], np.uint8))
    found = load_inputs(tmp_path / "in.npy", to)
    assert found.samples[0][0].tolist() == [[0, 3, 250, 9]]
    (note,) = found.notes
    assert "input 'x0' got whole numbers from 0 to 250" in note
    assert "`normalise=MEAN,STD`" in note
    found = load_inputs(tmp_path / "in.npy", to, Normalise(50.0, 100.0))
    np.testing.assert_array_equal(found.samples[0][0], np.float32([[-0.5, -0.47, 2.0, -0.41]]))
    assert found.notes == ()
    np.save(tmp_path / "in.npy", np.array([[0.0, 3.0, 250.0, 9.0]]))
    assert load_inputs(tmp_path / "in.npy", to).notes, "pixels that were made floats are still pixels"
    for quiet in ([[0, 1, 1, 0]], [[-3, 5, 250, 1]], [[0, 300, 1, 2]], [[0.5, 200.0, 3.0, 4.0]]):
        np.save(tmp_path / "in.npy", np.array(quiet))
        assert load_inputs(tmp_path / "in.npy", to).notes == ()


def test_values_that_an_integer_input_does_not_have_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.array([[0, 200]], np.int64))
    with pytest.raises(ArrayError, match="is int8, the array has values outside of it"):
        load_inputs(tmp_path / "in.npy", imported(tmp_path, (1, 2), dtype=TensorProto.INT8))


def test_the_note_is_printed_and_in_the_report(tmp_path: Path) -> None:
    net = model(tmp_path / "net.onnx", (1, 4))
    np.save(tmp_path / "in.npy", np.arange(40, dtype=np.uint8).reshape(10, 4))
    arguments = ("compile", net, "--quantize", "int8", "--calibration", tmp_path / "in.npy", "-o", tmp_path / "out")
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    assert "whole numbers from 0 to 39" in " ".join(result.stdout.split())
    (note,) = json.loads((tmp_path / "out" / "report.json").read_text())["notes"]
    assert "whole numbers from 0 to 39" in note
    assert command(*arguments, "--normalize", "0,255", "--json").exit_code == 0
    notes = json.loads((tmp_path / "out" / "report.json").read_text())["notes"]
    assert not [note for note in notes if "the C does not scale pixels" not in note]
    for way in (("verify", net, "--on", "interpreter"), ("run", net, "--on", "interpreter")):
        result = command(*way, "--inputs", tmp_path / "in.npy")
        assert result.exit_code == 0, result.output
        assert "note: " in result.stderr
        assert "--normalize" in result.stderr


def test_the_command_line_takes_files_and_folders(tmp_path: Path) -> None:
    net = model(tmp_path / "net.onnx", (7, 1, 3))
    (tmp_path / "data").mkdir()
    for k in range(3):
        np.save(tmp_path / "data" / f"{k}.npy", numbers(2, 7, 1, 3))
    for where in ("data", "data/0.npy"):
        result = command("verify", net, "--on", "interpreter", "--inputs", tmp_path / where, "--json")
        assert json.loads(result.stdout)["executors"][0]["samples"] == (6 if where == "data" else 2)
    result = command("run", net, "--on", "interpreter", "--inputs", tmp_path / "data", "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "out.npz") as outputs:
        assert outputs["y0"].shape == (6, 7, 1, 3)


def test_time_first_networks_are_calibrated_on_many_samples() -> None:
    """More samples reach more of the range: the outputs of fresh inputs are no worse than from one sample."""
    file = DATA / "cases" / "int8" / "lstm_time_first.onnx"
    if not file.exists():
        pytest.skip(f"{file} is missing")
    port = tinyc.load(file).inputs[0]
    assert port.onnx_shape == (7, 1, 3)
    many = np.random.default_rng(5).standard_normal((20, 7, 1, 3)).astype(np.float32)
    quality = {}
    for count in (1, 20):
        samples = [[a] for a in many[:count]]
        options = tinyc.QuantiseOptions(Calibration(samples))
        result = tinyc.compile(file, quantise=options, verify=False)
        quality[count] = clean(result, many)
    assert quality[20] > quality[1]


def clean(result: tinyc.Compilation, inputs: Array) -> float:
    """The signal-to-noise ratio of the first output over inputs, in dB."""
    samples = [[a] for a in inputs]
    got = np.stack([result.lowered.real_outputs(o)[0] for o in tinyc.execute(result, "interpreter", samples)])
    wanted = np.stack([run_module(result.imported.module, s)[0] for s in samples])
    return float(10 * np.log10((wanted**2).sum() / ((got - wanted) ** 2).sum()))


def huge_png(path: Path, width: int, height: int) -> None:
    """A picture of few bytes and many pixels, all but the first row of which are missing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * (1 + 3 * width))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


@pytest.mark.parametrize("side", [8000, 20000])
def test_a_huge_image_is_refused_within_a_gigabyte(side: int, tmp_path: Path) -> None:
    net = model(tmp_path / "net.onnx", (1, 3, 8, 8))
    (tmp_path / "data").mkdir()
    huge_png(tmp_path / "data" / "bomb.png", side, side)
    program = (
        "import resource, sys\nfrom tinyc.compiler.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ("compile", str(net), "--quantize", "int8", "--calibration", str(tmp_path / "data"))
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env=environment,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "bomb.png has" in done.stderr
    assert "more than 50,000,000" in done.stderr
    assert int(done.stdout) < 1 << 20, "KiB"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npz", b"zip?", ("not a readable .npz or .npy file",)),
        ("x.npy", b"", ("not a readable .npz or .npy file",)),
        ("x.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': nothing}", ("not a readable .npz or .npy file",)),
        ("x.png", b"no picture", ("not a readable image",)),
        ("x.txt", b"1 2 3", ("holds no arrays and no images",)),
    ],
)
def test_files_that_are_none(name: str, content: bytes, words: tuple[str, ...], tmp_path: Path) -> None:
    net = model(tmp_path / "net.onnx", (1, 1, 4, 4))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    refused(command("verify", net, "--on", "interpreter", "--inputs", tmp_path / "data"), *words)


def test_an_array_that_claims_more_than_there_is(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (20000, 20000, 20000), }"
    header += b" " * (117 - len(header)) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    net = model(tmp_path / "net.onnx", (1, 4))
    refused(command("verify", net, "--on", "interpreter", "--inputs", tmp_path / "x.npy"), "x.npy")

"""`tinyc compare-dump`: dumps printed by real builds, here and on a simulated machine: whole, wrong, cut, damaged."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from tests.c.hooks import printed
from tests.c.support import lowered, need
from tests.compiler.test_cli import MODEL, refused, small_model, tinyc
from tests.passes.stream.support import planned, random_schedule
from tests.rows import lowered as unscheduled
from tests.rows import random_network
from tinyc.backends.c import generate
from tinyc.backends.c.hooks import fingerprint
from tinyc.compiler.data.calibration import Normalise
from tinyc.compiler.dump import compare_dump
from tinyc.compiler.dump.compare import Compared, compare_inference, result_types
from tinyc.compiler.dump.log import DumpLog, LogError, parse_log
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import Compilation, api
from tinyc.ir import DType, TensorType, ops
from tinyc.ir.module import Builder
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.stream import Stream

FULL, SUMS = ["-DTINYC_DUMP"], ["-DTINYC_DUMP_CHECKSUMS"]
PART = re.compile(r"^tinyc (\w+) (-?\d+) (\d+) (\d+) (\w+)(?: (\S+))?;$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    need("gcc")


@dataclass(frozen=True)
class Device:
    """Mobile-LeNet in int8, which takes and gives floats, and files for its command line."""

    folder: Path
    compiled: Compilation
    images: Array

    def log(self, flags: list[str], where: str = "host", images: Array | None = None) -> str:
        """What the device prints for images."""
        given = [[image[np.newaxis]] for image in (self.images[:1] if images is None else images)]
        folder = self.folder / f"{where}{len(list(self.folder.iterdir()))}"
        return printed(self.compiled.source, self.compiled.as_taken(given), folder, flags, where=where)

    def compare(self, log: str | bytes, images: Array | None, *, given: bool = True) -> dict[str, Any]:
        """What is said of a log, as data."""
        path = self.folder / "log.txt"
        path.write_bytes(log if isinstance(log, bytes) else log.encode())
        samples = [[image[np.newaxis]] for image in (self.images[:1] if images is None else images)]
        document = compare_dump(self.compiled, path, samples if given else None)
        json.dumps(document, allow_nan=False)
        return document

    def report(
        self, log: str | bytes, passed: bool, images: Array | None = None, *, given: bool = True
    ) -> dict[str, Any]:
        """What is said of a log's only inference."""
        document = self.compare(log, images, given=given)
        (found,) = document["inferences"]
        assert document["passed"] == found["passed"] == passed, found["summary"]
        return {**found, "notes": document["notes"]}

    def command(self, log: str, *extra: object) -> Result:
        """The command on a log."""
        (self.folder / "log.txt").write_text(log)
        np.savez(self.folder / "in.npz", image=self.images[:1])
        options = [
            "--quantize",
            "int8",
            "--calibration",
            self.folder / "images.npz",
            *("--input-type", "float32", "--output-type", "float32"),
            "--inputs",
            self.folder / "in.npz",
        ]
        return tinyc("compare-dump", MODEL, self.folder / "log.txt", *options, *extra)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    folder = tmp_path_factory.mktemp("device")
    images = np.random.default_rng(8).random((6, 1, 28, 28), np.float32)
    np.savez(folder / "images.npz", image=images)
    floats: Any = {"input_type": "float32", "output_type": "float32"}
    options = QuantiseOptions(calibration=folder / "images.npz", normalise=Normalise(), **floats)
    return Device(folder, api.compile(MODEL, verify=False, quantise=options), images)


@pytest.fixture(scope="module")
def full(device: Device) -> str:
    return device.log(FULL)


def patched(text: str, layer: int, change: Callable[[Array], Array], dtype: DType = DType.I8, nth: int = 0) -> str:
    """The log with the elements of the nth line of a layer changed, the checksum with them."""
    found = [f for f in PART.finditer(text) if int(f[2]) == layer][nth]
    values = np.frombuffer(base64.b64decode(found[6]), dtype.numpy).copy()
    data = np.ascontiguousarray(change(values), dtype.numpy).tobytes()
    line = f"tinyc {found[1]} {layer} {found[3]} {found[4]} {zlib.crc32(data):08x} {base64.b64encode(data).decode()};"
    return text[: found.start()] + line + text[found.end() :]


def flip(values: Array) -> Array:
    values[5] ^= 1
    return values


@pytest.mark.parametrize("where", ["host", pytest.param("rv32imc", marks=pytest.mark.simulator)])
@pytest.mark.parametrize("flags", [FULL, SUMS], ids=["full", "checksums"])
def test_a_right_device_agrees(flags: list[str], where: str, device: Device) -> None:
    text = device.log(flags, where)
    found = device.report(text, True)
    stages = device.compiled.program.stages
    assert [layer["index"] for layer in found["layers"]] == list(range(len(stages)))
    assert {layer["verdict"] for layer in found["layers"]} == {"equal"}
    assert found["first_difference"] is found["input_difference"] is None
    assert (found["missing"], found["notes"]) == ([], [])
    assert f"{len(stages)} of {len(stages)} layers agree" in found["summary"]


def test_checksums_are_short(device: Device, full: str) -> None:
    """A tenth of the text, but for inputs and floats."""
    short = [f[6] for f in PART.finditer(device.log(SUMS)) if int(f[2]) in range(1, 10)]
    assert len(short) > 10
    assert not any(short)
    assert all(f[6] for f in PART.finditer(full))


def test_floats_agree_but_for_rounding(tmp_path: Path) -> None:
    compiled = api.compile(MODEL, verify=False)
    image = np.random.default_rng(9).random((1, 1, 28, 28), np.float32)
    for flags in (FULL, SUMS):
        (tmp_path / "log.txt").write_text(printed(compiled.source, [[image]], tmp_path / flags[0][-4:], flags))
        (found,) = compare_dump(compiled, tmp_path / "log.txt", [[image]])["inferences"]
        assert found["passed"]
        assert {layer["verdict"] for layer in found["layers"]} <= {"close", "equal"}
    far = patched((tmp_path / "log.txt").read_text(), 3, lambda v: v + np.float32(0.01), DType.F32)
    (tmp_path / "log.txt").write_text(far)
    (found,) = compare_dump(compiled, tmp_path / "log.txt", [[image]])["inferences"]
    assert found["first_difference"]["index"] == 3


def test_the_command(device: Device, full: str) -> None:
    right = device.command(full, "--json")
    assert right.exit_code == 0, right.output
    assert json.loads(right.stdout)["passed"] is True
    wrong = device.command(patched(full, 4, flip))
    assert wrong.exit_code == 1
    text = " ".join(wrong.stdout.split())
    stage = device.compiled.program.stages[4]
    assert f"DIFFERS: layer 4, {stage.op.mnemonic} {stage.loc.partition('+')[0]}+" in text
    assert "was expected (1 of " in text


@pytest.mark.parametrize("layer", [0, 4, 9])
def test_a_flipped_bit_names_its_layer(layer: int, device: Device, full: str) -> None:
    lines = [f for f in PART.finditer(full) if int(f[2]) == layer]
    nth = len(lines) // 2
    found = device.report(patched(full, layer, flip, nth=nth), False)
    difference = found["first_difference"]
    stage = device.compiled.program.stages[layer]
    assert difference["index"] == layer
    assert difference["offset"] == int(lines[nth][3]) + 5
    assert difference["element"] == [int(i) for i in np.unravel_index(difference["offset"], stage.result.shape)]
    assert abs(difference["value"] - difference["expected"]) == 1
    right = np.frombuffer(base64.b64decode(lines[nth][6]), np.int8)
    assert difference["expected"] == right[5]
    assert (difference["differing"], difference["elements"]) == (1, stage.result.type.size)
    assert [v["index"] for v in found["layers"] if v["verdict"] != "equal"] == [layer]
    name = f"layer {layer}, {stage.op.mnemonic} {stage.loc or stage.result.name}"
    assert found["summary"].startswith(f"{name} differs: element ")
    assert f"is {difference['value']:g} where {difference['expected']:g} was expected" in found["summary"]


def wrong_layer(compiled: Compilation, layer: int) -> Compilation:
    """The network with a bit of a layer's result flipped where it comes into being, for all layers after it to read."""
    source = compiled.source
    name = f"{source.name}.c"
    traced = re.compile(rf"^( *)(TINYC_TRACE\({layer}, [^,]*, (.*), \d+\);)$", re.MULTILINE)
    text, count = traced.subn(r"\1((unsigned char *)(\3))[1] ^= 1;\n\1\2", source.files[name])
    assert count == 1
    return dataclasses.replace(compiled, source=dataclasses.replace(source, files={**source.files, name: text}))


@pytest.mark.parametrize("flags", [FULL, SUMS], ids=["full", "checksums"])
@pytest.mark.parametrize("layer", [2, 8])
def test_a_wrong_layer_is_named_not_those_after_it(layer: int, flags: list[str], device: Device) -> None:
    wrong = Device(device.folder, wrong_layer(device.compiled, layer), device.images)
    found = device.report(wrong.log(flags), False)
    difference = found["first_difference"]
    assert difference["index"] == layer
    assert [v["index"] for v in found["layers"] if v["verdict"] == "differs"][:1] == [layer]
    assert len([v for v in found["layers"] if v["verdict"] == "differs"]) > 1
    assert (difference["value"] is None) == (difference["checksum_of"] is not None) == (flags == SUMS)
    assert "The layers before it agree." in found["summary"]


def test_other_lines_and_what_consoles_add(device: Device, full: str) -> None:
    lines = full.splitlines()
    noisy = [
        "ESP-ROM:esp32c3-api1-20210207",
        "I (31) boot: tinyc is not a line of it",
        *lines[:7],
        "W (99) task_wdt: ...",
    ]
    noisy += [f"\x1b[0;32mI ({k}) app: {line}\x1b[0m" for k, line in enumerate(lines[7:30])]
    noisy += [f"12:00:01.250 -> {line}" for line in lines[30:60]] + [line + " \t" for line in lines[60:]] + ["done"]
    text = "\r\n".join(noisy)
    for log in (text, text.encode("utf-16"), b"\xff\xfe" + text.encode("utf-16-le"), b"\x80\x00\r\n" + text.encode()):
        assert device.report(log, True)["notes"] == []


def test_a_cut_log_names_what_is_missing(device: Device, full: str) -> None:
    lines = full.splitlines()
    last = max(k for k, line in enumerate(lines) if re.match(r"tinyc \w+ 4 ", line))
    found = device.report("\n".join([*lines[:last], lines[last][:30]]), False)
    missing = [m["index"] for m in found["missing"]]
    assert found["first_difference"] is None
    assert missing[0] == 4
    assert missing[-1] == len(device.compiled.program.stages) - 1
    assert found["notes"] == [f"1 damaged line(s) are left out: {last + 1}"]
    verdicts = {v["index"]: v["verdict"] for v in found["layers"]}
    assert verdicts[0] == "equal"
    assert verdicts[4] == "missing"
    assert "Missing, or not whole in the log: layer 4, " in found["summary"]
    # A difference is found in what there is.
    assert device.report(patched("\n".join(lines[:last]) + "\n", 0, flip), False)["first_difference"]["index"] == 0


@pytest.mark.parametrize("damage", [(" ", ""), (";", ""), ("=;", ";"), ("A", "B"), ("A", "*")])
def test_a_damaged_line_is_no_wrong_layer(damage: tuple[str, str], device: Device, full: str) -> None:
    lines = full.splitlines()
    candidates = [k for k, line in enumerate(lines) if re.match(r"tinyc \w+ [5-9] ", line) and damage[0] in line[30:]]
    broken = lines[candidates[0]]
    lines[candidates[0]] = broken[:30] + broken[30:].replace(*damage, 1)
    found = device.report("\n".join(lines), False)
    assert found["first_difference"] is None
    assert [m["index"] for m in found["missing"]] == [int(broken.split()[2])]
    assert str(candidates[0] + 1) in found["notes"][0]


def test_logs_of_something_else(device: Device, full: str, tmp_path: Path) -> None:
    own = fingerprint(device.compiled.program)
    other = full.replace(own, "0123abcd")
    assert device.report(other + full, True)["passed"]
    wrong = {
        other: f"program 0123abcd.* is program {own}.* options .*same version of tinyc",
        "I (1) boot: hello": "holds no dump.*-DTINYC_DUMP",
        "": "holds no dump",
        f"tinyc {own} begin;\ntinyc {own} 0 0 4 zz;\n": "no line of the dump that arrived whole",
    }
    for text, message in wrong.items():
        with pytest.raises(LogError, match=message):
            device.compare(text, None)
    # The same model with other options, and another model.
    log = tmp_path / "log.txt"
    log.write_text(full)
    refused(tinyc("compare-dump", small_model(tmp_path / "relu.onnx"), log), own, "options")
    refused(tinyc("compare-dump", tmp_path / "relu.onnx", tmp_path / "nowhere.txt"), "nowhere.txt")


def test_schedules_have_names_of_their_own(device: Device) -> None:
    programs = [device.compiled.program]
    programs += [api.compile(MODEL, verify=False, **o).program for o in ({}, {"ram": 10**6}, {"rows_from": "argument"})]
    names = [fingerprint(p) for p in programs]
    assert names[0] not in names[1:]
    assert names[1] != names[2]
    assert fingerprint(api.compile(MODEL, verify=False).program) == names[1]


def test_a_wrong_input_is_told_from_a_wrong_layer(device: Device, full: str) -> None:
    expected = device.images[1:2]
    found = device.report(full, False, images=expected)
    assert found["input_difference"]["index"] == -1
    assert found["input_difference"]["name"] == "input 'image'"
    assert found["input_difference"]["value"] == pytest.approx(float(device.images[0].flat[0]))
    assert found["input_difference"]["expected"] == pytest.approx(float(expected.flat[0]))
    assert found["first_difference"] is None
    assert "What the network computed from it is right." in found["summary"]
    both = device.report(patched(full, 6, flip), False, images=expected)
    assert both["input_difference"] is not None
    assert both["first_difference"]["index"] == 6


def test_hints_at_what_is_wrong_with_an_input(device: Device) -> None:
    image = device.images[:1]
    words = {
        "times 255": image * np.float32(255),
        "times -1": -image,
        "another order": image.swapaxes(2, 3),
        "was it filled": np.zeros_like(image),
        "": image**2,
    }
    found = device.compare(device.log(SUMS, images=np.concatenate(list(words.values()))), image)
    assert [i["first_difference"] for i in found["inferences"]] == [None] * len(words)
    for word, inference in zip(words, found["inferences"], strict=True):
        hint = inference["input_difference"]["hint"]
        assert word in hint
        assert bool(word) == bool(hint)


def test_an_input_that_was_rounded_otherwise_is_no_wrong_input(device: Device) -> None:
    """Where the device rounds pixel / 255 otherwise, all that follows is compared from its own numbers."""
    near = np.nextafter(device.images[:1], np.float32(2))
    assert device.report(device.log(FULL, images=near), True)["layers"][0]["verdict"] == "equal"


def test_without_inputs_those_of_the_log_are_taken(device: Device, full: str) -> None:
    assert device.report(full, True, given=False)["input_difference"] is None
    assert device.report(patched(full, 3, flip), False, given=False)["first_difference"]["index"] == 3
    cut = re.sub(r"(?m)^tinyc \w+ -1 .*\n", "", full, count=1)
    with pytest.raises(LogError, match=r"lacks some of its inputs.*`inputs`"):
        device.compare(cut, None, given=False)
    # Given, they are used: what is left of the device's own must agree with them.
    found = device.report(cut, False)
    assert [m["index"] for m in found["missing"]] == [-1]
    assert found["first_difference"] is None


def test_several_inferences(device: Device) -> None:
    three = device.log(SUMS, images=device.images[:3])
    lines = three.splitlines()
    begins = [k for k, line in enumerate(lines, 1) if line.endswith(" begin;")]
    found = device.compare(three, device.images[:3])
    assert [i["passed"] for i in found["inferences"]] == [True] * 3
    assert [i["line"] for i in found["inferences"]] == begins
    # One input for all of them: the second and third had another one.
    found = device.compare(three, device.images[:1])
    assert [bool(i["input_difference"]) for i in found["inferences"]] == [False, True, True]
    found = device.compare(three, device.images[:2])
    assert found["passed"]
    assert "left out" in found["notes"][0]
    # The console was opened late, and closed early.
    found = device.compare("\n".join(lines[10:-5]), device.images[1:3])
    assert found["passed"]
    assert len(found["inferences"]) == 2
    assert ["begins within" in n or "ends within" in n for n in found["notes"]] == [True, True]


@pytest.mark.parametrize("lost", [["begin"], ["begin", "end"]])
def test_a_lost_line_joins_no_inferences(lost: list[str], device: Device) -> None:
    lines = device.log(SUMS, images=device.images[:2]).splitlines()
    second = max(k for k, line in enumerate(lines) if line.endswith(" begin;"))
    assert lines[second - 1].endswith(" end;")
    del lines[second - len(lost) + 1 : second + 1]
    found = device.compare("\n".join(lines), device.images[:2])
    assert [i["passed"] for i in found["inferences"]] == [True, True]


def logged(program: RowProgram, arrays: Any, folder: Path, flags: list[str], push: bool = False) -> str:
    return printed(generate(program, name="net"), [list(arrays)], folder, flags, push=push)


def compared(program: RowProgram, text: str, arrays: Any) -> Compared:
    found: DumpLog = parse_log(text, fingerprint(program), result_types(program), "the log")
    assert not found.damaged
    (inference,) = found.inferences
    return compare_inference(program, inference, arrays)


I8, F32 = DType.I8, DType.F32
CASES = [("arena", False, I8), ("rows", True, I8), ("rows", False, F32)]
MORE = [
    ("arena", False, F32),
    ("argument", False, I8),
    ("argument", False, F32),
    ("rows", True, F32),
    ("rows", False, I8),
]


@pytest.mark.parametrize(
    ("place", "push", "dtype"), [*CASES, *(pytest.param(*c, marks=pytest.mark.slow) for c in MORE)]
)
def test_any_schedule_and_place(place: InputPlace, push: bool, dtype: DType, tmp_path: Path) -> None:
    """Random networks in random segments, forward and in reverse; rows from outside, asked for and handed over."""
    seed = 308 if place == "rows" else 14
    network = random_network(seed, dtype, 1 if place == "rows" else 2)
    program = unscheduled(network.module, place)
    program = planned(Stream().run(program) if place == "rows" else random_schedule(Random(seed), program))
    assert any(s.streams for s in program.segments)
    assert place == "rows" or any(s.streams and s.reverse for s in program.segments)
    full = ""
    for flags in (FULL, SUMS):
        text = logged(program, network.arrays, tmp_path / flags[0], flags, push)
        found = compared(program, text, network.arrays)
        assert found.agrees, found
        assert set(found.layers.values()) <= ({"equal", "close"} if dtype is DType.F32 else {"equal"})
        full = full or text
    random = Random(seed)
    for _ in range(4):
        part = random.choice([f for f in PART.finditer(full) if int(f[2]) >= 0])
        layer, nth = int(part[2]), [f.start() for f in PART.finditer(full) if f[2] == part[2]].index(part.start())
        if program.takes_rows(program.stages[layer]):
            continue
        kind = program.stages[layer].result.dtype

        def other(values: Array) -> Array:
            values[-1] = values[-1] + 1 if values.dtype == np.float32 else values[-1] ^ 1
            return values

        first = compared(program, patched(full, layer, other, kind, nth), network.arrays).first
        assert first is not None
        assert (first.layer, first.offset, first.count) == (layer, int(part[3]) + int(part[4]) - 1, 1)


def test_the_first_in_time_comes_first(tmp_path: Path) -> None:
    """Of two wrong layers that advance together, the one whose wrong row was computed first."""
    network = random_network(308, DType.I8)
    program = planned(Stream().run(unscheduled(network.module, "rows")))
    assert program.order[0].streams
    full = logged(program, network.arrays, tmp_path, FULL)
    layers = [n for n in program.order[0].stages if program.stages[n].rows > 4]
    early, late = layers[1], layers[-1]
    lines = [int(f[2]) for f in PART.finditer(full)]
    turn = lines.count(early) - 1
    assert lines.index(late) < len(lines) - 1 - lines[::-1].index(early)
    one = patched(full, early, lambda v: v ^ 1, nth=turn)
    both = patched(one, late, lambda v: v ^ 1, nth=0)
    first = compared(program, one, network.arrays).first
    assert first is not None
    assert first.layer == early
    first = compared(program, both, network.arrays).first
    assert first is not None
    assert (first.layer, first.offset) == (late, 0)


def test_the_input_that_comes_by_rows(tmp_path: Path) -> None:
    network = random_network(308, DType.I8)
    program = planned(Stream().run(unscheduled(network.module, "rows")))
    text = logged(program, network.arrays, tmp_path, FULL)
    wrong = [np.asarray(a ^ 1) for a in network.arrays]
    found = compared(program, text, wrong)
    assert found.input is not None
    assert found.input.layer == 0
    assert program.takes_rows(program.stages[0])
    assert found.first is None


def test_integers_made_of_rounded_floats_may_be_a_step_beside(tmp_path: Path) -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 8), DType.F32))
    y = b.add(ops.Mul(x, b.constant(np.float32([1.0, 2.0, 3.0, 4.0] * 2))), "y")
    q = b.add(ops.Quantize(y, 0.1), "q")
    table = b.constant(np.arange(-128, 128).astype(np.int8)[::-1].copy())
    program = lowered(b.build([b.add(ops.Lookup(q, table), "z")]))
    arrays = [np.linspace(-1, 1, 8, dtype=np.float32)[np.newaxis]]
    right = logged(program, arrays, tmp_path, FULL)
    assert compared(program, right, arrays).agrees
    y_at, q_at, z_at = (next(n for n, s in enumerate(program.stages) if s.result.name == v) for v in ("y", "q", "z"))
    beside = patched(patched(right, q_at, lambda v: v + 1), z_at, lambda v: v - 1)
    first = compared(program, beside, arrays).first
    assert first is not None, "the floats before them are the interpreter's: so must the integers be"
    assert first.layer == q_at
    rounded = patched(beside, y_at, lambda v: np.nextafter(v, np.float32(9)), DType.F32)
    found = compared(program, rounded, arrays)
    assert found.agrees
    assert [found.layers[n] for n in (y_at, q_at, z_at)] == ["close"] * 3
    far = compared(program, patched(rounded, q_at, lambda v: v + 20), arrays).first
    assert far is not None
    assert far.layer == q_at

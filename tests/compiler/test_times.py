"""Times: those that a device prints, read by `tinyc bench --from-log`, and those that are estimated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.c.hooks import printed
from tests.c.support import need
from tests.compiler.test_cli import MODEL, refused, tinyc
from tests.runners.support import need_simulator
from tinyc.backends.c.hooks import fingerprint
from tinyc.backends.targets import TargetError, builtin, find
from tinyc.compiler.dump.log import LogError
from tinyc.compiler.dump.times import compare_times, parse_times
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.report.times import Places, constant_bytes, layer_times, time_document
from tinyc.compiler.session import Compilation, api

CLOCK = "#include <stdint.h>\nstatic uint32_t turns;\n#define TINYC_CYCLES() (turns += 1000)\n#define TINYC_MHZ() 160\n"
"""A clock that every look at it advances."""
NOISE = "\x1b[0;32mI (1523) main: tinyc-times\x1b[0m\nguru meditation \x00\x7f\nE (1) wifi: lost"


@pytest.fixture(scope="module")
def compiled() -> Compilation:
    """Mobile-LeNet in int8."""
    images = np.random.default_rng(8).random((4, 1, 28, 28), np.float32)
    quantise = QuantiseOptions([[image[None]] for image in images], input_type="int8", output_type="int8")
    return api.compile(MODEL, target="esp32c3", verify=False, quantise=quantise)


def log_of(compiled: Compilation, inferences: int = 3, start: int = 5000) -> list[str]:
    """Lines as a device prints them: layer k takes `start` + 100 k cycles, and ten more each time."""
    name, count = fingerprint(compiled.program), len(compiled.program.stages)
    lines = []
    for turn in range(inferences):
        cycles = [start + 100 * k + 10 * turn for k in range(count)]
        lines += [f"tinyc-times {name} {k} {n};" for k, n in enumerate(cycles)]
        lines.append(f"tinyc-times {name} end {count} {sum(cycles)} 160;")
    return lines


def read(compiled: Compilation, text: str, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "log.txt"
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    return compare_times(compiled, path)


def test_what_a_build_prints(compiled: Compilation, tmp_path: Path) -> None:
    need("gcc")
    sample = list(compiled.lowered.samples[0])
    text = printed(compiled.source, [sample] * 3, tmp_path, ["-DTINYC_TIMES"], include=CLOCK)
    found = parse_times(text, fingerprint(compiled.program), len(compiled.program.stages), "log")
    assert (len(found.inferences), found.mhz, found.broken) == (3, 160, 0)
    assert all(n > 0 and n % 1000 == 0 for times in found.inferences for n in times)


def test_times_beside_dumps_and_profiles(compiled: Compilation, tmp_path: Path) -> None:
    """All hooks in one build, each with lines of its own."""
    need("gcc")
    profile = f"void {compiled.source.name}_profile(int layer, const char *name, uint32_t cycles)"
    body = "{ (void)layer; (void)name; (void)cycles; }"
    include = f"{CLOCK}{profile};\n{profile} {body}\n"
    flags = ["-DTINYC_TIMES", "-DTINYC_PROFILE", "-DTINYC_DUMP"]
    text = printed(compiled.source, [list(compiled.lowered.samples[0])], tmp_path, flags, include=include)
    assert len(read(compiled, text, tmp_path)["layers"]) == len(compiled.program.stages)
    assert text.count("begin;") == 1


def test_a_log_as_consoles_make_them(compiled: Compilation, tmp_path: Path) -> None:
    """Prefixes, colours, Windows line ends, other lines, bytes that are no text."""
    lines = [f"\x1b[0;32mI (123{k}) app: {line}\x1b[0m\r" for k, line in enumerate(log_of(compiled))]
    lines[5:5] = NOISE.split("\n")
    document = read(compiled, "\n".join(lines) + "\udcff\udcfe", tmp_path)
    assert (document["inferences"], document["clock_hz"]) == (3, 160_000_000)
    assert document["layers"][2]["cycles"] == 5210, "the median"
    assert document["layers"][2]["us"] == pytest.approx(5210 / 160, abs=0.1)
    assert not [note for note in document["notes"] if "left out" in note]


def test_what_is_damaged_or_cut_is_left_out(compiled: Compilation, tmp_path: Path) -> None:
    whole = log_of(compiled)
    size = len(whole) // 3
    lost = [line for k, line in enumerate(whole) if k != 2]
    changed = [line.replace(" 5100;", " 5200;") for line in whole]
    ended = [line for k, line in enumerate(whole) if k != size - 1]
    cut = whole[: 2 * size + 4]
    late = whole[3:]
    for lines in (lost, changed, ended, cut, late):
        document = read(compiled, "\n".join(lines), tmp_path)
        assert document["inferences"] == 2
        assert any("1 inference(s) that did not arrive whole are left out" in note for note in document["notes"])


def test_logs_without_times(compiled: Compilation, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="holds no times: build the network with -DTINYC_TIMES"):
        read(compiled, NOISE, tmp_path)
    name = fingerprint(compiled.program)
    with pytest.raises(
        LogError, match=f"holds times of program 0badcafe; this model with these options is program {name}"
    ):
        read(compiled, "\n".join(log_of(compiled)).replace(name, "0badcafe"), tmp_path)
    with pytest.raises(LogError, match=r"no inference whose times arrived whole \(1 did not\): save more"):
        read(compiled, "\n".join(log_of(compiled)[:4]), tmp_path)
    with pytest.raises(LogError, match="cannot read"):
        compare_times(compiled, tmp_path / "none.txt")


def test_a_clock_of_its_own(compiled: Compilation, tmp_path: Path) -> None:
    slow = read(compiled, "\n".join(log_of(compiled)).replace(" 160;", " 80;"), tmp_path)
    assert slow["clock_hz"] == 80_000_000
    assert any("ran at 80 MHz, the target's clock is 160 MHz" in note for note in slow["notes"])
    unknown = read(compiled, "\n".join(log_of(compiled)).replace(" 160;", " 0;"), tmp_path)
    assert slow["estimated_milliseconds"] > 1.5 * unknown["estimated_milliseconds"], "the estimate is for that clock"
    assert unknown["milliseconds"] == pytest.approx(slow["milliseconds"] / 2, rel=0.01)
    assert any("does not say the clock" in note for note in unknown["notes"])


def test_instructions_beside(compiled: Compilation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where the simulator is there, else estimated."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        without = read(compiled, "\n".join(log_of(compiled)), tmp_path)
    assert {layer["counted_instructions"] for layer in without["layers"]} == {None}
    assert any("instructions are estimated, not counted" in note for note in without["notes"])
    for layer in without["layers"]:
        guess = layer["estimated_instructions"]
        assert layer["cycles_per_instruction"] == pytest.approx(layer["cycles"] / guess, abs=0.01)
    need_simulator()
    counted = read(compiled, "\n".join(log_of(compiled)), tmp_path)
    assert all(layer["counted_instructions"] > 0 for layer in counted["layers"])
    total = sum(layer["counted_instructions"] for layer in counted["layers"])
    assert sum(layer["estimated_instructions"] for layer in counted["layers"]) == pytest.approx(total, rel=0.15)


def test_command(tmp_path: Path) -> None:
    found = api.compile(MODEL, target="esp32s3", verify=False)
    log = tmp_path / "log.txt"
    log.write_text("\n".join(log_of(found)))
    result = tinyc("bench", MODEL, "--target", "esp32s3", "--from-log", log)
    assert result.exit_code == 0, result.output
    for word in ("esp32s3, 3 inference(s)", "cycles", "160 MHz", "estimated"):
        assert word in result.stdout
    document = json.loads(tinyc("bench", MODEL, "--target", "esp32s3", "--from-log", log, "--json").stdout)
    assert document["cycles"] == sum(layer["cycles"] for layer in document["layers"])
    refused(tinyc("bench", MODEL, "--target", "esp32s3", "--from-log", log, "--on", "esp32s3"), "--on", "--from-log")
    refused(tinyc("bench", MODEL, "--target", "esp32s3", "--from-log", log, "--input-layout", "nhwc"), "same options")


PUBLISHED = {
    "esp32": (83_675_873, 380.0),
    "esp32s3": (11_172_563, 54.0),
    "esp32c3": (60_764_169, 426.0),
}
"""Instructions of person detection (MobileNetV1 0.25 at 96x96x1, 2 classes) with ESP-NN 1.2.3 on the simulated cores,
and the milliseconds that its README has."""
WEIGHTS = 232_000
"""Bytes of its constants."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_model_against_published_times(name: str) -> None:
    count, milliseconds = PUBLISHED[name]
    chip = find(name)
    lines = -(-WEIGHTS // chip.cache_line_bytes)
    seconds = count * chip.cycles_per_100_instructions / 100 / chip.clock_hz + lines * chip.flash_line_ns * 1e-9
    assert seconds * 1e3 == pytest.approx(milliseconds, rel=chip.time_error_percent / 100)
    assert chip.time_error_percent <= 10


def test_parts_of_a_time(compiled: Compilation) -> None:
    """Weights cost by the line, once each where the cache holds them; the arena only where it lies outside."""
    program, chip = compiled.program, find("esp32s3")
    counts = [1000] * len(program.stages)
    inside = layer_times(program, counts, chip, Places(weights_in_flash=False))
    flash = layer_times(program, counts, chip, Places())
    outside = layer_times(program, counts, chip, Places(arena_in_psram=True))
    for stage, one, two, three in zip(program.stages, inside, flash, outside, strict=True):
        assert one is not None
        assert two is not None
        assert three is not None
        assert one.seconds == one.computing == pytest.approx(1000 * 1.05 / 240e6)
        assert two.flash == pytest.approx(-(-constant_bytes(program, stage) // 32) * 1050e-9)
        assert three.psram > 0 == two.psram
    tiny = dataclasses.replace(chip, cache_bytes=64)
    again = layer_times(program, counts, tiny, Places())
    streamed = [s for segment in program.order if segment.streams for s in segment.stages]
    assert streamed
    for number in streamed:
        before, after = flash[number], again[number]
        assert before is not None
        assert after is not None
        assert after.flash == pytest.approx(before.flash * program.stages[number].applications)


def test_unknown_times(compiled: Compilation) -> None:
    """Of a layer nobody knows, or of any computer."""
    counts: list[int | None] = [1000] * len(compiled.program.stages)
    assert time_document(layer_times(compiled.program, counts, find("host"), Places()), find("host"), False) is None
    counts[0] = None
    chip = find("esp32")
    assert time_document(layer_times(compiled.program, counts, chip, Places()), chip, False) is None


def test_reports(compiled: Compilation) -> None:
    found = compiled.report["time"]
    assert found["instructions_are"] == "estimated"
    assert found["milliseconds"] == pytest.approx(found["computing_ms"] + found["flash_ms"], abs=0.01)
    assert found["instructions"] == sum(layer["estimated_instructions"] for layer in compiled.report["layers"])
    assert len(found["layers_us"]) == len(compiled.report["layers"])
    assert found["psram_ms"] == 0


def test_layers_by_vectors() -> None:
    images = np.random.default_rng(8).random((4, 1, 28, 28), np.float32)
    quantise = QuantiseOptions([[image[None]] for image in images])
    found = {
        target: api.compile(MODEL, target=target, verify=False, quantise=quantise).report["code"]
        for target in ("esp32s3", "esp32")
    }
    assert found["esp32s3"]["vector_layers"] >= 14 > found["esp32s3"]["mac16_layers"]
    assert found["esp32"]["vector_layers"] == 0 < found["esp32"]["mac16_layers"]


def test_bench_has_the_time() -> None:
    need_simulator()
    document = json.loads(tinyc("bench", MODEL, "--on", "rv32imafc", "--json").stdout)
    assert document["time"]["instructions_are"] == "counted"
    assert document["time"]["clock_hz"] == find("esp32p4").clock_hz
    other = json.loads(tinyc("bench", MODEL, "--on", "rv32imafc", "--target", "esp32c3", "--json").stdout)
    assert other["time"] is None


def test_facts_of_every_chip(tmp_path: Path) -> None:
    for chip in builtin().values():
        if chip.isa != "host":
            assert min(chip.cycles_per_100_instructions, chip.cache_bytes, chip.flash_line_ns) > 0
            assert bool(chip.psram_bytes) == bool(chip.psram_line_ns)
    board = tmp_path / "board.toml"
    board.write_text('base = "esp32s3"\nname = "board"\ncache_line_bytes = 0\n')
    with pytest.raises(TargetError, match="cache_line_bytes is at least 1, not 0"):
        find(str(board))

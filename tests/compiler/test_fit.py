"""Whether networks fit on targets: what is counted where, what is refused, and what is said of floats."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import tinyc as tinyc_api
from benchmarks.networks import causal_tcn, mobilenet_v1, resnet8
from tests.compiler.test_cli import MODEL, refused, tinyc
from tinyc.backends.targets import Target, find
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering.fit import (
    CODE_BYTES,
    STACK_BYTES,
    FitError,
    Sizes,
    check_fit,
    demands,
    fits,
    internal_room,
    sizes,
)
from tinyc.compiler.options import Options, QuantiseOptions
from tinyc.compiler.session import Compilation, api

SMALL = Sizes(arena=1000, buffers=200, weights=3000, code=5000)
CHIP = dataclasses.replace(
    find("esp32s3"), name="chip", ram_bytes=100_000, static_bytes=60_000, psram_bytes=500_000, flash_bytes=200_000
)
CHIP = dataclasses.replace(CHIP, system_bytes=0, system_static_bytes=0)


def message(needed: Sizes, options: Options | None = None, target: Target = CHIP) -> str:
    with pytest.raises(FitError) as caught:
        check_fit(target, needed, options or Options())
    return str(caught.value)


def test_what_goes_where() -> None:
    def amounts(**placed: str) -> dict[str, int]:
        return {d.memory.split()[0]: d.bytes for d in demands(CHIP, SMALL, Options(**placed))}

    rest = 200 + STACK_BYTES
    assert amounts() == {"static": 1000, "internal": 1000 + rest, "flash": 8000}
    assert amounts(weights_in="internal") == {"static": 4000, "internal": 4000 + rest, "flash": 8000}
    assert amounts(arena_in="psram") == {"static": 0, "internal": rest, "flash": 8000, "PSRAM": 1000}
    assert amounts(arena_in="psram", weights_in="psram")["PSRAM"] == 4000


def test_each_core_has_a_stack() -> None:
    one, two = ({d.memory: d.bytes for d in demands(CHIP, SMALL, Options(cores=n))} for n in (1, 2))
    assert two["internal RAM (ram_bytes)"] - one["internal RAM (ram_bytes)"] == STACK_BYTES


def test_no_limits_on_a_computer() -> None:
    huge = Sizes(arena=10**12, buffers=10**12, weights=10**12, code=10**12, float_macs=10**12, floats=True)
    assert check_fit(find("host"), huge, Options()) == ()


def test_limits_are_exact() -> None:
    assert check_fit(CHIP, dataclasses.replace(SMALL, arena=60_000), Options()) == ()
    assert "arena 60,001 bytes, 1 more than the 60,000 bytes of static memory" in message(
        dataclasses.replace(SMALL, arena=60_001)
    )
    room = 100_000 - STACK_BYTES
    check_fit(CHIP, dataclasses.replace(SMALL, buffers=room - 1000), Options())
    text = message(dataclasses.replace(SMALL, buffers=room - 999))
    assert f"arena 1,000 + inputs and outputs {room - 999:,} + stack 4,096 = 100,001 bytes, 1 more than" in text
    assert "internal RAM (ram_bytes)" in text
    check_fit(CHIP, dataclasses.replace(SMALL, weights=195_000), Options())
    text = message(dataclasses.replace(SMALL, weights=195_001))
    assert "weights 195,001 + code, about 5,000 = 200,001 bytes, 1 more than the 200,000 bytes of flash" in text


def test_what_would_help_is_what_fits() -> None:
    large = dataclasses.replace(SMALL, arena=80_000, floats=True)
    text = message(large, Options(ram=90_000, rows_from="argument"))
    assert "of about 20,000 bytes, weights of about 750: not tried" in text
    assert "`arena_in=psram`" in text
    # A fourth of it is too much as well, and so is the arena for PSRAM.
    text = message(dataclasses.replace(large, arena=600_000))
    assert text.endswith("Only a smaller network would help.")
    without = dataclasses.replace(CHIP, psram_bytes=0)
    text = message(dataclasses.replace(large, floats=False), Options(rows_from="callback"), without)
    assert text.endswith("Only a smaller network would help.")
    text = message(dataclasses.replace(SMALL, weights=70_000), Options(weights_in="internal"))
    assert "arena 1,000 + weights 70,000 = 71,000 bytes" in text
    assert "`weights_in=flash` (70,000 bytes less)" in text
    assert "`weights_in=flash`" not in message(
        dataclasses.replace(large, weights=70_000), Options(weights_in="internal")
    )
    text = message(dataclasses.replace(SMALL, arena=600_000), Options(arena_in="psram"))
    assert "arena 600,000 bytes, 100,000 more than the 500,000 bytes of PSRAM" in text
    assert "`arena_in=psram`" not in text
    assert "weights of about 75,000: not tried" in message(dataclasses.replace(SMALL, weights=300_000, floats=True))
    with pytest.raises(FitError, match="What would help: mine; `q"):
        check_fit(CHIP, large, Options(), lambda: ["mine"])


def test_what_the_system_takes_is_taken_off() -> None:
    chip = dataclasses.replace(CHIP, system_bytes=30_000, system_static_bytes=10_000)
    room = 50_000
    check_fit(chip, dataclasses.replace(SMALL, arena=room), Options())
    over = dataclasses.replace(SMALL, arena=room + 1)
    assert "arena 50,001 + system 10,000 = 60,001 bytes, 1 more than" in message(over, target=chip)
    for taken, most in ((0, 60_000), (4_000, 56_000), ("10K", 50_000), (20_000, 50_000)):
        options = Options(system_ram=taken)
        assert check_fit(chip, dataclasses.replace(SMALL, arena=most), options) is not None
        assert not fits(chip, dataclasses.replace(SMALL, arena=most + 1), options)
    assert internal_room(chip, SMALL, Options()) == 50_000
    everything = dataclasses.replace(SMALL, buffers=70_000)
    assert internal_room(chip, everything, Options()) == 100_000 - 70_000 - STACK_BYTES - 30_000


def test_a_system_that_leaves_nothing_is_said() -> None:
    chip = dataclasses.replace(CHIP, system_bytes=30_000, system_static_bytes=10_000)
    text = message(SMALL, Options(system_ram=chip.ram_bytes), target=chip)
    assert "`system_ram` takes 100,000 bytes, which leaves nothing of the 100,000 bytes of internal RAM" in text
    assert "Without `system_ram` it is 30,000" in text
    assert "smaller network" not in text


@pytest.mark.parametrize("name", ["esp32", "esp32s2", "esp32s3", "esp32c3", "esp32c6", "esp32h2", "esp32p4"])
def test_what_espressif_s_system_takes(name: str) -> None:
    chip = find(name)
    assert 0 < chip.system_bytes < chip.ram_bytes // 3
    assert chip.system_static_bytes <= chip.system_bytes


def test_a_budget_is_met_by_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each suggestion is taken, and has the arena that it promised."""
    onnx.save(mobilenet_v1(0.25, 96, classes=5), tmp_path / "m.onnx")
    monkeypatch.setattr("tinyc.compiler.lowering.trials.SECONDS", 60.0)
    given: dict[str, Any] = {"verify": False, "ram": "60K", "rows_from": "argument"}
    with pytest.raises(tinyc_api.TinycError) as caught:
        api.compile(tmp_path / "m.onnx", **given)
    found = re.findall(r"`(\w+)=(\w+)` \(([\d,]+) bytes\)", str(caught.value))
    assert {name for name, *_ in found} >= {"rows_from"}
    for name, value, size in found:
        made = api.compile(tmp_path / "m.onnx", **given | {name: value})
        assert made.source.arena_bytes == int(size.replace(",", "")) <= 60 << 10
    assert "`rows_from=arena`" not in str(caught.value), "it does not fit"
    with pytest.raises(tinyc_api.TinycError, match="`rows_from=callback` and `quantise=QuantiseOptions"):
        api.compile(tmp_path / "m.onnx", verify=False, ram="20K")
    with pytest.raises(tinyc_api.TinycError, match="Only a smaller network or image would help"):
        api.compile(tmp_path / "m.onnx", verify=False, ram=100)


def test_a_board_with_psram_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.compiler.lowering.trials.SECONDS", 60.0)
    text = r"on a board with PSRAM, `ram=4096\+33554432` \((\d,\d+) bytes and ([\d,]+) of PSRAM\)"
    with pytest.raises(tinyc_api.TinycError, match=text) as caught:
        api.compile(MODEL, verify=False, ram="4K", target="esp32s3")
    found = re.search(text, str(caught.value))
    assert found is not None
    made = api.compile(MODEL, verify=False, ram="4096+33554432", target="esp32s3")
    assert made.source.arena_bytes <= 4096
    assert made.source.psram_bytes == int(found[2].replace(",", ""))


def test_trials_end_in_time() -> None:
    made = api.compile(MODEL, verify=False)
    trials = made.lowered.trials
    assert trials is not None
    changes = list(trials.changes())
    assert changes
    assert list(trials.within(changes, 0.0)) == []
    slow = dataclasses.replace(trials, seconds=10.0)
    assert list(slow.within(changes, 2.0)) == []


@pytest.mark.parametrize(
    ("network", "layout"),
    [(lambda: mobilenet_v1(0.25, 96, classes=5), "nhwc"), (resnet8, "nhwc"), (lambda: causal_tcn(64, (1, 2)), "nlc")],
)
def test_other_arenas_are_near_what_comes_of_them(
    network: Callable[[], onnx.ModelProto], layout: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(network(), path)
    first = api.compile(path, verify=False)
    others = first.report["ram"]["other_arena_bytes"]
    assert set(others) == {"rows_from=callback", f"input_layout={layout}", "rows_from=argument"}
    for option, size in others.items():
        name, _, value = option.partition("=")
        arena = api.compile(path, verify=False, **{name: value}).source.arena_bytes
        # Rings with a row less are not in it.
        assert 0.8 * size <= arena <= 1.05 * size, option


def test_little_room_for_the_rest_is_said() -> None:
    assert check_fit(CHIP, dataclasses.replace(SMALL, arena=59_000, buffers=11_000), Options()) == ()
    (note,) = check_fit(CHIP, dataclasses.replace(SMALL, arena=59_000, buffers=15_000), Options())
    assert "= 78,096 bytes leave 21,904 bytes of chip's internal RAM" in note
    chip = dataclasses.replace(CHIP, flash_bytes=4 << 20)
    (note,) = check_fit(chip, dataclasses.replace(SMALL, weights=1 << 20), Options())
    assert "partition" in note
    assert (
        check_fit(dataclasses.replace(chip, idf_target=""), dataclasses.replace(SMALL, weights=1 << 20), Options())
        == ()
    )


def test_floats_without_a_unit_are_slow() -> None:
    floats = dataclasses.replace(SMALL, float_macs=10_000_000, floats=True)
    for name in ("esp32s2", "esp32c3", "esp32c6", "esp32h2"):
        (note,) = check_fit(find(name), floats, Options())
        for word in (
            name,
            "no floating-point unit",
            "10,000,000",
            "179",
            "1,790 million",
            "`quantise=QuantiseOptions(...)`",
        ):
            assert word in note
    assert "of the order of 10 s" in check_fit(find("esp32c3"), floats, Options())[0]
    assert (
        "of the order of 0.01 s"
        in check_fit(find("esp32c3"), dataclasses.replace(floats, float_macs=10_000), Options())[0]
    )
    for name in ("esp32", "esp32s3", "esp32p4", "host"):
        assert check_fit(find(name), floats, Options()) == ()
    assert check_fit(find("esp32c3"), SMALL, Options()) == ()


@pytest.fixture(scope="module")
def float_network() -> Compilation:
    return api.compile(MODEL, verify=False, target="esp32c3", rows_from="argument")


def test_sizes_are_those_of_the_network(float_network: Compilation) -> None:
    found = sizes(float_network.program, float_network.source)
    assert found == Sizes(
        arena=float_network.source.arena_bytes,
        buffers=4 * (28 * 28 + 10),
        weights=float_network.source.weights_bytes,
        code=CODE_BYTES * len(float_network.source.stages),
        float_macs=452_216,
        floats=True,
    )
    (note,) = float_network.notes
    assert "452,216" in note
    assert "of the order of 0.5 s" in note


def test_inputs_in_the_arena_are_counted_once() -> None:
    compiled = api.compile(MODEL, verify=False)
    assert sizes(compiled.program, compiled.source).buffers == 40


def test_an_int8_network_is_not_slow() -> None:
    rng = np.random.default_rng(4)
    data = Calibration([[rng.random((1, 1, 28, 28), np.float32)] for _ in range(2)])
    options = QuantiseOptions(calibration=data, input_type="int8", output_type="int8")
    compiled = api.compile(MODEL, verify=False, target="esp32h2", quantise=options)
    assert sizes(compiled.program, compiled.source).float_macs == 0
    assert compiled.notes == ()


def test_floats_that_were_asked_for_are_no_reason_to_quantise_again(tmp_path: Path) -> None:
    """On a target that has no room for them, nor within a budget."""
    small = tmp_path / "small.toml"
    limits = "ram_bytes = 20000\nstatic_bytes = 9000\nsystem_bytes = 1000\nsystem_static_bytes = 1000\n"
    small.write_text(f'base = "esp32c3"\nname = "small"\n{limits}')
    onnx.save(mobilenet_v1(0.25, 32, classes=5), tmp_path / "m.onnx")
    samples = [[x] for x in np.random.default_rng(0).normal(size=(2, 1, 3, 32, 32)).astype(np.float32)]
    chosen = QuantiseOptions(samples, input_type="float32")
    for options, match in (({"target": str(small)}, "does not fit on small"), ({"ram": "8K"}, "the smallest arena is")):
        with pytest.raises(tinyc_api.TinycError, match=match) as caught:
            api.compile(tmp_path / "m.onnx", verify=False, quantise=chosen, **options)
        assert "QuantiseOptions" not in str(caught.value)


def test_a_model_that_cannot_fit_is_refused_and_nothing_written(tmp_path: Path) -> None:
    board = tmp_path / "tiny.toml"
    board.write_text('base = "esp32c3"\nname = "tiny"\nram_bytes = 40_000\nstatic_bytes = 8_000\n')
    result = tinyc("compile", MODEL, "--target", board, "-o", tmp_path / "out", "--no-verify")
    refused(result, "does not fit on tiny", "static_bytes", "8,000", "What would help: --quantize int8")
    assert not (tmp_path / "out").exists()


def test_the_terminal_says_it(tmp_path: Path) -> None:
    result = tinyc("compile", MODEL, "--target", "esp32c6", "-o", tmp_path / "out", "--no-verify")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "not verified" in text
    assert "esp32c6 has no floating-point unit" in text


def test_targets_as_json_have_all_keys() -> None:
    found = json.loads(tinyc("targets", "--json").stdout)
    keys = {f.name for f in dataclasses.fields(Target)}
    assert all(set(t) == keys for t in found)
    shown = tinyc("targets").stdout
    for word in ("esp32p4", "rv32imafc", "320 KB", "160 KB", "cores", "FPU"):
        assert word in shown

"""Whether networks fit on targets: what is counted where, what is refused, and what is said of floats."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.compiler.test_cli import MODEL, refused, tinyc
from tinyc.backends.targets import Target, find
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.lowering.fit import CODE_BYTES, STACK_BYTES, FitError, Sizes, check_fit, demands, sizes
from tinyc.compiler.options import Options, QuantiseOptions
from tinyc.compiler.session import Compilation, api

SMALL = Sizes(arena=1000, buffers=200, weights=3000, code=5000)
CHIP = dataclasses.replace(
    find("esp32s3"), name="chip", ram_bytes=100_000, static_bytes=60_000, psram_bytes=500_000, flash_bytes=200_000
)


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


def test_what_would_help_is_what_is_possible() -> None:
    large = dataclasses.replace(SMALL, arena=80_000, floats=True)
    text = message(large, Options(ram=90_000, rows_from="argument"))
    assert "chip" in text
    for word in ("smaller `ram` than 90,000", "`rows_from=callback`", "of about 20,000 bytes", "`arena_in=psram`"):
        assert word in text
    # Inputs in memory of the caller are not static here: moving them into the arena would not help.
    assert "`rows_from=arena`" not in text
    many = dataclasses.replace(large, arena=50_000, buffers=60_000)
    assert "`rows_from=arena`" in message(many, Options(rows_from="argument"))
    without = dataclasses.replace(CHIP, psram_bytes=0)
    text = message(dataclasses.replace(large, floats=False), Options(rows_from="callback"), without)
    assert text.endswith("Only a smaller network would help.")
    text = message(dataclasses.replace(SMALL, weights=70_000), Options(weights_in="internal"))
    assert "arena 1,000 + weights 70,000 = 71,000 bytes" in text
    assert "`weights_in=flash` (70,000 bytes less)" in text
    text = message(dataclasses.replace(SMALL, arena=600_000), Options(arena_in="psram"))
    assert "arena 600,000 bytes, 100,000 more than the 500,000 bytes of PSRAM" in text
    assert "`arena_in=psram`" not in text
    assert "`quantise=QuantiseOptions(...)` (weights of about 75,000 bytes)" in message(
        dataclasses.replace(SMALL, weights=300_000, floats=True)
    )


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


def test_a_model_that_cannot_fit_is_refused_and_nothing_written(tmp_path: Path) -> None:
    board = tmp_path / "tiny.toml"
    board.write_text('base = "esp32c3"\nname = "tiny"\nram_bytes = 40_000\nstatic_bytes = 8_000\n')
    result = tinyc("compile", MODEL, "--target", board, "-o", tmp_path / "out", "--no-verify")
    refused(result, "does not fit on tiny", "static_bytes", "8,000", "--quantize int8", "--rows-from callback")
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

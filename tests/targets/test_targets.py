"""Target files: what comes with tinyc, what a user's file may say, and what each wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyc.backends.runners import RUNNERS
from tinyc.backends.targets import ISAS, Target, TargetError, builtin, find, on_machine
from tinyc.backends.targets.rules import SIMULATED
from tinyc.compiler.lowering.tuning import tuning_of

KIB = 1024
BOARD = """
name = "board"
description = "A board"
isa = "xtensa-lx7"
fpu = true
alignment = 16
package = "idf"
idf_target = "esp32s3"
ram_bytes = 300_000
static_bytes = 200_000
flash_bytes = 4_000_000
"""


def written(folder: Path, text: str) -> str:
    path = folder / "my_board.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_targets() -> None:
    family = ["esp32", "esp32c3", "esp32c6", "esp32h2", "esp32p4", "esp32s2", "esp32s3"]
    assert list(builtin()) == [*family, "host"]
    for name in family:
        chip = find(name)
        assert chip.name == chip.idf_target == name
        assert chip.package == "idf"
        assert 0 < chip.static_bytes <= chip.ram_bytes
        assert chip.flash_bytes
        assert chip.clock_hz
        assert chip.alignment == 16
    assert {c.name for c in builtin().values() if not c.fpu} == {"esp32s2", "esp32c3", "esp32c6", "esp32h2"}
    assert {c.name for c in builtin().values() if c.fma} == {"esp32", "esp32s3", "esp32p4"}
    assert {c.name: c.float_registers for c in builtin().values() if c.isa == "rv32imafc"} == {"esp32p4": 32}
    assert all(bool(c.float_registers) == c.fpu for c in builtin().values())
    assert {c.name for c in builtin().values() if c.cores == 2} == {"esp32", "esp32s3", "esp32p4", "host"}
    assert {c.name: c.simd for c in builtin().values() if c.simd} == {"esp32s3": "esp32s3", "esp32p4": "esp32p4"}
    assert {c.name for c in builtin().values() if c.psram_bytes} == {"esp32", "esp32s2", "esp32s3", "esp32p4"}
    host = find("host")
    assert (host.package, host.ram_bytes, host.static_bytes, host.flash_bytes) == ("c", 0, 0, 0)


def test_the_classic_chip_allocates_half_of_its_memory_statically() -> None:
    esp32 = find("esp32")
    assert (esp32.ram_bytes, esp32.static_bytes) == (320 * KIB, 160 * KIB)


def test_a_simulator_is_a_runner_of_that_instruction_set() -> None:
    assert set(SIMULATED) <= set(RUNNERS)
    assert set(SIMULATED.values()) <= set(ISAS)
    assert {t.name: t.simulator for t in builtin().values() if t.simulator} == {
        "esp32": "esp32",
        "esp32s3": "esp32s3",
        "esp32c3": "rv32imc",
        "esp32c6": "rv32imac",
        "esp32h2": "rv32imac",
        "esp32p4": "rv32imafc",
        "host": "host",
    }


def test_libraries() -> None:
    assert find("esp32").supports("esp-nn")
    assert not find("esp32").supports("cmsis-nn")


def test_a_file_of_the_users(tmp_path: Path) -> None:
    board = find(written(tmp_path, BOARD + 'kernels = ["esp-nn"]\ncores = 2\n'))
    assert board == Target(
        name="board",
        description="A board",
        isa="xtensa-lx7",
        fpu=True,
        alignment=16,
        package="idf",
        idf_target="esp32s3",
        ram_bytes=300_000,
        static_bytes=200_000,
        flash_bytes=4_000_000,
        kernels=("esp-nn",),
        cores=2,
    )
    assert board.supports("esp-nn")
    assert not board.supports("esp-dsp")
    assert board.as_dict["kernels"] == ["esp-nn"]


def test_a_base_gives_what_the_file_does_not(tmp_path: Path) -> None:
    text = 'base = "esp32s3"\nname = "camera"\npsram_bytes = 8_388_608\nkernels = []\n'
    board, chip = find(written(tmp_path, text)), find("esp32s3")
    assert (board.name, board.psram_bytes, board.kernels) == ("camera", 8 << 20, ())
    assert (board.isa, board.ram_bytes, board.idf_target) == (chip.isa, chip.ram_bytes, chip.idf_target)


def test_tiles_follow_registers(tmp_path: Path) -> None:
    tiles = {t.name: (t.tile, t.paired_tile) for t in builtin().values()}
    windows = {"esp32", "esp32s2", "esp32s3"}
    assert {name: tile for name, tile in tiles.items() if name not in windows} == {
        name: (4, 3) for name in builtin() if name not in windows
    }
    assert {tiles[name] for name in windows} == {(2, 1)}
    board = find(written(tmp_path, 'base = "esp32c3"\nname = "few"\ntile = 1\npaired_tile = 0\n'))
    tuning = tuning_of("speed", board)
    assert (tuning.optimize, tuning.tile, tuning.paired_tile, tuning.pairs) == ("speed", 1, 0, False)
    assert tuning_of("balanced", find("esp32c3")).pairs
    assert not tuning_of("size", find("esp32c3")).pairs


@pytest.mark.parametrize("key", ["fma = true", "float_registers = 32"])
def test_floats_in_software_have_no_instructions(key: str, tmp_path: Path) -> None:
    text = f'base = "esp32c3"\nname = "soft"\n{key}\n'
    with pytest.raises(TargetError, match=rf"{key.replace(' = ', ' is ')}, but fpu is false"):
        find(written(tmp_path, text))


def test_any_computer_is_taken_for_the_machine_that_is_simulated() -> None:
    host = find("host")
    assert not host.fma
    on = {name: on_machine(host, name) for name in ("", "rv32imc", "rv32imafc", "esp32", "xtensa-lx106")}
    assert on[""] == on["xtensa-lx106"] == host
    assert (on["rv32imafc"].fma, on["rv32imafc"].float_registers) == (True, 32)
    assert (on["rv32imc"].fpu, on["rv32imc"].fma, on["rv32imc"].float_registers) == (False, False, 0)
    assert (on["rv32imafc"].name, on["rv32imafc"].ram_bytes) == ("host", 0)
    assert (on["rv32imc"].tile, on["rv32imc"].paired_tile) == (host.tile, host.paired_tile)
    assert (on["esp32"].fma, on["esp32"].float_registers, on["esp32"].tile) == (True, 16, find("esp32").tile)
    assert (on["esp32"].mac16, on["esp32"].pie) == (True, False)
    assert on_machine(host, "esp32s3").pie
    assert on_machine(find("esp32"), "rv32imafc") == find("esp32")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("psram = 4", ["unknown key(s) psram (line 12); the keys are", "psram_bytes", "base"]),
        ("[wifi]", ["unknown key(s) wifi (line 12); the keys are"]),
        ('cores = "2"', ["cores", "type int", "'2'"]),
        ("cores = true", ["cores", "type int", "True"]),
        ("cores = 0", ["cores is at least 1, not 0"]),
        ("float_registers = -1", ["float_registers is at least 0, not -1"]),
        ('fma = "no"', ["fma takes a value of type bool, not 'no'"]),
        ("tile = 0", ["tile is 1 to 4, not 0"]),
        ("tile = 5", ["tile is 1 to 4, not 5"]),
        ("tile = true", ["tile takes a value of type int, not True"]),
        ("paired_tile = -1", ["paired_tile is 0 to 4, not -1"]),
        ("paired_tile = 5", ["paired_tile is 0 to 4, not 5"]),
        ('paired_tile = "no"', ["paired_tile takes a value of type int, not 'no'"]),
        ("clock_hz = 1.5", ["clock_hz", "type int"]),
        ("psram_bytes = -1", ["psram_bytes is at least 0, not -1"]),
        ("ram_bytes = -5", ["ram_bytes is at least 0, not -5"]),
        ("flash_bytes = 0", ["flash_bytes is missing or 0", "host"]),
        ("static_bytes = 300_001", ["static_bytes is no more than ram_bytes (300000), not 300001"]),
        ("alignment = 24", ["alignment is a power of two", "24"]),
        ("alignment = 2", ["alignment", "at least 4", "2"]),
        ("alignment = 0", ["alignment", "not 0"]),
        ('isa = "avr"', ["isa is one of", "'avr'", *ISAS]),
        ('package = "deb"', ["package is one of", "'deb'", '"idf"', '"c"']),
        ('simd = "neon"', ["simd is one of", "'neon'", '"esp32s3"']),
        ('simulator = "bochs"', ["simulator is one of", "'bochs'", '"rv32imc"']),
        ('kernels = "esp-nn"', ["kernels takes a list of texts", "'esp-nn'"]),
        ("kernels = [1]", ["kernels takes a list of texts"]),
        ('kernels = ["cmsis-nn"]', ["kernels has some of", "'cmsis-nn'", '"esp-nn"', '"esp-dsp"']),
        ('simd = "esp32p4"', ["simd 'esp32p4' goes with isa 'rv32imafc', not 'xtensa-lx7'"]),
        ('simulator = "rv32imc"', ["simulator 'rv32imc' does not have isa 'xtensa-lx7'"]),
        ('isa = "rv32imc"', ["fpu is false for isa 'rv32imc', not true"]),
        ('idf_target = ""', ["idf_target is missing", "esp32s3"]),
        ('name = " "', ["name is empty"]),
        ('fpu = "yes"', ["fpu takes a value of type bool, not 'yes'"]),
        ("description = 1", ["description takes a value of type str, not 1"]),
        ('base = "esp8266"', ["base is one of", "esp32s3", "'esp8266'"]),
        ("base = 3", ["base is one of", "not 3"]),
    ],
)
def test_wrong_files_are_refused_by_key(change: str, words: list[str], tmp_path: Path) -> None:
    key = change.partition(" ")[0]
    kept = [line for line in BOARD.splitlines() if not line.startswith(f"{key} ")]
    path = written(tmp_path, "\n".join([*kept, change]))
    with pytest.raises(TargetError) as caught:
        find(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "key", ["name", "description", "isa", "fpu", "alignment", "package", "ram_bytes", "static_bytes"]
)
def test_missing_keys_are_named(key: str, tmp_path: Path) -> None:
    kept = [line for line in BOARD.splitlines() if not line.startswith(f"{key} ")]
    with pytest.raises(TargetError, match=rf"\b{key}\b") as caught:
        find(written(tmp_path, "\n".join(kept)))
    assert "missing" in str(caught.value)


def test_a_board_has_a_name_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"missing key\(s\) name$"):
        find(written(tmp_path, 'base = "esp32"\n'))


def test_what_is_no_file_of_targets(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="not valid TOML"):
        find(written(tmp_path, "name = "))
    with pytest.raises(TargetError, match=r"cannot read the target file .*No such file"):
        find(str(tmp_path / "none.toml"))
    with pytest.raises(TargetError, match=r"unknown target 'esp33'; the targets are esp32, .*\.toml"):
        find("esp33")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TargetError, match="cannot read the target file"):
        find(str(tmp_path / "binary.toml"))

"""The memories of arrays: where the linker finds them, what a build is told that cannot place them, and refusals."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.packages.support import STUBS, model, need_riscv, packed, riscv
from tinyc.backends.c import CSource, Sections
from tinyc.backends.packages import FORMATS, PackageError, check_libraries, choose
from tinyc.backends.targets import find
from tinyc.compiler.cli import app
from tinyc.compiler.session import Compilation

ALLOWED = "CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY=1"


def sections(compiled: Compilation, defines: list[str], to: Path) -> dict[str, str]:
    """The sections of the arena, as the header's macro defines it, and of the constants, compiled for a chip."""
    need_riscv()
    for name, text in compiled.source.files.items():
        (to / name).write_text(text, encoding="ascii")
    (to / "user.c").write_text('#include "small.h"\nSMALL_ARENA(arena);\nvoid *user(void) { return arena; }\n')
    riscv("c", [to / "user.c", to / "small_weights.c"], [to, STUBS], defines, to)
    found = {}
    for file, symbols in {"user.o": ("arena",), "small_weights.o": ("small_dense_w", "small_stem")}.items():
        table = subprocess.run(
            ["riscv64-unknown-elf-objdump", "-t", str(to / file)], capture_output=True, text=True, check=True
        ).stdout
        for line in table.splitlines():
            # value, flags (O: an object), section, size, name
            match = re.fullmatch(r"[0-9a-f]+ .{6}O (\S+)\s+[0-9a-f]+ (\S+)", line)
            if match and match[2].startswith(symbols):
                found.setdefault(file.removesuffix(".o"), set()).add(match[1].rstrip("0123456789"))
    return {file: " ".join(sorted(names)) for file, names in found.items()}


ESP = ["ESP_PLATFORM=1"]
USUAL = {"user": ".bss", "small_weights": ".rodata"}


@pytest.mark.parametrize(
    ("form", "arena_in", "weights_in", "defines", "arena", "weights"),
    [
        ("c", "internal", "flash", ESP, ".bss", ".rodata"),
        ("c", "psram", "internal", [*ESP, ALLOWED], ".ext_ram.bss.", ".dram1."),
        # The same C on a computer, where there are no such sections.
        ("c", "psram", "internal", [], ".bss", ".rodata"),
        ("arduino", "internal", "internal", ESP, ".bss", ".dram1."),
        # With ESP-IDF the configuration decides, whatever the options of tinyc were.
        ("idf", "psram", "internal", ESP, ".bss", ".rodata"),
        ("idf", "internal", "flash", [*ESP, ALLOWED, "CONFIG_SMALL_ARENA_IN_PSRAM=1"], ".ext_ram.bss.", ".rodata"),
        ("idf", "internal", "flash", [*ESP, "CONFIG_SMALL_WEIGHTS_IN_INTERNAL=1"], ".bss", ".dram1."),
        # A build's own attributes stand above all.
        ("c", "internal", "flash", ['SMALL_ARENA_ATTR=__attribute__((section(".mine")))'], ".mine", ".rodata"),
        ("c", "psram", "flash", [*ESP, "SMALL_ARENA_ATTR="], ".bss", ".rodata"),
        ("c", "internal", "flash", ['SMALL_WEIGHTS_ATTR=__attribute__((section(".own")))'], ".bss", ".own"),
    ],
)
def test_arrays_lie_where_they_were_asked_to(
    form: str, arena_in: str, weights_in: str, defines: list[str], arena: str, weights: str, tmp_path: Path
) -> None:
    compiled = packed("arena", form, arena_in=arena_in, weights_in=weights_in)
    found = sections(compiled, defines, tmp_path)
    assert found["user"].startswith(arena)
    assert all(name.startswith(weights) for name in found["small_weights"].split())


@pytest.mark.parametrize(("form", "chosen"), [("c", []), ("idf", ["CONFIG_SMALL_ARENA_IN_PSRAM=1"])])
def test_a_build_without_psram_is_told_what_it_lacks(form: str, chosen: list[str], tmp_path: Path) -> None:
    compiled = packed("arena", form, arena_in="psram")
    with pytest.raises(AssertionError, match="the arena is to lie in PSRAM: set CONFIG_SPIRAM=y and CONFIG_SPIRAM_ALL"):
        sections(compiled, [*ESP, *chosen], tmp_path)


def test_the_alignment_and_size_of_the_macro(tmp_path: Path) -> None:
    need_riscv()
    compiled = packed("arena", "c")
    (tmp_path / "small.h").write_text(compiled.source.files["small.h"])
    check = '_Static_assert(sizeof arena == SMALL_ARENA_BYTES && _Alignof(arena) == SMALL_ARENA_ALIGN, "");'
    (tmp_path / "user.c").write_text(
        f'#include "small.h"\nSMALL_ARENA(arena);\n{check}\nvoid *u(void) {{ return arena; }}\n'
    )
    riscv("c", [tmp_path / "user.c"], [tmp_path], [], tmp_path)
    assert compiled.source.arena_bytes > 0


def test_no_macro_where_it_would_be_wrong() -> None:
    assert "SMALL_ARENA(" not in packed("no-arena", "idf", arena_in="psram").source.files["small.h"]
    allocated = packed("arena", "arduino", arena_in="psram").source.files["small.h"]
    assert "SMALL_ARENA(" not in allocated
    assert "heap_caps_aligned_alloc(SMALL_ARENA_ALIGN, SMALL_ARENA_BYTES, MALLOC_CAP_SPIRAM)" in allocated


BOTH = {"arena": "2K+64K", "rows": "1K+64K", "int8": "600+8K"}
"""Memories of two kinds, neither of which is enough alone."""


@pytest.mark.parametrize("case", BOTH)
@pytest.mark.parametrize("form", FORMATS)
def test_an_arena_in_each_memory(form: str, case: str, tmp_path: Path) -> None:
    need_riscv()
    compiled = packed(case, form, ram=BOTH[case])
    assert compiled.source.arena_bytes
    assert compiled.source.psram_bytes
    header, files = compiled.source.files["small.h"], compiled.files
    assert "void *arena, void *psram" in header
    for path, text in files.items():
        if Path(path).name in ("main.c", "main.cpp", "small_example.ino"):
            assert re.search(r"small_run\(arena, psram, ", text), path
            assert "SMALL_ARENA(arena);" in text
            assert ("SMALL_PSRAM(psram);" in text) == (form == "idf"), path
    if form == "idf":
        assert all("CONFIG_SPIRAM=y" in text for path, text in files.items() if path.endswith("sdkconfig.defaults"))
        assert "ARENA_MEMORY" not in files["Kconfig"]
    for name, text in compiled.source.files.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    allocated = form in ("arduino", "platformio")
    expression = "heap_caps_aligned_alloc(SMALL_ARENA_ALIGN, SMALL_PSRAM_BYTES, MALLOC_CAP_SPIRAM)"
    assert (expression in header) == allocated
    if not allocated:
        (tmp_path / "user.c").write_text(
            '#include "small.h"\nSMALL_ARENA(arena);\nSMALL_PSRAM(psram);\n'
            "void *user(int k) { return k ? (void *)arena : (void *)psram; }\n"
        )
        riscv("c", [tmp_path / "user.c"], [tmp_path, STUBS], [*ESP, ALLOWED], tmp_path)
        table = subprocess.run(
            ["riscv64-unknown-elf-objdump", "-t", str(tmp_path / "user.o")], capture_output=True, text=True, check=True
        ).stdout
        found = dict(re.findall(r" O (\S+)\s+[0-9a-f]+ (arena|psram)", table))
        assert {name: section[:6] for section, name in found.items()} == {"arena": ".bss", "psram": ".ext_r"}


def test_memories_that_are_there_and_not_needed() -> None:
    compiled = packed("arena", "idf", ram="64K+1M")
    assert compiled.source.psram_bytes == 0
    assert not any("SPIRAM" in text for path, text in compiled.files.items() if not path.endswith((".h", "Kconfig")))


def test_plain_c_stays_plain() -> None:
    for name, text in packed("arena", "c", target="host").source.files.items():
        assert "ESP_PLATFORM" not in text or "hooks" in name, name


def refused(out: Path, *options: str) -> str:
    """The message of a compilation that is refused: status 2, and nothing written."""
    name = [] if "--name" in options else ["--name", "small"]
    command = ["compile", str(model(3, 1, 1)), "--no-verify", "-o", str(out), *name, *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, result.output
    assert not out.exists()
    return " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--format wheel", "--format takes one of 'c', 'idf', 'arduino', 'platformio'"),
        ("--format idf", "--format idf is for chips of the ESP32 family, and target host is none"),
        ("--format arduino --target host", "--format arduino is for chips of the ESP32 family"),
        ("--format platformio", "take --format c, whose files any C compiler takes"),
        ("--target esp32 --arena-in flash", "--arena-in takes one of 'internal', 'psram', not 'flash'"),
        ("--target esp32 --weights-in rtc", "--weights-in takes flash or internal, not 'rtc'"),
        (
            "--target esp32s3 --weights-in psram",
            "--weights-in psram is not possible: nothing loads constants into PSRAM",
        ),
        ("--target esp32c3 --arena-in psram", "--arena-in psram: target esp32c3 has no PSRAM (psram_bytes = 0)"),
        ("--arena-in psram", "--arena-in psram: target host has no PSRAM"),
        ("--target esp32c3 --ram 1K+1M", "--ram of two memories: target esp32c3 has no PSRAM (psram_bytes = 0)"),
        ("--target esp32s3 --ram 1K+1M --arena-in psram", "--ram of two memories says itself what lies where"),
        ("--target esp32s3 --ram 1K+", "--ram of two memories has a number on both sides of the +"),
        ("--target esp32s3 --ram 1K+100", "external has 100 bytes and would need"),
        (
            "--weights-in internal",
            "--weights-in internal: the sections of the ESP32 family are known, those of target host",
        ),
        ("--name math", "a network cannot be called math: its header math.h would stand before another of that name"),
        ("--name Arduino --target esp32 --format arduino", "a network cannot be called Arduino"),
        ("--name esp_timer --target esp32", "a network cannot be called esp_timer"),
        (
            f"--target esp32 --format arduino --name {'n' * 64}",
            "has 64 characters, and the name of an Arduino library at",
        ),
    ],
)
def test_refusals(options: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path / "out", *options.split())


def test_psram_of_a_board_that_is_no_esp32_is_refused() -> None:
    other = dataclasses.replace(find("host"), name="mine", psram_bytes=1 << 20)
    with pytest.raises(PackageError, match=r"those of target mine are not\. Define <NAME>_ARENA_ATTR"):
        choose(other, "small", arena_in="psram")


def test_a_long_name_is_fine_elsewhere() -> None:
    for form in ("idf", "platformio"):
        assert choose(find("esp32"), "n" * 64, format=form).format == form


@pytest.mark.parametrize("form", FORMATS)
def test_kernel_libraries_come_with_esp_idf_only(form: str) -> None:
    source = dataclasses.replace(packed("arena", "idf").source, libraries=("esp-nn",))
    if form in ("arduino", "platformio"):
        with pytest.raises(
            PackageError, match=f"`format={form}` cannot bring esp-nn.*`kernels=generic`, or `format=idf`"
        ):
            check_libraries(form, source)
    else:
        check_libraries(form, source)


def test_a_component_depends_on_the_libraries_it_calls() -> None:
    plain = packed("arena", "idf")
    source = dataclasses.replace(plain.source, libraries=("esp-nn", "esp-dsp"))
    files = dataclasses.replace(plain, source=source).files
    assert 'espressif/esp-nn:\n    version: ">=1.2.6,<2.0.0"' in files["idf_component.yml"]
    assert 'espressif/esp-dsp:\n    version: "^1.8.2"' in files["idf_component.yml"]
    assert " PRIV_REQUIRES esp-nn esp-dsp)" in files["CMakeLists.txt"]
    assert "esp-nn" not in plain.files["idf_component.yml"]
    assert "REQUIRES" not in plain.files["CMakeLists.txt"]


def test_the_targets_own_form_is_taken() -> None:
    assert choose(find("host"), "small").format == "c"
    assert choose(find("esp32"), "small").format == "idf"
    assert choose(find("esp32"), "small", format="c").sections == Sections()
    assert isinstance(packed("arena", "").source, CSource)

"""Sources and examples of packages compile as they lie, without a warning, and print what the interpreter says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tinyc
from tests.c.support import need as need_build
from tests.packages.support import (
    CASES,
    DEVIATION,
    EACH,
    MEAN,
    STUBS,
    host_objects,
    host_program,
    need_riscv,
    packed,
    picture,
    riscv,
)
from tinyc.compiler.data.pixels import Normalise
from tinyc.compiler.lowering.quantised import as_integers
from tinyc.compiler.session import Compilation
from tinyc.ir.tensor import Array

FORMS = ("idf", "arduino", "platformio")
QUICK = {
    "arena": FORMS,
    "rows-int8": ("idf",),
    "argument": ("platformio",),
    "rows": ("arduino",),
    "no-arena": ("idf",),
    "given-beside": ("platformio",),
    "rows-int8-given": ("idf",),
}
"""Forms and cases that differ most; the others are slow together."""
PRINTED = {
    *(("arena", "arduino"), ("rows", "arduino"), ("rows-int8", "idf"), ("no-arena", "idf"), ("rows-int8-given", "idf"))
}
"""The same for what is run, which the sanitisers make slow to compile."""
VARIANTS = [
    pytest.param(case, form, memory, marks=() if form in QUICK.get(case, ()) else pytest.mark.slow)
    for case in CASES
    for form in FORMS
    for memory in (("internal", "psram") if case in ("argument", "arena", "no-arena") else ("internal",))
]
EXPECTED_EXAMPLES = {"idf": {"example"}, "arduino": {"example"}, "platformio": {"espidf", "arduino"}}
WITH_CAMERA = tuple(case for case in CASES if case.startswith("rows") and case != "rows-other")


def mains(folder: Path) -> dict[str, Path]:
    """The main files of the examples by the last word of the example's name."""
    found = [p for p in (folder / "examples").rglob("*") if p.name in ("main.c", "main.cpp") or p.suffix == ".ino"]
    return {p.relative_to(folder / "examples").parts[0].removeprefix("small_"): p for p in found}


def parts(folder: Path) -> tuple[list[Path], list[Path]]:
    """The sources of a library, and the folders of its headers."""
    includes = [p for p in (folder / "include", folder / "src") if p.is_dir()]
    return sorted((folder / "src").glob("*.c")), includes


@pytest.mark.parametrize(("case", "form", "arena_in"), VARIANTS)
def test_compiles_for_a_chip_as_it_lies(case: str, form: str, arena_in: str, tmp_path: Path) -> None:
    need_riscv()
    folder = packed(case, form, arena_in=arena_in).write(tmp_path / "package")
    sources, includes = parts(folder)
    defines = ["ESP_PLATFORM=1"]
    if arena_in == "psram" and form == "idf":
        defines += ["CONFIG_SMALL_ARENA_IN_PSRAM=1", "CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY=1"]
    riscv("c", sources, [*includes, STUBS], defines, tmp_path)
    public = includes[0]
    found = mains(folder)
    assert set(found) == EXPECTED_EXAMPLES[form] | ({"camera"} if case in WITH_CAMERA else set())
    for main in found.values():
        text = main.read_text(encoding="ascii")
        assert max(map(len, text.splitlines())) <= 140
        language = "c" if main.suffix == ".c" else "c++"
        with_arduino = defines if main.suffix != ".ino" else [*defines, "ARDUINO=10819"]
        if main.suffix == ".ino":
            copy = tmp_path / f"{main.stem}.cpp"
            copy.write_text(f'#include "Arduino.h"\n#line 1 "{main.name}"\n{text}', encoding="ascii")
            riscv(language, [copy], [public, main.parent, STUBS], with_arduino, tmp_path)
        else:
            riscv(language, [main], [public, main.parent, STUBS], defines, tmp_path)


def expected(compiled: Compilation, case: str) -> list[Array]:
    """The outputs of the interpreter for what the examples put in: zeros, or the test picture."""
    (value,) = compiled.program.inputs
    given: Array
    if case in WITH_CAMERA:
        pixels = picture(grey=value.type.shape[3] == 1)
        one = Normalise(MEAN, DEVIATION) if "int8" in case else Normalise()
        real = (EACH if case.endswith("each") else one).of(pixels, -1)
        port = compiled.lowered.inputs[0] if compiled.lowered.inputs else None
        given = (pixels if case == "rows-uint8" else as_integers(port, real))[None]
    else:
        given = np.zeros(value.type.shape, value.type.dtype.numpy)
    outputs = tinyc.execute(compiled, "interpreter", [[given]])[0]
    found = []
    for port, array in zip(compiled.lowered.outputs, outputs, strict=True):
        found.append((array.astype(np.float32) - port.zero) * np.float32(port.scale) if port else array)
    return found


@pytest.mark.parametrize(
    ("case", "form"),
    [
        pytest.param(case, form, marks=() if (case, form) in PRINTED else pytest.mark.slow)
        for case in CASES
        for form in ("idf", "arduino")
    ],
)
def test_examples_print_what_the_interpreter_says(case: str, form: str, tmp_path: Path) -> None:
    check_prints(packed(case, form), case, tmp_path)


def test_an_allocated_arena(tmp_path: Path) -> None:
    check_prints(packed("arena", "platformio", arena_in="psram"), "arena", tmp_path)


def check_prints(compiled: Compilation, case: str, tmp_path: Path) -> None:
    """Every example of a package, run with sanitisers, prints the outputs of the interpreter."""
    need_build("gcc-sanitize")
    folder = compiled.write(tmp_path / "package")
    sources, includes = parts(folder)
    library = host_objects(sources, includes, tmp_path)
    want = expected(compiled, case)
    first = np.concatenate([np.ravel(output)[:10] for output in want])
    for kind, main in mains(folder).items():
        sketch = main.suffix != ".c"
        board = [STUBS / ("arduino.cpp" if sketch else "start.c"), STUBS / "board.c"]
        text = host_program([*library, *host_objects([main, *board], [*includes, main.parent], tmp_path)], tmp_path)
        assert text.count("small: 0 us") == (2 if sketch else 1), kind
        pattern = r"^(-?\d\S*)$" if sketch else r"^  \w+\[\d+\] = (\S+)$"
        printed = np.array([float(n) for n in re.findall(pattern, text, re.MULTILINE)])
        # Sketches print 6 decimals, the other examples 6 digits; the C sums in float32.
        np.testing.assert_allclose(printed, np.tile(first, 2 if sketch else 1), rtol=2e-5, atol=2e-6)
    if case != "no-arena":
        assert np.ptp(first) > 0, "outputs that are all alike would not tell one network from another"


def test_cameras_only_where_there_is_a_board(tmp_path: Path) -> None:
    assert any("camera" in name for name in packed("rows", "idf", target="esp32").files)
    # The driver of cameras does not drive this chip; the example with a test picture is there all the same.
    files = packed("rows", "idf", target="esp32c3").files
    assert not any("small_camera" in name for name in files)
    assert "examples/small_example/main/camera_rows.h" in files


def test_the_pins_are_those_of_the_chip() -> None:
    thinker = packed("rows", "arduino", target="esp32").files["examples/small_camera/small_camera.ino"]
    eye = packed("rows", "arduino").files["examples/small_camera/small_camera.ino"]
    assert "ESP32-CAM" in thinker
    assert "config.pin_xclk = 0;" in thinker
    assert "ESP32-S3-EYE" in eye
    assert "config.pin_xclk = 15;" in eye


def test_two_cores_are_started() -> None:
    compiled = packed("arena", "idf", cores=2)  # type: ignore[arg-type]
    assert compiled.source.cores == 2
    assert "small_cores_start();" in compiled.files["examples/small_example/main/main.c"]
    assert {"include/small_cores.h", "src/small_cores.c"} <= set(compiled.files)
    assert '"src/small_cores.c"' in compiled.files["CMakeLists.txt"]
    assert "small_cores_start" not in packed("arena", "idf").files["examples/small_example/main/main.c"]

"""Packages are what their package managers take: validated and packed by these where their tools are installed, and
built by their own build files."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from tests.packages.arduino_format import problems
from tests.packages.support import STUBS, need, packed, run
from tinyc.backends.packages import package_files
from tinyc.backends.packages.metadata import semantic

VARIANTS = [("arena", "internal"), ("rows", "psram"), ("no-arena", "internal")]


def installed(*modules: str) -> None:
    """Skips the test where a package for development is missing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def compote(*arguments: str, cwd: Path) -> str:
    """What ESP-IDF's component manager prints. Its warnings are errors."""
    installed("idf_component_manager")
    call = "from idf_component_manager.cli import safe_cli; safe_cli()"
    return run([sys.executable, "-c", call, "-W", *arguments], cwd, IDF_TOOLS_PATH=str(cwd))


@pytest.mark.parametrize(("case", "memory"), VARIANTS)
def test_the_component_manager_validates_and_packs_the_component(case: str, memory: str, tmp_path: Path) -> None:
    folder = packed(case, "idf", arena_in=memory).write(tmp_path / "folder_of_any_name")
    options = ["--project-dir", str(folder), "--name", "small", "--dest-dir", str(tmp_path)]
    compote("manifest", "lint", str(folder), cwd=tmp_path)
    compote("component", "pack", *options, cwd=tmp_path)
    with tarfile.open(tmp_path / "small_0.1.0.tgz") as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    expected = {"CMakeLists.txt", "idf_component.yml", "README.md", "include/small.h", "src/small.c"}
    assert expected | {"examples/small_example/main/main.c"} <= names
    assert ("Kconfig" in names) == (case != "no-arena")


def test_the_component_manager_does_refuse(tmp_path: Path) -> None:
    folder = packed("arena", "idf").write(tmp_path / "component")
    manifest = folder / "idf_component.yml"
    manifest.write_text(manifest.read_text().replace("https://", "no address: "))
    options = ["--project-dir", str(folder), "--name", "small", "--dest-dir", str(tmp_path)]
    with pytest.raises(AssertionError, match="url"):
        compote("component", "pack", *options, cwd=tmp_path)


@pytest.mark.parametrize("weights_in", ["flash", "internal"])
@pytest.mark.parametrize("arena_in", ["internal", "psram"])
def test_options_are_the_defaults_of_the_configuration(arena_in: str, weights_in: str, tmp_path: Path) -> None:
    kconfig = configure(packed("arena", "idf", arena_in=arena_in, weights_in=weights_in).files["Kconfig"], tmp_path)
    chosen = set(re.findall(r"#define CONFIG_SMALL_(\w+) 1", kconfig))
    assert chosen == {f"ARENA_IN_{arena_in.upper()}", f"WEIGHTS_IN_{weights_in.upper()}"}


def test_a_chip_without_psram_is_not_offered_any(tmp_path: Path) -> None:
    files = packed("arena", "idf", target="esp32c3").files
    assert "WEIGHTS_IN_FLASH" in configure(files["Kconfig"], tmp_path)
    assert "PSRAM" not in files["Kconfig"] + files["README.md"] + files["include/small.h"]
    assert "Kconfig" not in packed("no-arena", "idf").files


def configure(kconfig: str, folder: Path) -> str:
    """The header that ESP-IDF makes of a component's options."""
    (folder / "Kconfig").write_text(kconfig)
    (folder / "top").write_text(f'mainmenu "test"\nsource "{folder / "Kconfig"}"\n')
    installed("kconfcheck", "kconfgen")
    run([sys.executable, "-m", "kconfcheck", str(folder / "Kconfig")], folder)
    output = ["--output", "header", str(folder / "sdkconfig.h")]
    run([sys.executable, "-m", "kconfgen", "--kconfig", str(folder / "top"), *output], folder)
    return (folder / "sdkconfig.h").read_text()


@pytest.mark.parametrize(("case", "program"), [("arena", "small_example"), ("rows-grey", "small_camera")])
def test_the_example_builds_by_its_cmake_files(case: str, program: str, tmp_path: Path) -> None:
    need("cmake", "make", "gcc")
    folder = packed(case, "idf").write(tmp_path / "folder_of_any_name")
    example, build = folder / "examples" / program, tmp_path / "build"
    flags = "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror"
    stubs = {"IDF_PATH": str(STUBS / "idf")}
    run(["cmake", "-G", "Unix Makefiles", flags, "-S", str(example), "-B", str(build)], tmp_path, **stubs)
    run(["make", "-s", "-C", str(build)], tmp_path)
    assert "small: 0 us\n  output[0] = " in run([str(build / "program")], tmp_path)


PACK = """
import sys
from packaging.licenses import canonicalize_license_expression
from platformio.package.manifest.schema import ManifestSchema
class Known:
    # PlatformIO downloads the list of licences; `packaging` brings it.
    def __call__(self):
        return {"licenses": [{"licenseId": canonicalize_license_expression("Apache-2.0")}]}
ManifestSchema.load_spdx_licenses = staticmethod(Known())
from platformio.__main__ import main
sys.exit(main(["pio", *sys.argv[1:]]))
"""


def pio(*arguments: str, cwd: Path) -> str:
    """What PlatformIO prints."""
    installed("platformio", "packaging")
    quiet = {"PLATFORMIO_CORE_DIR": str(cwd / "core"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    quiet |= {"PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "9999", "PLATFORMIO_NO_ANSI": "true"}
    return run([sys.executable, "-c", PACK, *arguments], cwd, **quiet)


@pytest.mark.parametrize(("case", "memory"), VARIANTS)
def test_platformio_packs_the_library(case: str, memory: str, tmp_path: Path) -> None:
    folder = packed(case, "platformio", arena_in=memory).write(tmp_path / "library")
    pio("pkg", "pack", str(folder), "-o", str(tmp_path / "small.tar.gz"), cwd=tmp_path)
    with tarfile.open(tmp_path / "small.tar.gz") as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert {"library.json", "include/small.h", "src/small.c", "examples/small_espidf/src/main.c"} <= names
    manifest = json.loads((folder / "library.json").read_text())
    assert all((folder / "include" / header).is_file() for header in manifest["headers"])


def test_platformio_reads_the_projects_of_the_examples(tmp_path: Path) -> None:
    folder = packed("rows", "platformio", arena_in="psram").write(tmp_path / "library")
    seen = {}
    for example in sorted((folder / "examples").iterdir()):
        ((_, options),) = json.loads(pio("project", "config", "-d", str(example), "--json-output", cwd=tmp_path))
        seen[example.name] = dict(options)
    assert set(seen) == {"small_espidf", "small_arduino", "small_camera"}
    for options in seen.values():
        (library,) = options["lib_deps"]
        scheme, _, path = library.partition("://")
        assert scheme == "symlink"
        assert (folder / "examples" / "small_espidf" / path / "library.json").is_file()
        assert options["board"] == "esp32-s3-devkitc-1"
    assert seen["small_espidf"]["framework"] == ["espidf"]
    assert seen["small_arduino"]["build_flags"] == ["-DBOARD_HAS_PSRAM"]


@pytest.mark.parametrize(("case", "memory"), VARIANTS)
def test_the_arduino_library_keeps_to_the_specification(case: str, memory: str, tmp_path: Path) -> None:
    folder = packed(case, "arduino", arena_in=memory).write(tmp_path / "library")
    assert problems(folder) == []
    assert ("small_camera" in {p.name for p in (folder / "examples").iterdir()}) == (case == "rows")


def test_platformio_takes_the_arduino_library_too(tmp_path: Path) -> None:
    folder = packed("arena", "arduino").write(tmp_path / "library")
    pio("pkg", "pack", str(folder), "-o", str(tmp_path / "small.tar.gz"), cwd=tmp_path)
    assert (tmp_path / "small.tar.gz").is_file()


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda f: (f / "library.properties").unlink(), "there is no library.properties"),
        (lambda f: edit(f, "name=small", "name=Arduino small"), "names beginning with Arduino"),
        (lambda f: edit(f, "version=0.1.0", "version=1"), "no semantic version"),
        (lambda f: edit(f, "category=Data Processing", "category=AI"), "category 'AI'"),
        (lambda f: edit(f, "author=tinyc", "author="), "author is missing"),
        (lambda f: edit(f, "includes=small.h", "includes=large.h"), "not in src/"),
        (lambda f: shutil.move(f / "src", f / "source"), "there is no src/"),
        (lambda f: shutil.move(f / "examples" / "small_example", f / "examples" / "other"), "has no other.ino"),
        (lambda f: (f / "keywords.txt").write_text("small_run KEYWORD2\n"), "keywords.txt:1"),
        (lambda f: (f / "stray.c").write_text(""), "stray.c beside src/"),
    ],
)
def test_the_check_of_arduino_libraries_finds(break_it: object, problem: str, tmp_path: Path) -> None:
    folder = packed("arena", "arduino").write(tmp_path / "library")
    assert callable(break_it)
    break_it(folder)
    assert any(problem in found for found in problems(folder)), problems(folder)


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "library.properties"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("python_version", "package"),
    [("0.1.0", "0.1.0"), ("1.2", "1.2.0"), ("2.0.1rc1", "2.0.1"), ("0.1.dev3+g12", "0.1.0"), ("x", "0.0.0")],
)
def test_versions_are_of_three_numbers(python_version: str, package: str) -> None:
    assert semantic(python_version) == package
    compiled = packed("arena", "arduino")
    files = package_files(compiled.source, compiled.packing, python_version)
    assert f"version={package}\n" in files["library.properties"]


def test_the_generated_c_is_the_same_in_every_form() -> None:
    plain = packed("arena", "c").source.files
    for form in ("arduino", "platformio"):
        files = {path.rpartition("/")[2]: text for path, text in packed("arena", form).files.items()}
        assert plain.items() <= files.items()
    # A component's arrays are placed by its configuration; the layers are the same.
    assert packed("arena", "idf").files["src/small.c"] == plain["small.c"]


def test_the_report_says_how_it_is_packed() -> None:
    report = packed("arena", "arduino", arena_in="psram").report
    assert report["package"] == {"format": "arduino", "arena_in": "psram", "weights_in": "flash"}


def test_an_example_with_much_to_store_gets_a_larger_partition() -> None:
    compiled = packed("arena", "idf")
    large = dataclasses.replace(compiled, source=dataclasses.replace(compiled.source, weights_bytes=900_000))
    path = "examples/small_example/sdkconfig.defaults"
    assert "CONFIG_PARTITION_TABLE_SINGLE_APP_LARGE=y" in large.files[path]
    assert "PARTITION" not in compiled.files[path]
    assert "CONFIG_SPIRAM" not in compiled.files[path]
    in_psram = packed("arena", "idf", arena_in="psram").files[path]
    assert {"CONFIG_SPIRAM=y", "CONFIG_SPIRAM_ALLOW_BSS_SEG_EXTERNAL_MEMORY=y"} <= set(in_psram.splitlines())

"""The code that drives the second core: on threads, on a stub of FreeRTOS, and where there is no second core."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.c.support import STRICT
from tests.cores.support import FREERTOS, STUBS, THREADS, need_threads
from tinyc.backends.c.cores import port_files

HEADER = "int net_cores_start(void);\n"
VARIANTS = {
    "threads": (),
    "threads-asleep": ("-DNET_CORES_SPINS=0",),
    "freertos": FREERTOS,
    "freertos-one-core": (*FREERTOS, "-DportNUM_PROCESSORS=1"),
    "none": ("-U__unix__", "-U__APPLE__"),
}
ONE_CORE = ("freertos-one-core", "none")


def written(folder: Path) -> Path:
    for name, text in {**port_files("net"), "net.h": HEADER}.items():
        (folder / name).write_text(text, encoding="ascii")
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("compiler", "sanitiser"), [("gcc", ""), ("gcc", "thread"), ("clang", "thread")])
def test_a_port(compiler: str, sanitiser: str, variant: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    flags: list[str] = ["-O2", "-g"]
    if sanitiser:
        need_threads(compiler)
        # Looking is slow under the sanitiser.
        flags += [*THREADS, *([] if VARIANTS[variant] else ["-DNET_CORES_SPINS=300"])]
    result = run_port(written(tmp_path), compiler, flags, variant)
    assert result.returncode == 0, result.stderr


def run_port(folder: Path, compiler: str, flags: Sequence[str], variant: str) -> subprocess.CompletedProcess[str]:
    """Builds and runs port.c with the port in a folder."""
    port = (compiler, "-std=c99", *STRICT, *flags, *VARIANTS[variant], "-c", "net_cores.c", "-o", "port.o")
    subprocess.run(port, cwd=folder, check=True)
    sources = [str(Path(__file__).parent / "port.c"), str(STUBS / "freertos.c"), "port.o"]
    cores = f"-DTWO_CORES={int(variant not in ONE_CORE)}"
    main = (compiler, "-std=c11", "-Wall", *flags, f"-I{STUBS}", "-I.", cores, *sources, "-o", "port", "-pthread")
    subprocess.run(main, cwd=folder, check=True)
    return subprocess.run([str(folder / "port")], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("variant", "line"),
    [
        ("threads-asleep", "    wait_for(0);\n"),
        ("freertos", "    while (xSemaphoreTake(done, portMAX_DELAY) != pdTRUE) {\n    }\n"),
    ],
)
def test_who_does_not_wait_is_seen(variant: str, line: str, tmp_path: Path) -> None:
    need_threads("gcc")
    file = written(tmp_path) / "net_cores.c"
    text = file.read_text(encoding="ascii")
    assert text.count(line) == 1
    file.write_text(text.replace(line, ""), encoding="ascii")
    result = run_port(tmp_path, "gcc", ["-O2", "-g", *THREADS], variant)
    assert result.returncode != 0
    assert "data race" in result.stderr


@pytest.mark.parametrize("cores", [1, 2])
def test_the_freertos_port_compiles_for_a_chip(cores: int, tmp_path: Path) -> None:
    compiler = shutil.which("riscv64-unknown-elf-gcc")
    if compiler is None:
        pytest.skip("riscv64-unknown-elf-gcc is not installed")
    options = ("-march=rv32imafc", "-mabi=ilp32f", "-Os", *FREERTOS, f"-DportNUM_PROCESSORS={cores}")
    specs = "--specs=picolibc.specs"
    command = (compiler, "-std=c99", *STRICT, *options, specs, "-c", "net_cores.c", "-o", "port.o")
    subprocess.run(command, cwd=written(tmp_path), check=True)
    symbols = subprocess.run(
        ["riscv64-unknown-elf-nm", "-u", "port.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert ("xTaskCreateStaticPinnedToCore" in symbols) == (cores == 2)
    assert not {"malloc", "pvPortMalloc", "xTaskCreatePinnedToCore", "xQueueGenericCreate"} & set(symbols)

"""Whole models as C: no warning under gcc and clang, clean under the sanitisers, the same bytes every time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tinyc
from tests.c.support import AS_SHIPPED, SANITIZE
from tests.helpers import ROOT, model
from tests.sampling import ALL
from tinyc.backends.runners import HostRunner
from tinyc.compiler.data.samples import sample_inputs
from tinyc.compiler.session import Compilation

EXAMPLE = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
NAMES = [
    "mobile_lenet",
    "mlperf_vww96_mbv1_025_tflite2onnx",
    "st_mbv2_128_05",
    "deeploy_tinyvit_demo",
    "dtln1_lstm",
    "nemo_dscnn_int",
    "yunet_n_320",
    "lenet5_tanh_avgpool",
    "basic_pitch_nmp",
]
FEW = NAMES if ALL else NAMES[:5]
"""Those that are compiled for size, and sanitised. When gcc optimises for speed it warns of the same, and of more."""


def path(name: str) -> Path:
    return EXAMPLE if name == "mobile_lenet" else model(f"{name}.onnx")


@cache
def generated(name: str) -> Compilation:
    """The model, compiled once for all the tests of it."""
    return tinyc.compile(path(name), verify=False)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_warning(name: str, compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    generated(name).write(tmp_path / "out")
    for source in sorted((tmp_path / "out").glob("*.c")):
        # What clang warns of, it sees before it optimises; in tables of numbers there is nothing to optimise.
        plain = compiler == "clang" or source.stem.endswith("_weights")
        for level in ("-O0",) if plain else ("-O2", "-Os") if name in FEW else ("-O2",):
            command = [compiler, *WARNINGS, level, "-c", "-o", os.devnull, str(source)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr[:3000]


def test_the_idf_component_compiles_as_it_lies(tmp_path: Path) -> None:
    out = tinyc.compile(EXAMPLE, target="esp32", verify=False, output=tmp_path / "out").write(tmp_path / "out")
    for source in sorted((out / "src").glob("*.c")):
        subprocess.run(["gcc", *WARNINGS, f"-I{out / 'include'}", "-c", "-o", os.devnull, str(source)], check=True)
    (tmp_path / "esp_timer.h").write_text("#include <stdint.h>\nint64_t esp_timer_get_time(void);\n")
    example = out / "examples" / "mobile_lenet_example" / "main" / "main.c"
    includes = [f"-I{out / 'include'}", f"-I{tmp_path}"]
    flags = ["-std=gnu17", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, *includes, "-c", "-o", os.devnull, str(example)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_clean_under_the_sanitisers(name: str) -> None:
    compiled = generated(name)
    samples = sample_inputs(compiled.imported.module)
    # As in tests/c, but the largest networks would be slow without optimisation.
    flags = [*SANITIZE, "-O1"]
    own = HostRunner(compiled.source, cc="gcc", flags=flags).run(samples)
    plain = HostRunner(compiled.source, cc="gcc", flags=AS_SHIPPED).run(samples)
    for a, b in zip(own, plain, strict=True):
        for x, y in zip(a, b, strict=True):
            # Both are the same C in the same order of operations; the sanitiser may only keep gcc from vectorising.
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


FILES = """
import json, sys, tinyc
print(json.dumps(dict(tinyc.compile(sys.argv[1], verify=False, target=sys.argv[2]).files)))
"""


@pytest.mark.parametrize("name", ["mobile_lenet", "fastestdet", "deeploy_tinyvit_demo"])
def test_generated_twice_is_the_same_to_the_byte(name: str) -> None:
    """Also in another process, in which sets have another order."""
    # As a package where it fits.
    target = "esp32" if name == "mobile_lenet" else "host"
    here = generated(name) if target == "host" else tinyc.compile(path(name), verify=False, target=target)
    command = [sys.executable, "-c", FILES, str(path(name)), target]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    assert sys.flags.hash_randomization
    there = json.loads(done.stdout)
    assert there.keys() == here.files.keys()
    for file in here.files.keys() - {"report.json"}:
        assert there[file] == here.files[file], file

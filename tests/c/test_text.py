"""The text of generated C: golden files, names from models, determinism, and how it behaves among other code."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import STRICT, lowered
from tinyc.backends.c import Interface, PortDescription, generate, library
from tinyc.backends.c.library import FOLDER
from tinyc.backends.c.names import Names, comment, identifier
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner, MissingTool, RunnerError
from tinyc.ir import ops
from tinyc.ir.module import Builder, Module
from tinyc.ir.types import DType, TensorType

KERNELS = sorted(FOLDER.rglob("*.h"))
GOLDEN = Path(__file__).parent / "golden"

HOSTILE = [
    "*/ evil(); /*",
    'a"b\n',
    "??/",
    "naïve 数",
    "int",
    "0 begins with a digit",
    "",
    "a\\",
    "// x \\\n#error",
    "tinyc_tile_f32",
    "arena",
    "rows",
    "input",
    "exp",
    "a-b",
    "a_b",
    "A_b",
    "x" * 500,
    "%s%n{}",
    "\x00\x1b[2J",
]


def small(name: str = "small") -> Module:
    """A network with one layer of each kind."""
    rng = np.random.default_rng(10)

    def constant(*shape: int) -> np.ndarray:
        # Multiples of 1/8 keep the golden file short and its sums exact.
        return (rng.integers(-8, 9, shape) / 8).astype(np.float32)

    b = Builder(name)
    x = b.input("image", TensorType((1, 6, 6, 1), DType.F32))
    y = b.add(ops.Conv2d(x, b.constant(constant(4, 3, 3, 1), "stem.w"), b.constant(constant(4), "stem.b"),
                         pads=(1, 1, 1, 1), min=0.0), "stem", "stem/conv+stem/relu")  # fmt: skip
    z = b.add(
        ops.DepthwiseConv2d(y, b.constant(constant(3, 3, 4), "dw.w"), pads=(1, 1, 1, 1), min=0.0, max=6.0), "dw", "dw"
    )
    z = b.add(ops.Conv2d(z, b.constant(constant(4, 1, 1, 4), "pw.w")), "pw", "pw")
    z = b.add(ops.Add(z, y), "sum", "residual")
    z = b.add(ops.MaxPool2d(z, (2, 2), (2, 2)), "pool", "pool")
    z = b.add(ops.Reshape(b.add(ops.ReduceMean(z, (1, 2)), "mean", "gap"), (1, 4)), "flat")
    z = b.add(ops.Dense(z, b.constant(constant(3, 4), "fc.w"), b.constant(constant(3), "fc.b")), "logits", "fc")
    return b.build([b.add(ops.Softmax(z), "scores", "softmax")])


def without_kernels(text: str) -> str:
    """C with the names of kernel files in place of what it has of these."""
    bodies = {}
    for path in FOLDER.rglob("*.h"):
        body = re.split(r"(?m)^#ifndef .*\n#define .*\n|^#endif.*\n?\Z", path.read_text(encoding="ascii"))[1]
        bodies[re.sub(r"(?m)^#include.*\n", "", body).strip("\n")] = path.relative_to(FOLDER).as_posix()
    for body in sorted(bodies, key=len, reverse=True):
        text = text.replace(f"\n\n{body}\n\n", f"\n\n/* {bodies[body]} */\n\n") if body else text
    return text


def test_golden(update_golden: bool) -> None:
    interface = Interface((PortDescription("image", "NHWC"),), (PortDescription("scores"),))
    source = generate(lowered(small()), name="small", interface=interface, version="golden")
    for name, whole in source.files.items():
        path, text = GOLDEN / name, without_kernels(whole)
        if update_golden:
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text, encoding="ascii")
        assert path.read_text(encoding="ascii") == text, f"{name} changed; `pytest tests/c --update-golden` accepts it"
    assert {p.name for p in GOLDEN.iterdir()} == {*source.files, "operators"}


def test_golden_runs() -> None:
    program = lowered(small())
    rng = np.random.default_rng(11)
    inputs = [[rng.normal(size=(1, 6, 6, 1)).astype(np.float32)] for _ in range(5)]
    runner = HostRunner(generate(program, name="small"), flags=STRICT)
    for given, (got,) in zip(inputs, runner.run(inputs), strict=True):
        np.testing.assert_allclose(got, run_program(program, given)[0], rtol=1e-5)
    watched: dict[int, np.ndarray] = {}
    run_program(program, inputs[0], lambda number, array: watched.update({number: array}))
    traced = runner.trace(inputs[0])
    assert sorted(traced) == sorted(watched)
    for number, array in traced.items():
        np.testing.assert_allclose(array, watched[number], rtol=1e-5, atol=1e-6)


def test_two_generations_are_equal() -> None:
    assert generate(lowered(small()), name="a").files == generate(lowered(small()), name="a").files


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_hostile_names(compiler: str) -> None:
    b = Builder("*/ #error \\")
    inputs = [b.input(name, TensorType((2,), DType.F32)) for name in HOSTILE]
    constants = [b.constant(np.full(2, k, np.float32), name) for k, name in enumerate(HOSTILE)]
    sums = [b.add(ops.Add(x, c), n, n) for x, c, n in zip(inputs, constants, HOSTILE, strict=True)]
    outputs = [b.add(ops.Neg(s), n, n) for s, n in zip(sums, HOSTILE, strict=True)]
    interface = Interface(*(tuple(PortDescription(n, n) for n in HOSTILE),) * 2)
    program = lowered(b.build(outputs))
    for name in HOSTILE:
        source = generate(program, name=name, interface=interface, version="*/ 1\n")
        assert all(text.isascii() and "\\\n" not in text and "??" not in text for text in source.files.values())
        assert all(re.fullmatch(r"\w+\.[ch]", file) for file in source.files)
    source = generate(program, name="hostile", interface=interface)
    arrays = [np.full(2, k, np.float32) for k in range(len(HOSTILE))]
    (got,) = HostRunner(source, cc=compiler, flags=(*STRICT, "-trigraphs")).run([arrays])
    for k, array in enumerate(got):
        assert array.tolist() == [-2.0 * k] * 2


def test_names() -> None:
    for name in HOSTILE:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,45}", identifier(name)), name
        assert "*/" not in comment(name)
    names = Names("taken")
    found = [names.fresh(name) for name in ["a-b", "a_b", "A_B", "a b", "taken", ""]]
    assert len({name.lower() for name in found}) == len(found)
    assert "taken" not in found


def test_an_arena_of_no_bytes_is_null() -> None:
    b = Builder("tiny")
    x = b.input("x", TensorType((3,), DType.F32))
    source = generate(lowered(b.build([b.add(ops.Neg(x))])), name="tiny")
    assert source.arena_bytes == 0
    assert HostRunner(source, flags=STRICT).run([[np.ones(3, np.float32)]])[0][0].tolist() == [-1, -1, -1]


def test_equal_layers_and_constants_are_shared() -> None:
    b = Builder("twins")
    x = b.input("x", TensorType((1, 5, 5, 3), DType.F32))
    for k in range(3):
        w = b.constant(np.ones((3, 3, 3), np.float32), f"w{k}")
        x = b.add(ops.DepthwiseConv2d(x, w, pads=(1, 1, 1, 1)), f"layer{k}")
    source = generate(lowered(b.build([x])), name="twins")
    assert len(re.findall(r"^TINYC_NOINLINE void twins_", source.files["twins.c"], re.MULTILINE)) == 1
    assert len(re.findall(r"^extern", source.files["twins_weights.h"], re.MULTILINE)) == 2  # weights and padding


MAIN = """
#include <pthread.h>
#include <stdio.h>
#include "one.h"
#include "two.h"

static float images[2][ONE_INPUT_SIZE];
static float results[3][ONE_OUTPUT_SIZE];
static unsigned char arenas[3][ONE_ARENA_BYTES] __attribute__((aligned(ONE_ARENA_ALIGN)));

static void *repeat(void *number)
{
    int k = *(const int *)number;
    for (int turn = 0; turn < 2000; ++turn) {
        one_run(arenas[k], images[k], results[k]);
    }
    return NULL;
}

int main(void)
{
    int numbers[2] = {0, 1};
    pthread_t threads[2];
    for (int k = 0; k < 2; ++k) {
        for (int i = 0; i < ONE_INPUT_SIZE; ++i) {
            images[k][i] = (float)((i * (k + 3)) % 11) / 8.0f - 0.5f;
        }
    }
    for (int k = 0; k < 2; ++k) {
        pthread_create(&threads[k], NULL, repeat, &numbers[k]);
    }
    for (int k = 0; k < 2; ++k) {
        pthread_join(threads[k], NULL);
    }
    two_run(arenas[2], images[1], results[2]);
    for (int k = 0; k < 3; ++k) {
        for (int i = 0; i < ONE_OUTPUT_SIZE; ++i) {
            printf("%.9g ", (double)results[k][i]);
        }
    }
    return 0;
}
"""


def test_two_models_in_one_program_and_one_in_two_threads(tmp_path: Path) -> None:
    program = lowered(small())
    for name in ("one", "two"):
        for file, text in generate(program, name=name).files.items():
            (tmp_path / file).write_text(text)
    (tmp_path / "main.c").write_text(MAIN)
    files = ["main.c", "one.c", "one_weights.c", "two.c", "two_weights.c"]
    flags = ["-std=gnu99", "-O1", "-fsanitize=thread", "-Wall", "-Werror"]
    built = subprocess.run(
        ["gcc", *flags, "-o", "both", *files, "-lm", "-lpthread"], cwd=tmp_path, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    result = subprocess.run(["./both"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = np.array(result.stdout.split(), np.float32).reshape(3, -1)
    for k, numbers in enumerate(found):
        i = np.arange(36)
        image = (((i * (min(k, 1) + 3)) % 11) / 8 - 0.5).astype(np.float32).reshape(1, 6, 6, 1)
        np.testing.assert_allclose(numbers, run_program(program, [image])[0][0], rtol=1e-5)


def test_no_writable_data(tmp_path: Path) -> None:
    """Everything but code is read-only, so that it stays in flash."""
    for file, text in generate(lowered(small()), name="net").files.items():
        (tmp_path / file).write_text(text)
    subprocess.run(["gcc", "-O2", "-c", "net.c", "net_weights.c"], cwd=tmp_path, check=True)
    sizes = subprocess.run(["size", "net.o", "net_weights.o"], cwd=tmp_path, check=True, capture_output=True, text=True)
    for line in sizes.stdout.splitlines()[1:]:
        assert line.split()[1:3] == ["0", "0"], "data and bss are empty"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("kernel", [str(p.relative_to(FOLDER)) for p in KERNELS])
def test_kernel_files_stand_alone(kernel: str, compiler: str, tmp_path: Path) -> None:
    retyped(kernel, tmp_path)
    folders = (f"-I{FOLDER}", f"-I{tmp_path}")
    flags = [*STRICT, "-std=c99", "-Wno-unused-function", *folders, "-fsyntax-only", "-x", "c", "-"]
    text = f'#include "{kernel}"\n#include "{kernel}"\nextern int declared;\n'
    result = subprocess.run([compiler, *flags], input=text, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert max(map(len, (FOLDER / kernel).read_text().splitlines())) <= 120


def retyped(kernel: str, folder: Path) -> None:
    """Writes the files that a kernel includes and that are made of others, for another element type."""
    path = FOLDER / kernel
    for name in re.findall(r'#include "(\w+)\.h"', (path if path.exists() else folder / kernel).read_text()):
        if not (FOLDER / f"{name}.h").exists():
            stem, _, suffix = name.rpartition("_")
            (folder / f"{name}.h").write_text(library._text(stem, DType(suffix)))
        retyped(f"{name}.h", folder)


def test_cplusplus_may_include_the_header(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    (tmp_path / "net.h").write_text(generate(lowered(small()), name="net").files["net.h"])
    (tmp_path / "main.cpp").write_text('#include "net.h"\nint main() { return NET_INPUT_SIZE - 36; }\n')
    subprocess.run(
        ["g++", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "main.cpp"], cwd=tmp_path, check=True
    )


def test_runner_errors() -> None:
    source = generate(lowered(small()), name="small")
    with pytest.raises(RunnerError, match="no-such-option"):
        HostRunner(source, flags=["-no-such-option"])
    with pytest.raises(MissingTool, match="apt install gcc"):
        HostRunner(source, cc="no-such-compiler")


def test_the_environment_has_options(monkeypatch: pytest.MonkeyPatch) -> None:
    source = generate(lowered(small()), name="small")
    monkeypatch.setenv("TINYC_CFLAGS", "-O0 '-no such option'")
    with pytest.raises(RunnerError, match="-no such option"):
        HostRunner(source)
    monkeypatch.setenv("TINYC_CFLAGS", "-O0 'cut off")
    with pytest.raises(RunnerError, match=r"TINYC_CFLAGS is no list of options \(No closing quotation\): -O0 'cut off"):
        HostRunner(source)
    monkeypatch.setenv("TINYC_CFLAGS", "--version")
    with pytest.raises(RunnerError, match=r"small: the compiler made no harness\.c\.run\.o: .*gcc .* --version -c"):
        HostRunner(source, cc="gcc")


def test_runner_sees_writes_behind_the_arena() -> None:
    source = generate(lowered(small()), name="small")
    text = source.files["small.c"]
    arena = source.arena_bytes
    broken = text.replace("\n    /* 0 ", f"\n    mem[{arena}] = 1;\n    /* 0 ", 1)
    assert broken != text
    runner = HostRunner(dataclasses.replace(source, files={**source.files, "small.c": broken}))
    with pytest.raises(RunnerError, match="outside its arena"):
        runner.run([[np.zeros((1, 6, 6, 1), np.float32)]])

"""Emitters are registered beside their kernels, by tinyc and by packages of the user's."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.c.support import lowered, need
from tests.helpers import ROOT, run_outside
from tinyc.backends.c import CodegenError, KernelError, Pointer, RowCall, TranslationUnit, add_kernels, emits, emitter
from tinyc.backends.c.emitter import EMITTERS, Emitter
from tinyc.backends.c.expressions import Printer
from tinyc.backends.c.generic import emit_loops
from tinyc.backends.c.library import Kernels
from tinyc.ir import Builder, DType, TensorType, ops
from tinyc.ir.expr import Arg, Call
from tinyc.ir.op import Op, Value
from tinyc.ir.rows import Stage

DECLARED = EMITTERS.declared


def registering() -> Iterator[str]:
    """The modules of the C backend that register something."""
    for path in sorted((ROOT / "backends" / "c").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            calls = [d.func for d in getattr(node, "decorator_list", []) if isinstance(d, ast.Call)]
            if any(isinstance(called, ast.Name) and called.id == "emits" for called in calls):
                yield f"tinyc.backends.c.{path.stem}"
                break


def not_imported(files: list[str]) -> str:
    """Which of the modules importing the backend leaves out, and where to name them."""
    code = f"import sys, tinyc.backends.c; print(*[m for m in {files} if m not in sys.modules], sep=', ')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    missing = done.stdout.strip()
    return missing and f"add to `EMITTER_FILES` in backends/c/__init__.py, which imports all emitters: {missing}"


def test_importing_the_backend_registers_all_emitters() -> None:
    files = list(registering())
    assert len(files) >= 7
    missing = not_imported(files)
    assert not missing, missing
    assert re.search("EMITTER_FILES.*: tinyc.nowhere, nothing$", not_imported(["tinyc.nowhere", *files, "nothing"]))


def test_loops_are_printed_where_there_are_some() -> None:
    """What has neither loops nor an emitter is named by tests/ir/test_declarations.py."""
    assert DECLARED.find(ops.Neg) is emit_loops
    assert DECLARED.find(ops.Softmax) not in (None, emit_loops)
    assert DECLARED.find(Shy) is None


def test_what_never_reaches_c_says_why() -> None:
    refused = {name: DECLARED.refused(kind) for name, kind in ops.registry().items() if DECLARED.refused(kind)}
    assert set(refused) == {"batch_norm", "constant", "reshape"}
    b = Builder("net")
    x = b.input("x", TensorType((1, 4), DType.F32))
    program = lowered(b.build([b.add(ops.Softmax(x), "y")]))
    y = program.stages[0].result
    vector = ops.BatchNorm(x, *(b.input(f"v{k}", TensorType((4,), DType.F32)) for k in range(4)))
    with pytest.raises(CodegenError, match=r"batch_norm %y: batch_norm: it is folded into a layer"):
        emit(Stage(y, vector))


def emit(stage: Stage) -> RowCall:
    """What a stage calls, in a unit of its own."""
    b = Builder("unit")
    unit = TranslationUnit("unit", lowered(b.build([b.add(ops.Neg(b.input("x", stage.result.type)))])))
    return emitter.emit(unit, stage)


@dataclass(frozen=True)
class Shy(Op):
    """Not an operator that models have: it has no mnemonic. It has neither loops nor an emitter."""

    x: Value

    def infer(self) -> TensorType:
        return self.x.type


def test_an_operator_without_c_is_told_where_to_register_it() -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 4), DType.F32))
    y = b.add(ops.Neg(x), "y")
    with pytest.raises(CodegenError, match=r"Shy declares no C: register an emitter .*`emits` .*or .*`loops`, or `ref"):
        emit(Stage(y, Shy(x)))


def fails(*_: object) -> RowCall:
    raise ValueError("no such case")


def lacks_its_kernel(unit: TranslationUnit, stage: Stage, op: ops.Neg) -> RowCall:
    return RowCall(unit.kernels.use("nowhere", DType.F32), (Pointer(0),))


@pytest.mark.parametrize(
    ("emitter", "words"),
    [
        (fails, r"neg %y: .*test_emitters\.py:\d+: ValueError: no such case"),
        (lacks_its_kernel, r"neg %y: there is no kernel file nowhere_f32\.h in .*kernels; `add_kernels`"),
        (lambda unit, stage, op: None, r"neg %y: its emitter gave NoneType, it has to give a RowCall"),
    ],
)
def test_what_is_wrong_with_an_emitter_names_the_stage(
    emitter: Emitter[ops.Neg], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EMITTERS.instead, ops.Neg, [])
    emits(ops.Neg, where=lambda unit, stage, op: stage.result.name == "y")(emitter)
    b = Builder("net")
    x = b.input("x", TensorType((1, 4), DType.F32))
    y, z = b.add(ops.Neg(x), "y"), b.add(ops.Neg(x), "z")
    assert emit(Stage(z, ops.Neg(x))).function
    with pytest.raises(CodegenError, match=words):
        emit(Stage(y, ops.Neg(x)))


def test_a_second_emitter_says_where_it_stands_in() -> None:
    with pytest.raises(TypeError, match=r"Softmax declares its C twice: to stand in .* say `where`"):
        emits(ops.Softmax)(lambda unit, stage, op: RowCall("", ()))


def test_a_missing_kernel_file_is_named_with_the_folders(tmp_path: Path) -> None:
    missing = r"no kernel file cube_i8\.h or cube_i32\.h or cube_f32\.h or cube_i16\.h in .*; `add_k"
    with pytest.raises(KernelError, match=missing):
        Kernels().use("cube", DType.I8)
    with pytest.raises(KernelError, match=r"no kernel file cube\.h in "):
        Kernels().use("cube")
    with pytest.raises(KernelError, match="no folder with kernel files"):
        add_kernels(tmp_path)
    (tmp_path / "softmax_f32.h").touch()
    with pytest.raises(KernelError, match=r"softmax_f32\.h has the name of .*softmax_f32\.h"):
        add_kernels(tmp_path)


def test_a_kernel_file_is_named_after_its_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler would say "implicit declaration". A file may be included that has no such function."""
    text = "#ifndef T\n#define T\n{}TINYC_INLINE float\ntinyc_{}(float x)\n{{\n    return x;\n}}\n#endif\n"
    files = {
        "right_f32": text.format("", "right_f32"),
        "wrong_f32": text.format("", "other_f32"),
        "calls_f32": text.format('#include "wrong_f32.h"\n', "calls_f32"),
        "never_f32": text.format("", "f32").replace("return x", "return tinyc_never_f32(x)"),
    }
    for name, c in files.items():
        (tmp_path / f"{name}.h").write_text(c, encoding="ascii")
    monkeypatch.setattr("tinyc.backends.c.library._FOLDERS", [tmp_path])
    kernels = Kernels()
    assert kernels.use("right", DType.F32) == "tinyc_right_f32"
    assert kernels.use("right", DType.I8) == "tinyc_right_i8"
    assert kernels.use("calls", DType.F32) == "tinyc_calls_f32"
    for name, dtype in (("wrong", DType.F32), ("wrong", DType.I8), ("never", DType.F32)):
        with pytest.raises(
            KernelError, match=rf"{name}_f32\.h does not define tinyc_{name}_f32: a kernel file is named"
        ):
            kernels.use(name, dtype)
        with pytest.raises(KernelError, match="is named after its function"):
            Printer(kernels).code(Call(dtype, name, (Arg(dtype, 0),)), ["x"])


def test_a_package_brings_an_operator_and_kernels(tmp_path: Path) -> None:
    need("gcc")
    done = run_outside(tmp_path, "compare.py")
    assert (done.stdout, done.returncode) == ("as the interpreter\n", 0), done.stderr

"""The C of each operator, as a file: `golden/operators/<mnemonic>.c` has a small module of that one operator in a
comment, and behind it what is particular about its C: the layer's functions, the call and the constants. What all
networks share is left out.

`--update-golden` writes the C, and begins a file with a random module; a better one is written by hand. All modules are
compiled as one program, which is compared with the interpreter and in which each of the functions is found again.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.c.support import Case, check, lowered, random
from tests.described import DATA, read
from tests.generate import OPERATORS, Grower, overrides, runs
from tinyc.backends.c import CodegenError, generate
from tinyc.ir import DType, Module, Node, Op, TensorType
from tinyc.ir.ops import Constant, Neg
from tinyc.ir.ops import registry as operators
from tinyc.ir.text import format_module

FOLDER = Path(__file__).parent / "golden" / "operators"
NAME = "net"
UPDATE = "pytest tests/c/test_golden_operators.py --update-golden"
HEAD = f"/* The C of one {{}}. `{UPDATE}` makes it of this module:\n\n"
_FUNCTION = re.compile(r"^TINYC_NOINLINE void \w+\([^)]*\)\n(\{\n.*?^\}\n)", re.MULTILINE | re.DOTALL)


def mnemonics() -> list[str]:
    """The operators that reach C, and those of which that is not known for want of a sampler."""
    return [kind.mnemonic for kind in OPERATORS if runs(kind) or not overrides(kind, "sample")]


@pytest.mark.parametrize("mnemonic", mnemonics())
def test_golden(mnemonic: str, update_golden: bool) -> None:
    compare(FOLDER / f"{mnemonic}.c", update_golden)


def compare(file: Path, update: bool) -> None:
    """Compares a golden file with what its module gives, or writes it when all of it is known."""
    mnemonic = file.stem
    if file.exists():
        given = file.read_text(encoding="ascii")
    else:
        module = random_instance(operators()[mnemonic])
        given = commented(mnemonic, text_of(module) if module else f"module @{mnemonic} {{\n  ...\n}}\n")
        if module is None or not update:
            how = (
                f"`{UPDATE}` writes {place(file)}, of this module"
                if module
                else f"write {place(file)}, then `{UPDATE}`"
            )
            what = f"; better is a small one of one {mnemonic}, of sizes that no tile divides, in its place"
            pytest.fail(f"{mnemonic} has no golden file: {how}{what if module else ''}\n\n{given}", pytrace=False)
    text = commented(mnemonic, module_text(given, file.name)) + excerpt(operator_of(given, mnemonic)[0])
    if update:
        file.write_text(text, encoding="ascii")
    else:
        assert given == text, f"the C of {mnemonic} changed; `{UPDATE}` accepts it"


def place(file: Path) -> str:
    """The path of a golden file in the project."""
    return (FOLDER / file.name).relative_to(Path(__file__).parents[2]).as_posix()


def strangers(folder: Path) -> str:
    """What to do about files that are of no operator."""
    found = [f for f in sorted(folder.iterdir()) if f.name not in {f"{mnemonic}.c" for mnemonic in mnemonics()}]
    return "\n".join(f"delete {place(f)}: no operator that reaches C is called {f.stem}" for f in found)


def test_files_are_of_operators() -> None:
    found = strangers(FOLDER)
    assert not found, found


def test_a_file_of_an_operator_that_is_gone_is_named(tmp_path: Path) -> None:
    for name in ("neg.c", "gone.c"):
        (tmp_path / name).touch()
    assert strangers(tmp_path).split(":")[0] == "delete tests/c/golden/operators/gone.c"


def test_an_update_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Module) -> str:
        raise CodegenError("no C")

    with monkeypatch.context() as patch:
        patch.setattr(f"{__name__}.excerpt", fails)
        with pytest.raises(CodegenError):
            compare(tmp_path / "neg.c", update=True)
    assert not any(tmp_path.iterdir())
    with pytest.raises(pytest.fail.Exception, match="neg has no golden file"):
        compare(tmp_path / "neg.c", update=False)
    compare(tmp_path / "neg.c", update=True)
    compare(tmp_path / "neg.c", update=False)


def test_an_operator_without_a_sampler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Neg, "sample", inspect.getattr_static(Op, "sample"))
    assert "neg" in mnemonics()
    with pytest.raises(NotImplementedError, match="Neg has no sampler"):
        compare(tmp_path / "neg.c", update=False)


def test_all_compute_what_the_interpreter_does() -> None:
    files = [FOLDER / f"{name}.c" for name in mnemonics() if (FOLDER / f"{name}.c").exists()]
    together = "".join(check([case_of(f) for f in files], "gcc").files.values())
    for file in files:
        for body in _FUNCTION.findall(file.read_text(encoding="ascii")):
            assert body in together, f"{file.name}: what was compiled has another body"


def commented(mnemonic: str, module: str) -> str:
    """The beginning of a golden file."""
    return f"{HEAD.format(mnemonic)}{module}*/\n"


def module_text(text: str, name: str) -> str:
    """The text of the module that a golden file, given by text and name, is made of."""
    found = re.match(r"/\*.*?\n\n(.*?^\}\n)\*/\n", text, re.MULTILINE | re.DOTALL)
    assert found, f"{name} begins with a comment: a line, an empty line and a module"
    return found[1]


def operator_of(text: str, mnemonic: str) -> tuple[Module, Node]:
    """The module of a golden file's text, and its operator."""
    name = f"{mnemonic}.c"
    module = read(module_text(text, name), name)
    nodes = [n for n in module.nodes if not isinstance(n.op, Constant)]
    assert [n.op.mnemonic for n in nodes] == [mnemonic], f"{name} is of one {mnemonic} and constants"
    return module, nodes[0]


def excerpt(module: Module) -> str:
    """What is particular about the C of a module: functions, what calls them, and constants."""
    files = generate(lowered(module), name=NAME).files
    source = files[f"{NAME}.c"]
    start = re.search(rf"^(TINYC_NOINLINE )?void {NAME}_", source, re.MULTILINE)
    assert start is not None
    attribute = f"#define {NAME.upper()}_WEIGHTS_ATTR\n#endif\n"
    return "\n" + source[start.start() :] + files.get(f"{NAME}_weights.c", "").partition(attribute)[2]


def case_of(file: Path) -> Case:
    """The operator of a golden file on its constants and on random inputs."""
    module, node = operator_of(file.read_text(encoding="ascii"), file.stem)
    rng = np.random.default_rng(1)
    known = [module.constant(v) for v in node.op.operands]
    arrays = [random(rng, v.shape, v.dtype) if a is None else a for v, a in zip(node.op.operands, known, strict=True)]
    constants = frozenset(k for k, array in enumerate(known) if array is not None)
    return Case(file.stem, lambda *operands: node.op.with_operands(operands), arrays, constants=constants)


def random_instance(kind: type[Op]) -> Module | None:
    """A small module of one operator of a kind and constants: something to begin with. None where none is made."""
    for seed in range(10_000):
        grower = Grower(Random(seed))
        grower.attempt(lambda g: g.sample(kind))
        if not grower.values:
            continue
        made = grower.builder.build(grower.values[-1:])
        nodes = tuple(dataclasses.replace(n, loc="") for n in made.nodes)
        module = dataclasses.replace(made, name=kind.mnemonic, nodes=nodes)
        computed = [n for n in module.nodes if not isinstance(n.op, Constant)]
        sizes = [v.type.size for v in (*module.inputs, *(n.result for n in module.nodes))]
        if [type(n.op) for n in computed] == [kind] and module.inputs and 4 <= computed[0].result.type.size <= 64:
            if max(sizes) <= 256:
                return module
    return None


def text_of(module: Module) -> str:
    """The text of a module, with other data that can be described in place of what is too large to be written."""
    printed = format_module(module)
    return "".join([*_descriptions(module, printed.data), printed.text])


def _descriptions(module: Module, names: object) -> Iterator[str]:
    for seed, (value, _) in enumerate((v, t) for v, t in module.constants() if v.name in names):  # type: ignore[operator]
        kind = "eighths" if value.dtype is DType.F32 else "integers"
        limits = ", low=-9, high=9" if value.dtype in (DType.I16, DType.I32, DType.I64) else ""
        yield f"{DATA}{value.name} = {kind}({TensorType(value.shape, value.dtype)}{limits}, seed={seed})\n"

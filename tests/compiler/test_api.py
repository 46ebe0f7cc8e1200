"""The library as its users see it: models in every form, results that are functions of arrays, options that type
checkers know."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tinyc
from tests.compiler.test_cli import MODEL, small_model
from tests.helpers import ROOT, run_python
from tests.sessions import open_onnxruntime
from tinyc.compiler.cli import options as cli
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.options import EXECUTORS, VERIFIED, OptionKeywords
from tinyc.compiler.options.options import Options
from tinyc.compiler.options.quantise import QuantiseOptions

RNG = np.random.default_rng(11)
IMAGE = RNG.random((1, 1, 28, 28), np.float32)


@pytest.fixture(scope="module")
def loaded() -> tinyc.Model:
    return tinyc.load(MODEL)


@pytest.fixture(scope="module")
def compiled() -> tinyc.Compilation:
    return tinyc.compile(MODEL, verify=False)


def two_inputs(path: Path, *names: str) -> Path:
    """a - b, and a constant for the second output."""
    a, b = names
    nodes = [
        helper.make_node("Sub", [a, b], ["difference"]),
        helper.make_node("Identity", [b], ["same"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 3)) for n in (a, b, "difference", "same")]
    graph = helper.make_graph(nodes, "g", ports[:2], ports[2:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def reference(image: Any) -> Any:
    session = open_onnxruntime(MODEL)
    return session.run(None, {session.get_inputs()[0].name: image})[0]


class TestCalls:
    def test_a_model_is_a_function(self, loaded: tinyc.Model) -> None:
        found = loaded(IMAGE)
        assert list(found) == ["probabilities"]
        np.testing.assert_allclose(found["probabilities"], reference(IMAGE), atol=1e-5)  # float32, softmax
        np.testing.assert_array_equal(loaded(image=IMAGE)["probabilities"], found["probabilities"])

    @pytest.mark.parametrize("on", VERIFIED)
    def test_a_compilation_is_a_function(self, on: Any, compiled: tinyc.Compilation) -> None:
        found = compiled(IMAGE, on=on)["probabilities"]
        np.testing.assert_allclose(found, reference(IMAGE), atol=1e-5)  # float32, softmax

    def test_several_inferences(self, loaded: tinyc.Model, compiled: tinyc.Compilation) -> None:
        images = RNG.random((3, 1, 28, 28), np.float32)
        each = np.concatenate([loaded(image[None])["probabilities"] for image in images])
        np.testing.assert_array_equal(loaded(images)["probabilities"], each)
        assert compiled(images, on="host")["probabilities"].shape == (3, 10)

    def test_inputs_by_position_and_by_name(self, tmp_path: Path) -> None:
        model = tinyc.load(two_inputs(tmp_path / "m.onnx", "a", "b"))
        a, b = np.full((1, 3), 5, np.float32), np.full((1, 3), 2, np.float32)
        for found in (model(a, b), model(a, b=b), model(b=b, a=a)):
            assert list(found) == ["difference", "same"]
            np.testing.assert_array_equal(found["difference"], a - b)

    def test_an_input_may_be_called_anything(self, tmp_path: Path) -> None:
        model = tinyc.compile(two_inputs(tmp_path / "m.onnx", "self", "on"), verify=False)
        a, b = np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32)
        np.testing.assert_array_equal(model(a, b)["difference"], a)
        np.testing.assert_array_equal(tinyc.load(tmp_path / "m.onnx")(self=a, on=b)["difference"], a)

    def test_results_are_the_callers_own(self, tmp_path: Path) -> None:
        model = tinyc.load(two_inputs(tmp_path / "m.onnx", "a", "b"))
        a, b = np.ones((1, 3), np.float32), np.ones((1, 3), np.float32)
        model(a, b)["same"][:] = 7
        np.testing.assert_array_equal(b, np.ones((1, 3)))

    def test_arrays_are_the_onnx_models_whatever_the_layout(self, loaded: tinyc.Model) -> None:
        rows = tinyc.load(MODEL, input_layout="nhwc")
        np.testing.assert_array_equal(rows(IMAGE)["probabilities"], loaded(IMAGE)["probabilities"])

    def test_integers_at_the_interface(self) -> None:
        data = Calibration([[RNG.random((1, 1, 28, 28), np.float32)] for _ in range(4)])
        how = QuantiseOptions(data, input_type="int8", output_type="int8")
        compiled = tinyc.compile(MODEL, verify=False, quantise=how)
        found = compiled(IMAGE)["probabilities"]
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, compiled(IMAGE, on="host")["probabilities"])

    @pytest.mark.parametrize(
        ("arrays", "named", "words"),
        [
            ((), {}, "lacks the input(s) 'image'"),
            ((IMAGE, IMAGE), {}, "2 arrays are given, and the model's inputs are 'image'"),
            ((IMAGE,), {"image": IMAGE}, "'image' is given by position and by name"),
            ((), {"picture": IMAGE}, "'picture'; the model's inputs are 'image'"),
            ((IMAGE[0, 0],), {}, "[1, 1, 28, 28]"),
            ((IMAGE.astype(complex),), {}, "complex128"),
            (([[1.0]],), {}, "'image' takes an array, not [[1.0]]"),
            ((np.full_like(IMAGE, np.nan),), {}, "NaN"),
        ],
    )
    def test_wrong_arrays(
        self, arrays: Any, named: Any, words: str, loaded: tinyc.Model, compiled: tinyc.Compilation
    ) -> None:
        for function in (loaded, compiled):
            with pytest.raises(tinyc.TinycError) as caught:
                function(*arrays, **named)
            assert words in str(caught.value)

    def test_an_unknown_executor(self, compiled: tinyc.Compilation) -> None:
        with pytest.raises(tinyc.TinycError, match="unknown executor 'gpu'; the executors are interpreter, host"):
            compiled(IMAGE, on="gpu")  # type: ignore[arg-type]


FORMS: dict[str, Callable[[Path], Any]] = {
    "text": str,
    "path": Path,
    "bytes": Path.read_bytes,
    "in memory": onnx.load,
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_every_function_takes_every_form(self, form: str, tmp_path: Path) -> None:
        model = FORMS[form](small_model(tmp_path / "relu.onnx"))
        before = model.SerializeToString() if isinstance(model, onnx.ModelProto) else None
        x = np.array([[-1, 0, 2, -3]], np.float32)
        np.testing.assert_array_equal(tinyc.load(model)(x)["y"], np.maximum(x, 0))
        compiled = tinyc.compile(model)
        assert compiled.source.name == ("relu" if form in ("text", "path") else "model")
        np.testing.assert_array_equal(tinyc.run(model, {"x": x})["y"], np.maximum(x, 0))
        assert all(v.passed for v in tinyc.verify(model))
        assert tinyc.bench(model)["instructions"] > 0
        tinyc.quantize(model, tmp_path / "q.onnx", QuantiseOptions(Calibration([[x]])))
        assert (tmp_path / "q.onnx").exists()
        assert before is None or model.SerializeToString() == before, "the user's model was changed"

    def test_the_c_is_the_same(self) -> None:
        sources = [tinyc.compile(form(MODEL), name="net", verify=False).source.files for form in FORMS.values()]
        assert all(s == sources[0] for s in sources)

    def test_errors_name_what_was_given(self, tmp_path: Path) -> None:
        path = small_model(tmp_path / "odd.onnx", operator="Gibberish")
        for form, named in (
            (Path, "odd.onnx uses"),
            (Path.read_bytes, "the model uses"),
            (onnx.load, "the model uses"),
        ):
            with pytest.raises(tinyc.TinycError, match=f"^{named} .*Gibberish"):
                tinyc.compile(form(path))
        for model in (b"", b"\xff\xfe", onnx.ModelProto()):
            with pytest.raises(tinyc.TinycError, match=r"^the model is not an ONNX file"):
                tinyc.load(model)

    def test_weights_in_other_files(self, tmp_path: Path) -> None:
        model = onnx.load(MODEL)
        onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0)
        assert tinyc.load(tmp_path / "m.onnx").parameters == tinyc.load(MODEL).parameters
        for inside in ((tmp_path / "m.onnx").read_bytes(), onnx.load(tmp_path / "m.onnx", load_external_data=False)):
            with pytest.raises(tinyc.TinycError, match=r"weights in other files.*give the path"):
                tinyc.load(inside)
        assert tinyc.load(onnx.load(tmp_path / "m.onnx")).parameters == tinyc.load(MODEL).parameters


class TestOptions:
    def test_keywords_are_the_fields(self) -> None:
        """Stated twice, since no type checker derives one from the other; documented and given defaults once."""
        fields = get_type_hints(Options, include_extras=True)
        assert get_type_hints(OptionKeywords, include_extras=True) == fields
        assert set(fields) == {f.name for f in dataclasses.fields(Options)}

    @pytest.mark.parametrize("options", [Options, QuantiseOptions])
    def test_every_option_is_documented(self, options: type) -> None:
        for field in dataclasses.fields(options):
            assert f"\n        {field.name}: " in str(options.__doc__), field.name

    def test_the_command_line_has_the_librarys_defaults(self) -> None:
        assert Options(**cli.code_options()) == Options(extra_passes=[])

    def test_the_types_name_everything_there_is(self) -> None:
        from tinyc.backends.libraries import CHOICES
        from tinyc.backends.packages import ARENAS, FORMATS, WEIGHTS
        from tinyc.backends.runners import MACHINES, RUNNERS
        from tinyc.compiler.options import MachineName

        def words(hint: Any) -> set[str]:
            inner = getattr(hint, "__args__", ())
            return {hint} if isinstance(hint, str) else {w for part in inner for w in words(part)}

        hints = get_type_hints(Options, include_extras=True)
        assert ("interpreter", *RUNNERS) == EXECUTORS
        assert words(MachineName) == set(MACHINES)
        assert words(hints["arena_in"]) == set(ARENAS)
        assert words(hints["weights_in"]) == set(WEIGHTS)
        assert words(hints["format"]) == {*FORMATS, ""}
        assert words(hints["kernels"]) == set(CHOICES)

    def test_a_misspelt_option_is_a_type_error(self) -> None:
        for function in (tinyc.compile, tinyc.verify, tinyc.bench):
            with pytest.raises(TypeError, match=r"has no option `tagret`; did you mean `target`?"):
                function(MODEL, tagret="esp32")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="has no option `tagret`"):
            tinyc.run(MODEL, IMAGE, tagret="esp32")  # type: ignore[call-arg]

    def test_bytes_as_people_write_them(self) -> None:
        for ram, size in (("64K", 65536), ("1M", 1 << 20), ("4096", 4096), ("1.5kB", 1536), (4096, 4096), (None, None)):
            assert Options(ram=ram).ram_bytes == size  # type: ignore[arg-type]
        small, large = (tinyc.compile(MODEL, verify=False, ram=r).source.arena_bytes for r in ("16K", 16384))
        assert small == large <= 16384
        with pytest.raises(tinyc.TinycError, match=r"the smallest arena is .* more than `ram` allows \(1,024\)"):
            tinyc.compile(MODEL, verify=False, ram="1K")

    def test_the_version(self) -> None:
        assert tinyc.__version__ == tinyc.compiler.base.version.VERSION


RIGHT = """
from pathlib import Path

import numpy as np
import onnx

import tinyc

image = np.zeros((1, 1, 28, 28), np.float32)
result: tinyc.Compilation = tinyc.compile(
    Path("model.onnx"), output="out", target="esp32", ram="64K", rows_from="callback", cores=2, format="idf",
    quantise=tinyc.QuantiseOptions("digits.npz", input_type="uint8"), extra_passes=[], weights_in="internal",
)
model: tinyc.Model = tinyc.load(onnx.ModelProto(), input_layout="nhwc")
first: float = float(model(image)["probabilities"][0, 0]) + float(result(image, on="host")["probabilities"][0, 0])
passed: bool = all(v.passed for v in tinyc.verify(b"", on=["interpreter", "rv32imc"], ram=4096))
count: int = tinyc.bench("model.onnx", on="rv32imc", kernels="auto")["instructions"]
shape: tuple[int, ...] = tinyc.run("model.onnx", {"image": image}, on="host", name="net")["probabilities"].shape
layers: int = len(tinyc.quantize("model.onnx", "out.onnx", tinyc.QuantiseOptions("digits.npz")))
version: str = tinyc.__version__
options = tinyc.Options(target="esp32", ram=1024)
"""
WRONG = """
import tinyc

tinyc.compile("model.onnx", tagret="esp32")
tinyc.verify("model.onnx", cores="2")
tinyc.bench("model.onnx", rows_from="callbak")
tinyc.load(42)
tinyc.run("model.onnx", "digits.npz").shape
"""
ERRORS = ['"tagret"', '"cores"', '"rows_from"', 'incompatible type "int"', '"shape"']


def type_checked(text: str, folder: Path) -> list[str]:
    """What mypy finds wrong in a script of a user's."""
    pytest.importorskip("mypy")
    (folder / "script.py").write_text(text)
    command = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", "--hide-error-context"]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *command, str(folder / "script.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not found.stderr, found.stderr
    return [line for line in found.stdout.splitlines() if ": error:" in line]


def test_a_type_checker_passes_what_is_right(tmp_path: Path) -> None:
    assert type_checked(RIGHT, tmp_path) == []


def test_a_type_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    found = type_checked(WRONG, tmp_path)
    assert len(found) == len(ERRORS), found
    for line, error, number in zip(found, ERRORS, range(4, 9), strict=True):
        assert f"script.py:{number}:" in line
        assert error in line


def test_an_input_may_be_called_as_the_executor_is_given() -> None:
    graph = "g (float[1,2] on, float[1,2] self) => (float[1,2] y) {y = Add(on, self)}"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    ones = np.ones((1, 2), np.float32)
    compiled = tinyc.compile(model, verify=False)
    np.testing.assert_array_equal(compiled(on=ones, self=ones)["y"], ones + ones)
    np.testing.assert_array_equal(tinyc.load(model)(on=ones, self=ones)["y"], ones + ones)


def test_the_package_runs_as_a_command() -> None:
    done = run_python(ROOT, "-m", "tinyc", "--version")
    assert done.returncode == 0, done.stderr

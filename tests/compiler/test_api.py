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
from tinyc.compiler.session import Session

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


SAMPLES = [[RNG.random((1, 1, 28, 28), np.float32)] for _ in range(4)]


class TestCalibration:
    def test_input_sets_will_do(self) -> None:
        """A list of them is what a `Calibration` of it is, and a file of labels goes with either."""
        wanted = tinyc.compile(MODEL, verify=False, quantise=QuantiseOptions(Calibration(SAMPLES))).files
        found = tinyc.compile(MODEL, verify=False, quantise=QuantiseOptions(SAMPLES)).files
        assert {n: t for n, t in found.items() if n != "report.json"} == {
            n: t for n, t in wanted.items() if n != "report.json"
        }

    def test_labels_go_with_them(self, tmp_path: Path) -> None:
        (tmp_path / "labels.txt").write_text("1 2 3 4")
        for data in (SAMPLES, Calibration(SAMPLES), Calibration(SAMPLES, (0, 0, 0, 0))):
            how = QuantiseOptions(data, labels=tmp_path / "labels.txt")
            calibration = Session(MODEL, tinyc.Options(quantise=how)).calibration
            assert calibration is not None
            assert calibration.labels == (1, 2, 3, 4)
        (tmp_path / "labels.txt").write_text("1 2 3")
        with pytest.raises(tinyc.TinycError, match=r"labels.txt has 3 labels for 4 inputs"):
            tinyc.compile(MODEL, quantise=QuantiseOptions(SAMPLES, labels=tmp_path / "labels.txt"))
        for labels, words in (
            ((1,), "`calibration` has 1 labels for 4 inputs"),
            ((1, 2, -1, 3), "`calibration`: labels are whole numbers, 0 or above"),
        ):
            with pytest.raises(tinyc.TinycError, match=words):
                tinyc.compile(MODEL, quantise=QuantiseOptions(Calibration(SAMPLES, labels)))

    def test_one_array_of_all_input_sets(self) -> None:
        given: Any = np.stack([np.stack(sample) for sample in SAMPLES])
        session = Session(MODEL, tinyc.Options(quantise=QuantiseOptions(given), verify=False, accept_accuracy=True))
        assert session.calibration is not None
        assert [[a.shape for a in s] for s in session.calibration.samples] == [[(1, 1, 28, 28)]] * 4
        assert session.quantised.made is not None

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            ([[IMAGE[0]]], r"`calibration`: input set 0 has the array float32\[1, 28, 28\]"),
            ([[IMAGE, IMAGE]], "`calibration`: input set 0 has 2"),
            ([], "`calibration` holds no inputs"),
            ([[np.full_like(IMAGE, np.nan)]], "`calibration`: input 0 of input set 0 holds NaN"),
            ([[np.ma.masked_less(IMAGE, 0.5)]], "`calibration`: input 0 of input set 0 is a masked array"),
        ],
    )
    def test_what_does_not_fit(self, data: Any, words: str) -> None:
        for given in (data, Calibration(data)):
            with pytest.raises(tinyc.TinycError, match=words):
                tinyc.compile(MODEL, quantise=QuantiseOptions(given))

    def test_what_is_none(self) -> None:
        for function in (QuantiseOptions, Calibration):
            with pytest.raises(tinyc.TinycError, match="a list, of which each is a list, of which each is an array"):
                function([IMAGE.tolist()])  # type: ignore[arg-type]


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

    @pytest.mark.parametrize("input_type", ["int8", "uint8"])
    def test_integers_at_the_interface(self, input_type: Any) -> None:
        """The network takes them as they are, or made of the model's floats."""
        how = QuantiseOptions(SAMPLES, input_type=input_type, output_type="int8")
        compiled = tinyc.compile(MODEL, verify=False, quantise=how)
        found = compiled(IMAGE)["probabilities"]
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, compiled(IMAGE, on="host")["probabilities"])
        (port,) = compiled.lowered.inputs
        own = np.clip(np.rint(IMAGE / port.scale + port.zero), *port.dtype.limits).astype(input_type)
        np.testing.assert_array_equal(compiled(own)["probabilities"], found)
        both = compiled(np.concatenate([own, own]))["probabilities"]
        np.testing.assert_array_equal(both, np.concatenate([found, found]))
        # Other integers are the model's own numbers: half of the pixels would be limited, if not more.
        np.testing.assert_array_equal(
            compiled(own.astype(np.int32))["probabilities"], compiled(own.astype(np.float32))["probabilities"]
        )

    def test_pixels_for_a_network_that_takes_pixels(self, tmp_path: Path) -> None:
        normalise = tinyc.Normalise(100.0, 50.0)
        data = [[(a * 255 - 100) / np.float32(50)] for (a,) in SAMPLES]
        how = QuantiseOptions(data, input_type="uint8", normalise=normalise)
        compiled = tinyc.compile(MODEL, verify=False, quantise=how)
        for pixels in ((IMAGE * 255).astype(np.uint8), np.zeros(IMAGE.shape, np.uint8)):
            found = compiled(pixels)["probabilities"]
            np.save(tmp_path / "pixels.npy", pixels)
            for given in (pixels, tmp_path / "pixels.npy"):
                notes: list[str] = []
                ran = tinyc.run(MODEL, given, on="interpreter", quantise=how, note=notes.append)["probabilities"]
                np.testing.assert_array_equal(ran, found)
                assert notes == []

    def test_pixels_are_normalised_as_those_of_the_calibration(self, tmp_path: Path) -> None:
        how = QuantiseOptions(SAMPLES, normalise=tinyc.Normalise())
        pixels = (IMAGE * 255).astype(np.uint8)
        found = tinyc.run(MODEL, pixels, on="interpreter", quantise=how)
        wanted = tinyc.run(MODEL, pixels / np.float32(255), on="interpreter", quantise=how)
        np.testing.assert_array_equal(found["probabilities"], wanted["probabilities"])

    def test_integers_of_a_scale_that_is_not_known_yet(self) -> None:
        how = QuantiseOptions(SAMPLES, input_type="int8")
        with pytest.raises(tinyc.TinycError, match="'image' is given as int8, in a scale that follows from the calib"):
            tinyc.run(MODEL, np.zeros(IMAGE.shape, np.int8), quantise=how)

    @pytest.mark.parametrize(
        ("arrays", "named", "words"),
        [
            ((), {}, "the call: nothing for 'image'; the model's inputs are 'image'"),
            ((IMAGE, IMAGE), {}, "2 arrays are given, and the model's inputs are 'image'"),
            ((IMAGE,), {"image": IMAGE}, "'image' is given by position and by name"),
            ((), {"picture": IMAGE}, "'picture'; the model's inputs are 'image'"),
            ((IMAGE[0, 0],), {}, "[1, 1, 28, 28]"),
            ((IMAGE.astype(complex),), {}, "complex128"),
            (([[1.0]],), {}, "'image' takes an array, not [[1.0]]"),
            ((np.full_like(IMAGE, np.nan),), {}, "NaN"),
            ((np.ma.masked_less(IMAGE, 0.5),), {}, "input 'image' is a masked array"),
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
at_hand = tinyc.QuantiseOptions([[image]]), tinyc.QuantiseOptions(tinyc.Calibration([[image]], (3,)))
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

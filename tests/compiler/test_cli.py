"""The command line: what it writes, prints and returns, and that bad input gives one message and status 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner, Result

from tests.helpers import ROOT
from tinyc.compiler.cli import app, main

MODEL = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
RUNNER = CliRunner()


def tinyc(*arguments: object) -> Result:
    return RUNNER.invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def refused(result: Result, *words: str) -> str:
    """One message on stderr, status 2, nothing on stdout, no traceback."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    message = " ".join(result.stderr.split())
    assert message.startswith("error: ")
    assert "Traceback" not in message
    for word in words:
        assert word in message, message
    return message


def small_model(path: Path, *, operator: str = "Relu", shape: tuple[object, ...] = (1, 4), opset: int = 17) -> Path:
    node = helper.make_node(operator, ["x"], ["y"], name="only")
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return small_model(tmp_path / "relu.onnx")


def test_compile_writes_the_package_and_a_table(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = tinyc("compile", MODEL, "--target", "esp32", "-o", out)
    assert result.exit_code == 0, result.output
    for word in ("layers", "parameters", "3,258", "MACs", "452,216", "arena", "weights", "verified", "host"):
        assert word in result.stdout
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert {"CMakeLists.txt", "idf_component.yml", "include/mobile_lenet.h", "src/mobile_lenet.c"} <= written
    assert {"src/mobile_lenet_weights.c", "examples/mobile_lenet_example/main/main.c", "report.json"} <= written


def test_json_is_the_report_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = tinyc("compile", MODEL, "-o", out, "--json")
    report = json.loads(result.stdout)
    assert report == json.loads((out / "report.json").read_text())
    assert set(report) >= {"model", "target", "parameters", "macs", "ram", "flash", "passes", "layers"}
    assert set(report["ram"]) >= {"arena_bytes", "input_bytes", "output_bytes"}
    assert report["flash"]["weights_bytes"] > 0
    assert all(set(p) == {"name", "seconds", "max_abs_error"} for p in report["passes"])
    assert sum(layer["macs"] for layer in report["layers"]) == report["macs"]


def test_the_default_folder_and_name(relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tinyc("compile", relu, "--no-verify").exit_code == 0
    assert (tmp_path / "relu_host" / "relu.c").exists()
    assert tinyc("compile", relu, "--no-verify", "--name", "other", "-o", "x").exit_code == 0
    assert (tmp_path / "x" / "other.h").exists()


def test_dump_ir_has_every_stage(relu: Path, tmp_path: Path) -> None:
    dumps = tmp_path / "ir"
    assert tinyc("compile", relu, "-o", tmp_path / "out", "--dump-ir", dumps).exit_code == 0
    names = sorted(p.name for p in dumps.iterdir())
    assert names[0] == "00-input.tc"
    assert names[-1].endswith("-use-spare-memory.rows")


def test_debug_pass_says_what_was_rewritten(tmp_path: Path) -> None:
    result = tinyc("compile", MODEL, "-o", tmp_path / "out", "--debug-pass", "fold-batch-norm")
    assert "stem_bn" in result.stderr


@pytest.mark.parametrize("layout", ["onnx", "nhwc"])
def test_input_layout(layout: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shape = (1, 3, 8, 6)
    weights = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", (1, 2, 6, 4)))]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    report = json.loads(tinyc("compile", tmp_path / "m.onnx", "-o", out, "--input-layout", layout, "--json").stdout)
    operators = [layer["operator"] for layer in report["layers"]]
    assert operators.count("transpose") == (2 if layout == "onnx" else 1), "the output stays in the model's layout"
    assert ("1x8x6x3" in (out / "m.h").read_text()) == (layout == "nhwc")


def test_inspect(relu: Path, tmp_path: Path) -> None:
    document = json.loads(tinyc("inspect", MODEL, "--json").stdout)
    assert document["macs"] == 452_216
    assert document["parameters"] == 3_258
    assert document["operators"]["Conv"] == 13
    assert document["unsupported"] == []
    odd = small_model(tmp_path / "odd.onnx", operator="NonZero")
    result = tinyc("inspect", odd)
    assert result.exit_code == 0
    assert "NonZero" in result.stdout
    assert json.loads(tinyc("inspect", odd, "--json").stdout)["macs"] is None


@pytest.mark.parametrize("on", ["interpreter", "host"])
def test_run(on: str, tmp_path: Path) -> None:
    with np.load(MODEL.parent / "digits.npz") as digits:
        images = digits["image"].astype(np.float32).reshape(-1, 1, 28, 28) / np.float32(255)
        labels = digits["label"]
    np.savez(tmp_path / "in.npz", image=images)
    result = tinyc("run", MODEL, "--inputs", tmp_path / "in.npz", "--on", on, "-o", tmp_path / "out.npz", "--json")
    document = json.loads(result.stdout)
    with np.load(tmp_path / "out.npz") as outputs:
        assert outputs["probabilities"].shape == (16, 10)
        assert outputs["probabilities"].argmax(axis=1).tolist() == document["outputs"]["probabilities"]["argmax"]
    assert (
        sum(int(a) == int(b) for a, b in zip(document["outputs"]["probabilities"]["argmax"], labels, strict=True)) == 15
    )


def test_verify(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", image=np.zeros((2, 1, 28, 28), np.float32))
    result = tinyc("verify", MODEL, "--on", "interpreter,host", "--inputs", tmp_path / "in.npz", "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["passed"] is True
    assert [e["samples"] for e in document["executors"]] == [2, 2]


BREAKING = '''
import dataclasses
from tinyc.ir.ops import Clamp
from tinyc.passes import Pass, Replaced, rewrite

@dataclasses.dataclass(frozen=True)
class Careless(Pass, name="{name}"):
    """Forgets a lower limit."""

    def run(self, module):
        def forget(node, rewriter):
            if isinstance(node.op, Clamp) and node.op.min == 0.0:
                return Replaced(dataclasses.replace(node.op, min=-1.0))
        return rewrite(module, [forget])
'''


def test_a_custom_pass_that_breaks_the_model_gives_status_1(
    relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "careless_cli.py").write_text(BREAKING.format(name="careless-cli"))
    monkeypatch.chdir(tmp_path)
    result = tinyc("compile", relu, "-o", "out", "--pass", "careless_cli:Careless")
    assert result.exit_code == 1, result.output
    assert "pass careless-cli: changed the meaning" in result.stderr
    assert not (tmp_path / "out").exists()
    document = json.loads(tinyc("compile", relu, "-o", "out", "--pass", "careless_cli:Careless", "--json").stdout)
    assert document["status"] == 1


def test_opt_reads_and_writes_text(tmp_path: Path) -> None:
    file = tmp_path / "net.tc"
    file.write_text(
        "module @net {\n  input %x: f32[1,4]\n  %a = clamp(%x) {min = 0.0} : f32[1,4]\n"
        "  %b = clamp(%a) {max = 6.0} : f32[1,4]\n  %c = neg(%x) : f32[1,4]\n  return %b\n}\n"
    )
    result = tinyc("opt", file, "--passes", "simplify,eliminate-dead")
    assert result.exit_code == 0, result.output
    assert "clamp(%x) {min = 0.0, max = 6.0}" in result.stdout
    assert "neg" not in result.stdout
    rows = tinyc("opt", file, "--passes", "simplify,lower-to-rows,share-buffers,plan-arena")
    assert rows.stdout.startswith("rows @net {")
    refused(tinyc("opt", file, "--passes", "nonsense"), "no pass 'nonsense'")
    refused(tinyc("opt", file, "--passes", "plan-arena"), "plan-arena does not run on the tensor level")
    file.write_text("module @net {\n  return %x\n}\n")
    refused(tinyc("opt", file), "net.tc:2:10", "not defined")


def test_lists() -> None:
    assert "fold-batch-norm" in tinyc("passes").stdout
    targets = json.loads(tinyc("targets", "--json").stdout)
    assert {"esp32", "esp32c3", "esp32s3", "host"} <= {t["name"] for t in targets}
    assert all(t["description"] for t in targets)
    assert tinyc("--version").stdout.startswith("tinyc ")


def test_a_bug_is_called_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def buggy() -> None:
        raise KeyError("lost")

    with pytest.raises(SystemExit) as caught:
        main(buggy)
    assert caught.value.code == 3
    assert "bug in tinyc" in capsys.readouterr().err


class TestBadInput:
    def test_not_a_model(self, tmp_path: Path) -> None:
        (tmp_path / "notes.onnx").write_text("shopping list: milk, eggs")
        refused(tinyc("compile", tmp_path / "notes.onnx"), "notes.onnx")

    def test_truncated(self, tmp_path: Path) -> None:
        (tmp_path / "half.onnx").write_bytes(MODEL.read_bytes()[:9000])
        refused(tinyc("compile", tmp_path / "half.onnx", "-o", tmp_path / "out"), "half.onnx")
        assert not (tmp_path / "out").exists()

    def test_missing(self, tmp_path: Path) -> None:
        refused(tinyc("compile", tmp_path / "absent.onnx"), "absent.onnx")

    def test_an_opset_that_is_too_new(self, tmp_path: Path) -> None:
        refused(tinyc("compile", small_model(tmp_path / "m.onnx", opset=999)), "opset", "999")

    def test_every_unsupported_operator_is_named(self, tmp_path: Path) -> None:
        nodes = [
            helper.make_node("NonZero", ["x"], ["a"], name="first"),
            helper.make_node("Frobnicate", ["a"], ["y"], name="second", domain="com.example"),
        ]
        ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (2, 2)) for n in "xy"]
        graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
        refused(tinyc("compile", tmp_path / "m.onnx"), "NonZero", "first", "Frobnicate", "second")

    def test_symbolic_dimension(self, tmp_path: Path) -> None:
        model = small_model(tmp_path / "m.onnx", shape=("batch", "length"))
        refused(tinyc("compile", model), "length", "--input-shape x=")
        assert tinyc("compile", model, "-o", tmp_path / "o", "--input-shape", "x=1,5", "--no-verify").exit_code == 0

    @pytest.mark.parametrize("shape", ["x=1,5", "x:1,5"])
    def test_another_batch(self, tmp_path: Path, shape: str) -> None:
        model = small_model(tmp_path / "m.onnx", shape=(8, 5))
        result = tinyc("compile", model, "-o", tmp_path / "o", "--input-shape", shape)
        assert result.exit_code == 0
        assert "batch 1 instead of the model's 8" in " ".join(result.stdout.split())
        refused(tinyc("compile", model, "--input-shape", "x:1,6"), "[1, 6]", "[8, 5]", "only its batch")

    @pytest.mark.parametrize(
        "shape", ["x", "x=", "x:", "x=1,a", "x:1,", ":1,2", "x=" + "9" * 99, "=1,2", "x=0,2", "x=-1,2"]
    )
    def test_malformed_shape(self, shape: str, relu: Path) -> None:
        refused(tinyc("compile", relu, "--input-shape", shape), "--input-shape takes NAME=1,3,96,96")

    def test_unknown_input_in_shape(self, relu: Path) -> None:
        refused(tinyc("compile", relu, "--input-shape", "z=1,4"), "z")

    def test_unknown_target(self, relu: Path) -> None:
        refused(tinyc("compile", relu, "--target", "esp8266"), "unknown target 'esp8266'", "esp32", "host")

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            ("name = ", "not valid TOML"),
            ('name = "x"', "missing key(s) description"),
            ('nam = "x"', "unknown key(s) nam"),
            ("name = 3", "name takes a value of type str"),
        ],
    )
    def test_a_wrong_target_file(self, content: str, word: str, relu: Path, tmp_path: Path) -> None:
        (tmp_path / "board.toml").write_text(content)
        refused(tinyc("compile", relu, "--target", tmp_path / "board.toml"), word)

    def test_unwritable_output(self, relu: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        refused(tinyc("compile", relu, "-o", tmp_path / "file" / "out"), "cannot write")

    def test_other_peoples_files(self, relu: Path, tmp_path: Path) -> None:
        refused(tinyc("compile", relu, "-o", tmp_path), "relu.onnx", "tinyc did not write")
        assert [p.name for p in tmp_path.iterdir()] == ["relu.onnx"]

    def test_missing_external_data(self, tmp_path: Path) -> None:
        weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 4)) for n in "xy"]
        graph = helper.make_graph([node], "g", ports[:1], ports[1:], [weights])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
        (tmp_path / "m.data").unlink()
        refused(tinyc("compile", tmp_path / "m.onnx"), "m.data")

    @pytest.mark.parametrize("name", ["int main", "3d", "a-b", "é", "x;"])
    def test_a_name_that_is_no_identifier(self, name: str, relu: Path) -> None:
        refused(tinyc("compile", relu, "--name", name), "not a C identifier")

    def test_a_custom_pass_that_is_not_there(self, relu: Path) -> None:
        refused(tinyc("compile", relu, "--pass", "no_such_module:Pass"), "cannot import no_such_module")
        refused(tinyc("compile", relu, "--pass", "json:dumps"), "not a subclass of tinyc.passes.Pass")

    def test_wrong_arrays(self, relu: Path, tmp_path: Path) -> None:
        file = tmp_path / "in.npz"
        refused(tinyc("run", relu, "--inputs", file), "no file")
        file.write_text("zip?")
        refused(tinyc("run", relu, "--inputs", file), "not a readable .npz")
        for arrays, word in [
            ({}, "in.npz: nothing for 'x'; the model's inputs are 'x'"),
            (
                {"x": np.zeros((1, 4), np.float32), "q": np.zeros(1)},
                "in.npz: no input is called 'q'; the model's inputs are 'x'",
            ),
            ({"x": np.zeros((1, 5), np.float32)}, "the array is [1, 5]"),
            ({"x": np.full((1, 4), np.nan, np.float32)}, "NaN"),
            ({"x": np.zeros((1, 4), np.complex64)}, "complex64"),
        ]:
            np.savez(file, **arrays)
            refused(tinyc("run", relu, "--inputs", file), word)

    def test_unknown_executor(self, relu: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "in.npz", x=np.zeros((1, 4), np.float32))
        refused(tinyc("run", relu, "--inputs", tmp_path / "in.npz", "--on", "gpu"), "unknown executor 'gpu'")
        refused(tinyc("verify", relu, "--on", "gpu"), "unknown executor 'gpu'")

    def test_json_errors_are_json(self, relu: Path) -> None:
        result = tinyc("compile", relu, "--target", "pdp11", "--json")
        assert result.exit_code == 2
        assert json.loads(result.stdout)["status"] == 2

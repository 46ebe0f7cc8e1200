"""`--cores`: what is refused, what is reported, and which files there are."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

import tinyc
from tests.c.support import STRICT
from tests.helpers import ROOT
from tinyc.backends.targets import find
from tinyc.compiler.cli import app
from tinyc.compiler.lowering.cores import check_cores
from tinyc.ir.errors import TinycError

LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
RUNNER = CliRunner()


def save(graph: onnx.GraphProto, path: Path) -> None:
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("cores", [-1, 0, 3])
def test_other_numbers_are_refused(cores: int) -> None:
    with pytest.raises(TinycError, match=f"`cores` takes one of 1, 2, not {cores}"):
        tinyc.compile(LENET, cores=cores, verify=False)
    with pytest.raises(TinycError, match=f"`cores` takes one of 1, 2, not {cores}"):
        tinyc.verify(LENET, cores=cores)


def test_a_target_of_one_core_is_refused_by_name() -> None:
    target = dataclasses.replace(find("host"), name="small_board", cores=1)
    with pytest.raises(TinycError, match="`cores=2`: target small_board has 1 core; leave `cores` out"):
        check_cores(2, target)
    check_cores(1, target)
    for name in ("esp32c3", "esp32c6", "esp32h2", "esp32s2"):
        with pytest.raises(TinycError, match=f"target {name} has 1 core"):
            tinyc.compile(LENET, target=name, cores=2, verify=False)


@pytest.mark.parametrize("name", ["host", "esp32", "esp32s3", "esp32p4"])
def test_targets_of_two_cores(name: str) -> None:
    check_cores(2, find(name))


def test_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = RUNNER.invoke(app, ["compile", str(LENET), "--cores", "2", "-o", str(out), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["cores"]["used"] == 2
    assert report["cores"]["shared_layers"]
    assert 0 < report["cores"]["shared_macs"] <= report["macs"]
    assert {p.name for p in out.iterdir()} >= {"mobile_lenet_cores.c", "mobile_lenet_cores.h"}
    assert "int mobile_lenet_cores_start(void);" in (out / "mobile_lenet.h").read_text(encoding="ascii")
    result = RUNNER.invoke(app, ["compile", str(LENET), "--cores", "4"])
    assert result.exit_code == 2
    assert "--cores takes one of 1, 2, not 4" in " ".join(result.stderr.split())


def test_one_core_has_no_worker() -> None:
    made = tinyc.compile(LENET, verify=False)
    assert made.report["cores"] == {"used": 1, "shared_layers": [], "shared_macs": 0}
    assert not any("cores" in name for name in made.source.files)
    assert "cores_" not in "".join(made.source.files.values())


def test_a_network_too_small_says_so(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 4, 4]) for n in "xy"]
    save(helper.make_graph(nodes, "small", ports[:1], ports[1:]), tmp_path / "small.onnx")
    made = tinyc.compile(tmp_path / "small.onnx", cores=2)
    assert any("`cores=2` changes nothing" in note for note in made.notes)
    assert made.source.cores == 1
    assert "cores" not in "".join(made.source.files)


def test_the_arena_stays_within_the_budget() -> None:
    """Layers are shared as far as memory allows: all, some, none."""
    free = tinyc.compile(LENET, cores=2, verify=False).report
    least = tinyc.compile(LENET, verify=False).report
    assert least["ram"]["arena_bytes"] < free["ram"]["arena_bytes"]
    half = (least["ram"]["arena_bytes"] + free["ram"]["arena_bytes"]) // 2
    made = tinyc.compile(LENET, cores=2, ram=half, verify=False).report
    assert made["ram"]["arena_bytes"] <= half
    assert 0 < made["cores"]["shared_macs"] < free["cores"]["shared_macs"]
    with pytest.raises(TinycError, match="more than `ram` allows"):
        tinyc.compile(LENET, cores=2, ram=least["ram"]["arena_bytes"] - 1000, verify=False)


def test_two_networks_in_one_program(tmp_path: Path) -> None:
    """Each has a worker of its own, and names that do not meet."""
    names = []
    for name in ("first", "second"):
        source = tinyc.compile(LENET, name=name, cores=2, verify=False, rows_from="argument").source
        for file, text in source.files.items():
            (tmp_path / file).write_text(text, encoding="ascii")
            names += [file] if file.endswith(".c") else []
    text = """
        #include <string.h>
        #include "first.h"
        #include "second.h"
        FIRST_ARENA(one);
        SECOND_ARENA(two);
        static float image[FIRST_INPUT_SIZE], a[FIRST_OUTPUT_SIZE], b[FIRST_OUTPUT_SIZE];
        int main(void)
        {
            if (!first_cores_start() || !second_cores_start()) return 1;
            for (int k = 0; k < FIRST_INPUT_SIZE; ++k) image[k] = (float)(k % 7) / 7.0f;
            first_run(one, image, a);
            second_run(two, image, b);
            return memcmp(a, b, sizeof a) == 0 && a[0] > 0.0f ? 0 : 2;
        }
    """
    (tmp_path / "main.c").write_text(text, encoding="ascii")
    command = ["gcc", "-std=c99", *STRICT, "-O2", "main.c", *names, "-o", "both", "-lm", "-pthread"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([str(tmp_path / "both")], check=False).returncode == 0


def test_names_of_a_model_do_not_meet_those_of_the_port(tmp_path: Path) -> None:
    """A model whose values are called like what the code for two cores needs."""
    rng = np.random.default_rng(0)
    weights = {n: rng.normal(0, 0.1, (16, 16, 3, 3)).astype(np.float32) for n in ("cores_start", "shared", "part")}
    nodes, last = [], "context"
    for name, result in zip(weights, ("mem", "end", "y"), strict=True):
        nodes.append(helper.make_node("Conv", [last, name], [result], name=result, pads=[1, 1, 1, 1]))
        last = result
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 16, 12, 12]) for n in ("context", "y")]
    constants = [onnx.numpy_helper.from_array(w, n) for n, w in weights.items()]
    graph = helper.make_graph(nodes, "shared", ports[:1], ports[1:], constants)
    path = tmp_path / "part.onnx"
    save(graph, path)
    made = tinyc.compile(path, cores=2)
    assert made.source.cores == 2
    assert [v.passed for v in made.verdicts] == [True, True]

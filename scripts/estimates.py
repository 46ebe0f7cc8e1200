"""The factors from which instructions are estimated (`backends/c/estimate.py`), from counts on simulated machines.

    python -m scripts.estimates [--counts FOLDER] [--write]

Compiles and counts networks of `benchmarks/networks` and models of other kinds on simulated machines, fits the factors
of each kind of kernel to the counts, and prints how far estimates are from these. `--write` writes
backends/c/estimates.toml. `--counts` keeps the counts in a folder, where they are found the next time. Needs the
machines' tools, Xtensa's too, and takes some minutes.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.building import compiled
from benchmarks.instructions.cases import CASES, INT8
from tinyc.backends.c.estimate import LOOPS, family_of
from tinyc.backends.c.work import work_of
from tinyc.backends.runners import MACHINES, SimulatorRunner
from tinyc.backends.targets import find
from tinyc.compiler.lowering.tuning import tuning_of
from tinyc.compiler.session.measure import measured
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "backends" / "c" / "estimates.toml"
HEAD = """# Instructions of kernels, by family of cores and kind of kernel: for each call, for what a call sets up, for
# each result, for what is gathered, and for each product (`Work` in work.py says of what).
# Written by `python -m scripts.estimates --write` from counts of {networks} networks (gcc, -O2).
"""
SPECIAL = (
    "pointwise",
    "convolution",
    "depthwise",
    "qadd",
    "qavg_pool2d",
    "max_pool2d",
    "avg_pool2d",
    "qmean",
    "softmax",
    "qsoftmax",
)
"""Kinds that are no loops over elements."""
NETWORKS = {
    "mobilenet_v1": "mobilenet_v1_0.25_96",
    "mobile_lenet": "mobile_lenet",
    "ds_cnn": "ds_cnn",
    "resnet8": "resnet8",
    "mobilenet_v2": "mobilenet_v2_0.5_128",
    "mobilenet_v2_st": "mobilenet_v2_0.5_128_st",
}
FLOATS = ("float32", "float32")
"""Types of the inputs and outputs of integer networks that convert floats."""
MODELS = (
    "lenet5_tanh_avgpool",
    "mnist_cnn_pytorch11_ort",
    "micro_kws_m_fp32",
    "micro_kws_m_qdq",
    "dtln1_lstm",
    "gap_mnist_gru",
    "mnist_dynamo_rten",
    "nemo_dscnn_int",
)
"""Of the shared models."""
SMALL = 0.003
"""The part of an inference that every layer counts for at least, beside its own."""


@dataclass(frozen=True)
class Counted:
    """A network on a machine: `made` with these options for a target, or from a model file."""

    network: str
    machine: str
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What files and lines call it."""
        more = "".join(f"-{name}-{value}" for name, value in self.options.items() if value != INT8)
        return f"{self.network}-{Path(self.target).stem}{more}"


def cases(plain: Path) -> Iterator[Counted]:
    """What is counted; `plain` is a target file with an Xtensa core that has neither MAC16 nor vectors."""
    roomy = {"ram": "120K"}
    for network in NETWORKS:
        for machine, target in (
            ("rv32imc", "esp32c3"),
            ("esp32", "esp32"),
            ("esp32s3", "esp32s3"),
            ("esp32s3", str(plain)),
        ):
            for options in ({}, roomy, {"optimize": "size"}):
                yield Counted(network, machine, target, {"quantised": INT8, **options})
    for machine, target in (("rv32imafc", "esp32p4"), ("esp32s3", "esp32s3")):
        for network in ("mobilenet_v1", "mobile_lenet", "resnet8"):
            yield Counted(network, machine, target)
        for model in MODELS:
            yield Counted(model, machine, target, {"arena_in": "psram", "weights_in": "flash"})
    for machine, target in (
        ("rv32imc", "esp32c3"),
        ("rv32imafc", "esp32p4"),
        ("esp32", "esp32"),
        ("esp32s3", "esp32s3"),
    ):
        for network in ("mobilenet_v1", "mobile_lenet"):
            yield Counted(network, machine, target, {"quantised": FLOATS})
    yield Counted("mobile_lenet", "rv32imc", "esp32c3")
    yield Counted("lenet5_tanh_avgpool", "rv32imc", "esp32c3")


@dataclass(frozen=True)
class Layer:
    """A layer: of which network, its kind, what it does, and the instructions it and its network took."""

    network: str
    family: str
    kind: str
    work: Array
    count: int
    whole: int


def counts(case: Counted, kept: Path) -> list[Layer]:
    """The layers of a case. Raises `TinycError` where it cannot be compiled or run."""
    path = kept / f"{case.name}.pickle"
    options = dict(case.options)
    quantised = options.pop("quantised", None)
    if not path.exists():
        known = CASES.get(NETWORKS.get(case.network, ""))
        model = known.network() if known else onnx.load(ROOT.parent / "shared" / "models" / f"{case.network}.onnx")
        calibration = known.calibration() if known and known.calibration and quantised else None
        given = {**options, "target": case.target, "verify": False}
        made = compiled(model, case.network, quantised, calibration, **given)
        runner = SimulatorRunner(made.source, MACHINES[case.machine], ["-O2"])
        path.write_bytes(pickle.dumps((made.program, measured(made, runner))))
        print(path.stem, file=sys.stderr)
    program, found = pickle.loads(path.read_bytes())
    assert isinstance(program, RowProgram)
    target = find(case.target)
    tuning = tuning_of(options.get("optimize", "balanced"), target)
    layers = []
    for stage, told in zip(program.stages, found["layers"], strict=True):
        work = work_of(program, stage, tuning)
        row = np.array(work.counts)
        layers.append(
            Layer(case.name, family_of(target.isa), work.kind, row, told["instructions"], found["instructions"])
        )
    return [layer for layer in layers if layer.count]


def fitted(layers: Sequence[Layer]) -> Array:
    """Factors, none negative, with the least squares of relative errors, large layers counting more."""
    wanted = np.array([layer.count for layer in layers], float)
    weight = np.sqrt(wanted / [layer.whole for layer in layers] + SMALL) / wanted
    matrix = np.stack([layer.work for layer in layers]) * weight[:, None]
    taken = [k for k in range(matrix.shape[1]) if matrix[:, k].any()]
    factors = np.zeros(matrix.shape[1])
    while taken:
        scale = matrix[:, taken].max(axis=0)
        found = np.linalg.lstsq(matrix[:, taken] / scale, wanted * weight, rcond=None)[0] / scale
        if np.all(found >= 0):
            factors[taken] = found
            break
        del taken[int(np.argmin(found * scale))]
    return factors


def kinds(layers: Sequence[Layer]) -> dict[tuple[str, str], list[Layer]]:
    """The layers by family and kind; those of loops once more together."""
    found = defaultdict(list)
    for layer in layers:
        found[layer.family, layer.kind].append(layer)
        if not layer.kind.startswith(SPECIAL):
            _, dtype, how = layer.kind.rsplit(" ", 2)
            found[layer.family, f"{LOOPS} {dtype} {how}"].append(layer)
    return dict(sorted(found.items()))


def table(factors: Mapping[tuple[str, str], Array], networks: int) -> str:
    """The file of factors."""
    text, families = HEAD.format(networks=networks), dict.fromkeys(family for family, _ in factors)
    for family in families:
        text += f"\n[{family}]\n"
        for (own, kind), line in factors.items():
            if own == family:
                text += f'"{kind}" = [{", ".join(f"{n:.3g}" if n else "0" for n in line)}]\n'
    return text


def errors(layers: Sequence[Layer], factors: Mapping[tuple[str, str], Array]) -> Iterator[str]:
    """A line for each kind, then one for each network: the error of the whole and of its worst large layer."""
    for key, found in kinds(layers).items():
        wrong = [float(layer.work @ factors[key]) / layer.count - 1 for layer in found]
        middle = float(np.sqrt(np.mean(np.square(wrong))))
        yield f"{key[0]:7} {key[1]:40} {len(found):4} layers, {middle:4.0%} of {min(wrong):+.0%} to {max(wrong):+.0%}"
    for network in dict.fromkeys(layer.network for layer in layers):
        own = [
            (layer, float(layer.work @ factors[layer.family, layer.kind]))
            for layer in layers
            if layer.network == network
        ]
        whole = sum(guess for _, guess in own) / sum(layer.count for layer, _ in own) - 1
        worst = max(
            (abs(guess / layer.count - 1) for layer, guess in own if 20 * layer.count > layer.whole), default=0.0
        )
        yield f"{network:50} {whole:+6.1%}, a layer {worst:.0%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see above."""
    parser = argparse.ArgumentParser("python -m scripts.estimates", description="Factors of estimated instructions.")
    parser.add_argument("--counts", type=Path, help="a folder that keeps counts")
    parser.add_argument("--write", action="store_true", help="write backends/c/estimates.toml")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        kept = chosen.counts or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        plain = Path(folder) / "plain.toml"
        plain.write_text('base = "esp32s3"\nname = "plain"\nmac16 = false\npie = false\n', encoding="utf-8")
        layers, networks = [], 0
        for case in cases(plain):
            try:
                layers += counts(case, kept)
                networks += 1
            except TinycError as error:
                print(f"without {case.name}: {str(error)[:200]}", file=sys.stderr)
    factors = {key: fitted(found) for key, found in kinds(layers).items()}
    print("\n".join(errors(layers, factors)))
    if chosen.write:
        TABLE.write_text(table(factors, networks), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

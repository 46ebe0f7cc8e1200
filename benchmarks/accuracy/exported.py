"""Whether the exported QDQ model gives the integers of the C in onnxruntime, layer by layer.

    python -m benchmarks.accuracy.exported [CASE...] [--markdown]

Each network is quantised as `tinyc quantize` does and run by onnxruntime without optimisations. Each integer layer is
then run on the integers that onnxruntime has before it, and the results are compared element by element. `near a tie`
are the elements that differ although both are right: the real number lies in the middle between two steps but for what
the roundings of constants (in the C) and of float32 sums (in onnxruntime, in an order that ONNX leaves open) can be
off, or in the very middle, where QuantizeLinear goes to the even neighbour and fixed-point arithmetic up or away from
zero. All others are `else`: layers that are computed in another way, within what the documentation states for them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.building import chosen_of, compiled
from benchmarks.networks.listing import NETWORKS
from benchmarks.sheets import Sheet, show
from tinyc.compiler.session import Compilation
from tinyc.compiler.witness.comparison import FLOAT_STEPS
from tinyc.compiler.witness.definition import evaluate
from tinyc.compiler.witness.ran import run_region
from tinyc.compiler.witness.region import OFFSET, Region, offset
from tinyc.compiler.witness.regions import find_regions
from tinyc.compiler.witness.session import QdqModel
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.tensor.eliminate_common import EliminateCommon

CASES = (
    "mobile_lenet",
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_0.25_96",
    "squeezenet_96",
    "efficientnet_0.35_96",
    "tcn_512",
)


@dataclass
class Agreement:
    """Elements of the layers of one operator: all, those that differ near a tie, how many steps from there at most, and
    others that differ."""

    layers: int = 0
    elements: int = 0
    ties: int = 0
    distance: float = 0.0
    others: int = 0


def agreement(made: Compilation) -> Mapping[str, Agreement]:
    """How far onnxruntime's integers are those of the C, by operator, on the inputs that a compilation has."""
    lowered = made.lowered
    assert lowered.quantised is not None
    assert lowered.integers is not None
    quantised = EliminateCommon().run(lowered.quantised.module)
    regions = [r for r in find_regions(quantised, lowered.integers)[0] if r.quantize is not None]
    wanted = dict.fromkeys(v for r in regions for v in (r.definition.result, *(meant for _, meant in r.taken)))
    reference = QdqModel(quantised, list(wanted))
    found: dict[str, Agreement] = {}
    for region in regions:
        found.setdefault(region.node.op.mnemonic, Agreement()).layers += 1
    for sample in lowered.evidence.samples:
        known = {**reference.run(sample), **dict(zip(quantised.inputs, sample, strict=True))}
        for region in regions:
            _compare(region, known, found[region.node.op.mnemonic])
    return found


def _compare(region: Region, known: Mapping[Value, Array], found: Agreement) -> None:
    operands = {v: _own(known[m], v) for v, m in region.taken}
    ran = run_region(region, operands)
    theirs = _own(known[region.definition.result], region.node.result)
    different = ran.array != theirs
    found.elements += different.size
    if not different.any():
        return
    given = {
        m: operands[v].astype(np.int64) - offset(v, m) if v.dtype.is_integer else operands[v] for v, m in region.taken
    }
    steps = evaluate(region.meant.nodes, given, region.definition.result)
    from_tie = np.abs(np.abs(steps - np.trunc(steps)) - 0.5)
    one_step = np.abs(ran.array.astype(np.int64) - theirs) == 1
    ties = different & (from_tie <= FLOAT_STEPS) & one_step
    found.distance = max(found.distance, float(from_tie[ties].max(initial=0.0)))
    found.ties += int(ties.sum())
    found.others += int((different & ~ties).sum())


def _own(array: Array, value: Value) -> Array:
    """An array of the quantised module as the integer module has it."""
    if array.dtype == np.uint8 and value.dtype is DType.I8:
        return (array.astype(np.int16) - OFFSET).astype(np.int8)
    return array


def sheet(name: str, found: Mapping[str, Agreement]) -> Sheet:
    """A network's table."""
    lines = [
        (operator, str(one.layers), f"{one.elements:,}", f"{one.ties:,}", f"{one.distance:.6f}", f"{one.others:,}")
        for operator, one in found.items()
    ]
    return Sheet(name, 1, ("operator", "layers", "elements", "near a tie", "steps from it", "else"), tuple(lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.accuracy.exported", description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--markdown", action="store_true", help="as in the documentation")
    given = parser.parse_args(arguments)
    names = chosen_of(parser, given.cases, NETWORKS) if given.cases else list(CASES)
    sheets = []
    for name in names:
        print(f"comparing {name}", file=sys.stderr)
        sheets.append(sheet(name, agreement(compiled(NETWORKS[name](), name, ("int8", "int8"), verify=False))))
    show(sheets, given.markdown)
    return 0


if __name__ == "__main__":
    sys.exit(main())

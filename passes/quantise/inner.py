"""Values inside of one operator of the model that are int16 in an int8 network: those whose rounding to 8 bits would
make more noise of the operator's result than the result's own rounding.

Nobody but tinyc made such a value: the import spells an operator by several. Squares whose roots are taken lose most of
their small numbers in 8 bits, and a sum of many products gathers the rounding of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyc.ir.module import Module, remove_dead
from tinyc.ir.op import Form, Value
from tinyc.passes.quantise.calibrate import Ranges, Run, Samples
from tinyc.passes.quantise.ranges import Parameters
from tinyc.passes.quantise.rounded import rounded
from tinyc.passes.quantise.scales import assign
from tinyc.passes.quantise.units import Unit, parts
from tinyc.passes.quantise.widths import Widths

SAMPLES = 8
"""Of the calibration data, as many are run at most, for each operator."""
LOUDER = 5.0
"""How many times as much noise as the result's own rounding values inside may make of it as int8."""
KEPT = (Form.LAYER, Form.PRODUCT, Form.SOFTMAX, Form.RECURRENT)
"""Forms whose results stay int8 in any case: the large products of a network."""


@dataclass(frozen=True)
class Inside:
    """An operator of the model that several units compute: its result, and the values between them."""

    result: Value
    values: tuple[Value, ...]


def operators_inside(module: Module, units: Sequence[Unit]) -> Iterator[Inside]:
    """The operators of the model that have values inside which may be int16, and are not what only moves an operand."""
    owners = {n.result: u for u in units for n in u.nodes}
    found: dict[str, list[Value]] = {}
    for unit in units:
        own = unit.nodes[-1].loc
        users = [owners.get(n.result) for n in module.users[unit.result]]
        if not users or not all(u is not None and u.wide and {n.loc for n in u.nodes} == {own} for u in users):
            continue
        values = found.setdefault(own, [])
        new = unit.form is not Form.SHARING or any(v in values for v in unit.operands)
        if new and unit.wide and unit.form not in KEPT and len(parts(own)) == 1 and unit.result not in module.outputs:
            values.append(unit.result)
    for own, values in found.items():
        *_, result = (u.result for u in units if u.nodes[-1].loc == own)
        if values and result not in values:
            yield Inside(result, tuple(values))


def with_inner(
    module: Module, units: Sequence[Unit], ranges: Ranges, samples: Samples, run: Run, widths: Widths
) -> Widths:
    """The widths, and int16 for what lies inside of operators that would be noisy.

    Args:
        module: a float module.
        units: what of it is quantised.
        ranges: of its values.
        samples: calibration inputs.
        run: the interpreter.
        widths: what is int16 in any case.
    """
    scales = assign(module, units, ranges, widths).of
    taken = samples[:: -(-len(samples) // SAMPLES)]
    for each in operators_inside(module, units):
        raised = replace(widths, results=(*widths.results, *(v.name for v in each.values)))
        wider = {v for v, p in assign(module, units, ranges, raised).of.items() if p.dtype is not scales[v].dtype}
        if wider and wider <= {*each.values} and _is_loud(module, each, scales, taken, run):
            widths, scales = raised, assign(module, units, ranges, raised).of
    return widths


def _is_loud(module: Module, inside: Inside, scales: Mapping[Value, Parameters], samples: Samples, run: Run) -> bool:
    """Whether the values inside make too much noise of the result."""
    shown = remove_dead(Module(module.name, module.inputs, module.nodes, (inside.result,)))
    coarse = rounded(shown, {v: scales[v] for v in inside.values})
    squares = [float(np.square(run(coarse, s)[0] - run(shown, s)[0], dtype=np.float64).mean()) for s in samples]
    return float(np.mean(squares)) > LOUDER * scales[inside.result].scale ** 2 / 12

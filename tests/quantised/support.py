"""Cases of single integer operators: the operator, its operands, and a module around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import numpy as np

from tests.generate import Grower, random_inputs
from tinyc.ir import IRError, Module, Op
from tinyc.ir.draw import GiveUp
from tinyc.ir.ops import Constant
from tinyc.ir.tensor import Array

Case = tuple[Op, list[Array]]
Maker = type[Op] | Callable[[Grower], object]


def modules(maker: Maker, seed: int = 0) -> Iterator[tuple[int, Module]]:
    """Samples of an operator, or what a function adds, for seed after seed, without end."""
    while True:
        grower = Grower(Random(seed))
        with suppress(IRError, GiveUp):
            if isinstance(maker, type):
                grower.sample(maker)
            else:
                maker(grower)
            yield seed, grower.builder.build([grower.values[-1]])
        seed += 1


def cases(maker: Maker, seed: int = 0) -> Iterator[Case]:
    """The last operator of each of those modules with its operands."""
    for number, module in modules(maker, seed):
        op = module.nodes[-1].op
        given = dict(zip(module.inputs, random_inputs(Random(number), module), strict=True))
        given |= {n.result: n.op.data.array for n in module.nodes if isinstance(n.op, Constant)}
        yield op, [np.asarray(given[v]) for v in op.operands]

"""Kinds of operators that look at one element of each operand: activations, functions, arithmetic, comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.accuracy.micro import CHANNELS, Kind, Micro

ACTIVATIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.1},
    "Elu": {},
    "Selu": {},
    "Celu": {"alpha": 1.5},
    "Gelu": {},
    "Mish": {},
    "Sigmoid": {},
    "HardSigmoid": {},
    "HardSwish": {},
    "Tanh": {},
    "Softplus": {},
    "Softsign": {},
    "ThresholdedRelu": {"alpha": 0.5},
    "Shrink": {"lambd": 0.5, "bias": 0.1},
    "Abs": {},
    "Neg": {},
    "Exp": {},
    "Erf": {},
    "Sin": {},
    "Cos": {},
    "Atan": {},
    "Sinh": {},
    "Asinh": {},
    "Floor": {},
    "Ceil": {},
    "Round": {},
    "Sign": {},
}
POSITIVE = ("Log", "Sqrt", "Reciprocal")


def kinds() -> Iterator[Kind]:
    """All of them."""
    for name, attributes in ACTIVATIONS.items():
        yield Kind(name, _unary(name, attributes), 20)
    for name in POSITIVE:
        yield Kind(name, _unary(name, {}, {"spread": 0.4, "mean": 2.0}))
    yield Kind("PRelu_one_slope", lambda m: m.add("PRelu", m.image(), m.constant(np.array([0.2]))))
    yield Kind("PRelu_channels", lambda m: m.add("PRelu", m.image(), _channels(m, 0.2, 0.1)))
    yield Kind("Clip_6", lambda m: m.add("Clip", m.image(spread=3.0), _number(m, 0.0), _number(m, 6.0)))
    yield Kind("SiLU_spelt", _silu)
    yield Kind("Gelu_spelt", _gelu)
    yield from _arithmetic()
    yield from _powers()
    yield from _choices()


def _unary(name: str, attributes: dict[str, Any], operand: dict[str, float] | None = None) -> Callable[[Micro], str]:
    return lambda m: m.add(name, m.image(**(operand or {})), **attributes)


def _number(m: Micro, value: float) -> str:
    return m.constant(np.float32(value))


def _channels(m: Micro, mean: float, spread: float) -> str:
    return m.constant(m.normal(CHANNELS, 1, 1, spread=spread, mean=mean))


def _two(name: str, **second: float) -> Callable[[Micro], str]:
    return lambda m: m.add(name, m.image(), m.image(**second))


def _by(name: str, mean: float, *shape: int) -> Callable[[Micro], str]:
    """With constants of a shape."""
    return lambda m: m.add(name, m.image(), m.constant(m.normal(*shape, spread=0.3, mean=mean)))


def _silu(m: Micro) -> str:
    x = m.image()
    return m.add("Mul", x, m.add("Sigmoid", x))


def _gelu(m: Micro) -> str:
    x = m.image()
    erf = m.add("Erf", m.add("Div", x, _number(m, 2**0.5)))
    return m.add("Mul", m.add("Mul", x, m.add("Add", erf, _number(m, 1.0))), _number(m, 0.5))


def _arithmetic() -> Iterator[Kind]:
    yield Kind("Add", _two("Add"))
    yield Kind("Add_channels", _by("Add", 0.5, CHANNELS, 1, 1))
    yield Kind("Add_places", _by("Add", 0.5, 8, 8))
    yield Kind("Add_broadcast", lambda m: m.add("Add", m.image(), _pooled(m, [2, 3])))
    yield Kind("Sub", _two("Sub"))
    yield Kind("Sub_from_number", lambda m: m.add("Sub", _number(m, 1.0), m.image()))
    yield Kind("Mul", _two("Mul"))
    yield Kind("Mul_channels", _by("Mul", 1.0, CHANNELS, 1, 1))
    yield Kind("Mul_places", _by("Mul", 1.0, 8, 8))
    yield Kind("Mul_gate", lambda m: m.add("Mul", m.image(), m.add("Sigmoid", _pooled(m, [2, 3]))))
    yield Kind("Mul_places_gate", lambda m: m.add("Mul", m.image(), m.add("Sigmoid", _pooled(m, [1]))))
    yield Kind("Div", _two("Div", spread=0.4, mean=2.0))
    yield Kind("Div_number", lambda m: m.add("Div", m.image(), _number(m, 3.0)))
    yield Kind("Div_channels", _by("Div", 2.0, CHANNELS, 1, 1))
    yield Kind("Div_from_number", lambda m: m.add("Div", _number(m, 1.0), m.image(0.4, 2.0)))
    yield Kind("Sum_of_three", lambda m: m.add("Sum", m.image(), m.image(), m.image()))
    yield Kind("Mean_of_three", lambda m: m.add("Mean", m.image(), m.image(), m.image()))
    yield Kind("Max", _two("Max"))
    yield Kind("Min", _two("Min"))
    yield Kind("Max_channels", _by("Max", 0.1, CHANNELS, 1, 1))
    yield Kind("Mod_number", lambda m: m.add("Mod", m.image(), _number(m, 1.5), fmod=1))
    yield Kind("Mod", lambda m: m.add("Mod", m.image(), m.image(0.4, 3.0), fmod=1))


def _pooled(m: Micro, axes: list[int]) -> str:
    """The mean of another operand over some dimensions."""
    return m.add("ReduceMean", m.image(), m.constant(np.array(axes, np.int64)))


def _powers() -> Iterator[Kind]:
    yield Kind("Pow_2", lambda m: m.add("Pow", m.image(), _number(m, 2.0)))
    yield Kind("Pow_1.7", lambda m: m.add("Pow", m.image(0.4, 2.0), _number(m, 1.7)))
    yield Kind("Pow_channels", lambda m: m.add("Pow", m.image(0.4, 2.0), _channels(m, 1.0, 0.4)))
    yield Kind("Pow_of_number", lambda m: m.add("Pow", _number(m, 1.7), m.image()))
    yield Kind("Pow", lambda m: m.add("Pow", m.image(0.4, 2.0), m.image(0.3, 1.0)))


def _choices() -> Iterator[Kind]:
    yield Kind("Less_Where", lambda m: _where(m, "Less"))
    yield Kind("LessOrEqual_Where", lambda m: _where(m, "LessOrEqual"))
    yield Kind("Greater_Where_number", lambda m: m.add("Where", m.add("Greater", m.image(), m.image()), *_sides(m)))
    yield Kind("Greater_number_Where", _above)
    yield Kind("Equal_Where", _rounded_equal)
    yield Kind("Greater_Cast", _cast)
    yield Kind("And_Where", lambda m: _logic(m, "And"))
    yield Kind("Or_Where", lambda m: _logic(m, "Or"))
    yield Kind("Xor_Where", lambda m: _logic(m, "Xor"))
    yield Kind("Where_mask", lambda m: m.add("Where", _mask(m, 8, 8), m.image(), m.image()))
    yield Kind("Where_mask_number", lambda m: m.add("Where", _mask(m, 8, 8), m.image(), _number(m, -1.0)))


def _where(m: Micro, name: str) -> str:
    x, y = m.image(), m.image(spread=1.5)
    return m.add("Where", m.add(name, x, y), x, m.image(spread=0.7))


def _sides(m: Micro) -> tuple[str, str]:
    return m.image(spread=1.5), _number(m, 0.25)


def _above(m: Micro) -> str:
    """One operand decides between two others."""
    return m.add("Where", m.add("Greater", m.image(), _number(m, 0.3)), m.image(), m.image(spread=1.5))


def _rounded_equal(m: Micro) -> str:
    x = m.add("Round", m.image(spread=1.5))
    return m.add("Where", m.add("Equal", x, _number(m, 1.0)), m.image(), m.image())


def _cast(m: Micro) -> str:
    return m.add("Mul", m.image(), m.add("Cast", m.add("Greater", m.image(), _number(m, 0.0)), to=1))


def _logic(m: Micro, name: str) -> str:
    x, y = (m.add("Greater", m.image(), _number(m, 0.0)) for _ in range(2))
    return m.add("Where", m.add(name, x, y), m.image(), m.image())


def _mask(m: Micro, *shape: int) -> str:
    return m.constant(m.rng.random(shape) < 0.6)

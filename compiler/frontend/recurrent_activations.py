"""The activation functions that recurrent cells can name, with their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.ir import Value
from tinyc.ir.gates import Gate
from tinyc.ir.ops import Abs, Add, Clamp, Div, LeakyRelu, Mul, Sigmoid, Tanh


@dataclass(frozen=True)
class _Kind:
    """A function, how it is emitted from its parameters, and what these are by default (None: unused)."""

    function: Gate
    emit: Callable[[Context, Value, float, float], Value]
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True)
class Activation:
    """A function with its parameters, 0 where it has none."""

    kind: _Kind
    alpha: float
    beta: float

    @property
    def function(self) -> Gate:
        """What the operators call it."""
        return self.kind.function

    def __call__(self, ctx: Context, x: Value) -> Value:
        """The function as operators of its own."""
        return self.kind.emit(ctx, x, self.alpha, self.beta)


def _scaled(ctx: Context, x: Value, factor: float) -> Value:
    return x if factor == 1.0 else ctx.emit(Mul(x, ctx.scalar(factor, x)))


def _affine(ctx: Context, x: Value, alpha: float, beta: float) -> Value:
    return ctx.emit(Add(_scaled(ctx, x, alpha), ctx.scalar(beta, x)))


_KINDS: dict[str, _Kind] = {
    "sigmoid": _Kind(Gate.SIGMOID, lambda ctx, x, a, b: ctx.emit(Sigmoid(x))),
    "tanh": _Kind(Gate.TANH, lambda ctx, x, a, b: ctx.emit(Tanh(x))),
    "relu": _Kind(Gate.RELU, lambda ctx, x, a, b: ctx.emit(Clamp(x, min=0.0))),
    "softsign": _Kind(Gate.SOFTSIGN, lambda ctx, x, a, b: ctx.emit(Div(x, _affine(ctx, ctx.emit(Abs(x)), 1.0, 1.0)))),
    "affine": _Kind(Gate.AFFINE, _affine, 1.0, 0.0),
    "leakyrelu": _Kind(Gate.LEAKY_RELU, lambda ctx, x, a, b: ctx.emit(LeakyRelu(x, a)), 0.01),
    "hardsigmoid": _Kind(
        Gate.HARD_SIGMOID, lambda ctx, x, a, b: ctx.emit(Clamp(_affine(ctx, x, a, b), 0.0, 1.0)), 0.2, 0.5
    ),
    "scaledtanh": _Kind(
        Gate.SCALED_TANH, lambda ctx, x, a, b: _scaled(ctx, ctx.emit(Tanh(_scaled(ctx, x, b))), a), 1.0, 1.0
    ),
}


def activations(node: OnnxNode, defaults: tuple[str, ...], directions: int) -> list[tuple[Activation, ...]]:
    """The functions of each direction. Raises `FrontendError` for one that is not known.

    Parameters are two lists: each function that has one takes the next, or its default when there is none left.
    """
    names = node.texts("activations", defaults * directions)
    if len(names) != len(defaults) * directions:
        raise node.error(f"names {len(names)} activations, not {len(defaults) * directions}")
    alphas, betas = iter(node.numbers("activation_alpha", ())), iter(node.numbers("activation_beta", ()))
    made = [_activation(node, name, alphas, betas) for name in names]
    return [tuple(made[k * len(defaults) : (k + 1) * len(defaults)]) for k in range(directions)]


def _activation(node: OnnxNode, name: str, alphas: Iterator[float], betas: Iterator[float]) -> Activation:
    kind = _KINDS.get(name.lower())
    if kind is None:
        raise node.error(f'the activation "{name}" is not supported (supported: {", ".join(_KINDS)})')
    alpha = 0.0 if kind.alpha is None else next(alphas, kind.alpha)
    beta = 0.0 if kind.beta is None else next(betas, kind.beta)
    return Activation(kind, alpha, beta)

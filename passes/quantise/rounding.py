"""Rounding of weights for the least error of a layer's result, not of each weight.

Rounded to integers q, the weights u of an output (in steps) change its result by the inner product of q - u with what
they meet. The mean square of that is e' H e, of e = q - u and the second moments H of what is met. Rounding each weight
to the nearest is the best for uncorrelated inputs; neighbours in a window are seldom that.

Two searches, both over the two integers next to each weight: in order, each weight taking over what those before it did
wrong (Frantar et al., "GPTQ", 2022, with the Cholesky factor of H's inverse), and coordinate descent, which takes steps
to another integer as long as one helps. Descent begins at the nearest integers and at what the other search found; the
better end is taken, output by output. So no layer is worse than with the nearest integers.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.tensor import Array

DAMPING = 0.01
"""Of the mean of H's diagonal, added to it: what is met on new inputs differs a little, and is rounded itself."""
SWEEPS = 20


def round_weights(weights: Array, scales: Array, second: Array, limit: int, beside: bool = True) -> Array:
    """The integers that stand for weights.

    Args:
        weights: [outputs, inputs], or [groups, outputs, inputs] where each group meets its own inputs.
        scales: of the weights, all positive; broadcasts with them, as [outputs, 1] does.
        second: moments of what they meet, [inputs, inputs] or [groups, inputs, inputs]: the mean products of two
            inputs, less the products of their means where the mean error is taken out later.
        limit: the largest integer; the least is its negative.
        beside: whether each is one of the two next to weight / scale. Where steps are coarse, others may be better.

    Returns:
        int64, of the weights' shape.
    """
    shape = weights.shape
    outputs, inputs = shape[-2:]
    u = (weights.astype(np.float64) / scales).reshape(-1, outputs, inputs)
    h = _damped(second.reshape(-1, inputs, inputs).astype(np.float64))
    low, high = (np.clip(side(u), -limit, limit) for side in (np.floor, np.ceil))
    if not beside:
        low, high = np.full_like(u, -limit), np.full_like(u, limit)
    nearest = np.clip(np.rint(u), low, high)
    ends = [_descended(u, begin, h, low, high) for begin in (nearest, _in_order(u, h, low, high))]
    errors = [_error(u, q, h) for q in ends]
    better = (errors[1] < errors[0])[..., np.newaxis]
    return np.asarray(np.where(better, ends[1], ends[0]).astype(np.int64).reshape(shape))


def _damped(second: Array) -> Array:
    """With a diagonal that no inverse suffers from; of inputs that are always zero, the identity."""
    size = second.shape[-1]
    level = np.trace(second, axis1=1, axis2=2) / max(size, 1)
    level = np.where(level > 0, DAMPING * level, 1.0)
    return np.asarray(second + level[:, np.newaxis, np.newaxis] * np.eye(size))


def _error(u: Array, q: Array, h: Array) -> Array:
    """Mean square of the results' errors, [groups, outputs]."""
    e = q - u
    return np.asarray(((e @ h) * e).sum(axis=-1))


def _in_order(u: Array, h: Array, low: Array, high: Array) -> Array:
    """Weight after weight is rounded, and those behind it take over its error."""
    factor = np.linalg.cholesky(np.linalg.inv(h)).swapaxes(1, 2)
    left, q = u.copy(), np.empty_like(u)
    for i in range(u.shape[-1]):
        q[..., i] = np.clip(np.rint(left[..., i]), low[..., i], high[..., i])
        off = (left[..., i] - q[..., i]) / factor[:, i, i, np.newaxis]
        left[..., i + 1 :] -= off[..., np.newaxis] * factor[:, np.newaxis, i, i + 1 :]
    return q


def _descended(u: Array, begin: Array, h: Array, low: Array, high: Array) -> Array:
    """From integers to such where no other integer at a single place is better."""
    q = begin.copy()
    slope = (q - u) @ h
    for _ in range(SWEEPS):
        changed = False
        for i in range(u.shape[-1]):
            best = q[..., i] - slope[..., i] / h[:, i, i, np.newaxis]
            step = np.clip(np.rint(best), low[..., i], high[..., i]) - q[..., i]
            if step.any():
                q[..., i] += step
                slope += step[..., np.newaxis] * h[:, np.newaxis, i]
                changed = True
        if not changed:
            break
    return q

"""The integer softmax once more, in exact arithmetic: TFLite's, of gemmlowp's fixed-point exponential and inverse."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.witness.fixed import Int64s, half_away, high
from tinyc.ir.tensor import Array

_HALVINGS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2^k), k = -2 .. 4, in Q0.31."""


def _exponential(x: Int64s) -> Int64s:
    """exp of x <= 0 in Q5.26, in Q0.31: a polynomial of degree 4 around -1/8, times exp(-2^k) for each bit beyond."""
    quarters = -(x // 2**24) - 1
    t = (x + quarters * 2**24) * 32 + 2**28
    t2 = high(t, t)
    cubic = high(half_away(high(t2, t2), 4) + high(t2, t), 715827883)  # 1/3
    result = 1895147668 + high(t + half_away(cubic + t2, 2), 1895147668)  # exp(-1/8)
    for k, halving in enumerate(_HALVINGS):
        result = np.where(quarters >> k & 1, high(result, halving), result)
    return np.asarray(np.where(x == 0, 2**31 - 1, result))


def _inverse(x: Int64s) -> Int64s:
    """1 / (1 + x) of x in [0, 1) in Q0.31, in Q0.31: three of Newton's steps from 48/17 - 32/17 of half of 1 + x."""
    half = (x + 2**31) // 2
    guess = 1515870810 + high(half, -1010580540)
    for _ in range(3):
        guess = guess + np.clip(high(guess, 2**29 - high(half, guess)) * 4, -(2**31), 2**31 - 1)
    return np.asarray(np.clip(guess * 2, -(2**31), 2**31 - 1))


def softmax(x: Array, multiplier: int, left: int, least: int, finer: bool = False) -> Int64s:
    """Softmax along the last dimension; differences below `least` count as zero. Results have scale 1/256 and zero
    point -128, if `finer` 1/32768 and 0."""
    wide = x.astype(np.int64)
    difference = wide - wide.max(axis=-1, keepdims=True)
    counts = difference >= least
    raised = _exponential(high(np.where(counts, difference, 0) * 2**left, multiplier))
    raised = np.where(counts, raised, 0)
    total = half_away(raised, 2**12).sum(axis=-1, keepdims=True)
    headroom = 32 - np.asarray([int(v).bit_length() for v in total.reshape(-1)], np.int64).reshape(total.shape)
    product = high(raised, _inverse(total * 2**headroom - 2**31))
    places, zero, most = (28, 0, 2**15 - 1) if finer else (35, -128, 127)
    return np.where(counts, np.minimum(half_away(product, 2 ** (places - headroom)) + zero, most), zero)

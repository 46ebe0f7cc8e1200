"""Einsum: sums of products over labelled dimensions, as transposes, matrix products and sums."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.linear import product
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Mul, ReduceSum, Slice

DOTS = "..."
Labels = tuple[str, ...]
"""One a dimension. Those that dots stand for are numbers, counted from the last of them."""


@dataclass(frozen=True)
class Term:
    """A value whose dimensions have labels, each a different one."""

    value: Value
    labels: Labels

    def sizes(self, labels: Collection[str]) -> tuple[int, ...]:
        """The sizes of some of the dimensions."""
        return tuple(self.value.shape[self.labels.index(label)] for label in labels)


@onnx_op("Einsum")
def einsum(ctx: Context, node: OnnxNode) -> Value:
    """Operands are multiplied from the left to the right; what no later one has, nor the result, is summed at once."""
    operands = node.required()
    inputs, output = _parsed(node, operands)
    terms = [_diagonals(ctx, Term(x, labels)) for x, labels in zip(operands, inputs, strict=True)]
    _check_sizes(node, terms)
    total = terms[0]
    for k, term in enumerate(terms[1:], 1):
        later = {label for other in terms[k + 1 :] for label in other.labels}
        total = _product(ctx, _summed(ctx, total, {*term.labels, *later, *output}), term, {*later, *output})
    total = _summed(ctx, total, set(output))
    if missing := [label for label in output if label not in total.labels]:
        raise node.error(f"the result has dimensions {', '.join(missing)} that no operand has")
    return _ordered(ctx, total, output)


def _parsed(node: OnnxNode, operands: Sequence[Value]) -> tuple[list[Labels], Labels]:
    """The labels of the operands' dimensions and of the result's. Raises `FrontendError` where they do not fit."""
    equation = node.text("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    words = left.split(",")
    legal = all(part.isalpha() or not part for word in [*words, right] for part in word.split(DOTS, 1))
    if not legal or len(words) != len(operands):
        raise node.error(f'the equation "{equation}" does not name the dimensions of {len(operands)} operand(s)')
    inputs, most = [], 0
    for word, x in zip(words, operands, strict=True):
        hidden = x.type.rank - len(word.replace(DOTS, ""))
        if hidden < 0 or (hidden and DOTS not in word):
            raise node.error(f'"{word}" of the equation "{equation}" does not name the dimensions of {x.type}')
        most = max(most, hidden)
        inputs.append(_spelt(word, hidden))
    if not arrow:
        seen = Counter(label for word in words for label in word.replace(DOTS, ""))
        right = DOTS + "".join(sorted(label for label, times in seen.items() if times == 1))
    output = _spelt(right, most)
    if len(set(output)) < len(output):
        raise node.error(f'the result of the equation "{equation}" has a dimension twice')
    return inputs, output


def _spelt(word: str, hidden: int) -> Labels:
    """A label for each letter, and numbers for the dimensions that dots stand for."""
    before, dots, after = word.partition(DOTS)
    return (*before, *(str(hidden - k) for k in range(hidden if dots else 0)), *after)


def _check_sizes(node: OnnxNode, terms: Sequence[Term]) -> None:
    """Raises `FrontendError` for a label with several sizes, of which dots may stand for 1 and another."""
    sizes: dict[str, int] = {}
    for term in terms:
        for label, size in zip(term.labels, term.value.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known != size and not (label.isdigit() and 1 in (known, size)):
                raise node.error(f'dimension "{label}" is {known} in one operand and {size} in another')
            sizes[label] = max(known, size)


def _diagonals(ctx: Context, term: Term) -> Term:
    """What has a label twice, where both numbers are the same: every n + 1st element of both dimensions as one."""
    repeated = next((label for label, times in Counter(term.labels).items() if times > 1), None)
    if repeated is None:
        return term
    first, second = [d for d, label in enumerate(term.labels) if label == repeated][:2]
    others = [d for d in range(len(term.labels)) if d not in (first, second)]
    x = ctx.transpose(term.value, (first, second, *others))
    n = x.shape[0]
    joined = ctx.reshape(x, (n * n, *x.shape[2:]))
    size, rest = (n, *joined.shape[1:]), (1,) * len(others)
    taken = ctx.emit(Slice(joined, (0,) * len(size), size, (n + 1, *rest)))
    return _diagonals(ctx, Term(taken, (repeated, *(term.labels[d] for d in others))))


def _summed(ctx: Context, term: Term, kept: Collection[str]) -> Term:
    """Without the dimensions of other labels."""
    axes = tuple(d for d, label in enumerate(term.labels) if label not in kept)
    if not axes:
        return term
    left = tuple(label for label in term.labels if label in kept)
    return Term(ctx.reshape(ctx.emit(ReduceSum(term.value, axes)), term.sizes(left)), left)


def _ordered(ctx: Context, term: Term, labels: Sequence[str]) -> Value:
    return ctx.transpose(term.value, tuple(term.labels.index(label) for label in labels))


def _product(ctx: Context, a: Term, b: Term, kept: Collection[str]) -> Term:
    """The product of two, summed over the dimensions that both have and nobody needs: a matrix product, or one of
    elements where nothing is summed. A constant is the right operand."""
    b = _summed(ctx, b, {*a.labels, *kept})
    if ctx.is_constant(a.value) and not ctx.is_constant(b.value):
        a, b = b, a
    a, b = _narrowed(ctx, a, b), _narrowed(ctx, b, a)
    both = [label for label in a.labels if label in b.labels]
    shared, inner = ([n for n in both if (n in kept) == keep] for keep in (True, False))
    rows, columns = ([n for n in t.labels if n not in both] for t in (a, b))
    labels = (*shared, *rows, *columns)
    shape = (*a.sizes(shared), *a.sizes(rows), *b.sizes(columns))
    if not inner:
        left = ctx.reshape(_ordered(ctx, a, [*shared, *rows]), (*a.sizes([*shared, *rows]), *(1,) * len(columns)))
        right = _ordered(ctx, b, [*shared, *columns])
        right = ctx.reshape(right, (*b.sizes(shared), *(1,) * len(rows), *b.sizes(columns)))
        return Term(ctx.emit(Mul(left, right)), labels)
    count = math.prod(a.sizes(inner))
    left = _ordered(ctx, a, [*shared, *rows, *inner])
    right = _ordered(ctx, b, [*shared, *inner, *columns])
    left = ctx.reshape(left, (*a.sizes(shared), math.prod(a.sizes(rows)), count))
    right = ctx.reshape(right, (*b.sizes(shared), count, math.prod(b.sizes(columns))))
    return Term(ctx.reshape(product(ctx, left, right), shape), labels)


def _narrowed(ctx: Context, term: Term, other: Term) -> Term:
    """Without the dimensions of size 1 that the other one has with more."""
    wide = {n for n, size in zip(other.labels, other.value.shape, strict=True) if size != 1}
    kept = tuple(n for n, size in zip(term.labels, term.value.shape, strict=True) if size != 1 or n not in wide)
    return Term(ctx.reshape(term.value, term.sizes(kept)), kept)

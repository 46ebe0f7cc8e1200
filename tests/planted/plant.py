"""Planting a fault: one small, realistic change in the compiler, or in the C it has made, for the length of a test."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import tinyc
from tests.planted.network import quantise
from tinyc.backends.c import CSource
from tinyc.compiler.session import code
from tinyc.compiler.verify import VerificationError
from tinyc.ir import Module, Op
from tinyc.ir.module import Node
from tinyc.passes.core.base import AnyPass
from tinyc.passes.core.manager import PassVerificationError

Plant = Callable[[pytest.MonkeyPatch], None]
QUIET = 0.004
"""First weights that leave every ReLU6 far from its limit on inputs around 1."""


@dataclass(frozen=True)
class Fault:
    """A fault and what the message must match: the pass or the layer it is in.

    Attributes:
        name: what the test is called.
        plant: makes the change.
        blamed: a regular expression.
        options: how to compile.
        int8: quantise.
        quantising: how.
        loud: the network's first weights.
    """

    name: str
    plant: Plant
    blamed: str
    options: Mapping[str, Any] = field(default_factory=dict)
    int8: bool = False
    quantising: Mapping[str, Any] = field(default_factory=dict)
    loud: float = 1.0


class _Count:
    """How often a planted change took effect: a fault that changes nothing proves nothing."""

    times = 0


def params(faults: Sequence[Fault], *marks: pytest.MarkDecorator) -> list[Any]:
    """The faults as parameters of a test."""
    return [pytest.param(f, id=f"{f.name}, int8" if f.int8 else f.name, marks=marks) for f in faults]


@contextmanager
def planted(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plants a fault, and sees that what is compiled meanwhile meets it."""
    _Count.times = 0
    with monkeypatch.context() as patch:
        fault.plant(patch)
        yield
    assert _Count.times, f"{fault.name} changed nothing"


def must_be_caught(fault: Fault, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain compilation stops, and says where the fault is."""
    options = {**fault.options, **({"quantise": quantise(**fault.quantising)} if fault.int8 else {})}
    kinds = (VerificationError, PassVerificationError)
    with planted(fault, monkeypatch), pytest.raises(kinds, match=fault.blamed):
        tinyc.compile(model, **options)


def in_c(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Plant:
    """Changes the generated C wherever the pattern stands."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        generate = code.generate

        def faulty(*arguments: Any, **options: Any) -> CSource:
            source = generate(*arguments, **options)
            files = {}
            for name, text in source.files.items():
                files[name], times = re.subn(pattern, replacement, text)
                _Count.times += times
            return dataclasses.replace(source, files=files)

        monkeypatch.setattr(code, "generate", faulty)

    return plant


def on_result(step: type[AnyPass], change: Callable[[Any], Any]) -> Plant:
    """Changes what a pass leaves."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        run = step.run  # type: ignore[attr-defined]

        def faulty(self: AnyPass, ir: Any) -> Any:
            result = run(self, ir)
            changed = change(result)
            _Count.times += changed is not result
            return changed

        monkeypatch.setattr(step, "run", faulty)

    return plant


def on_call(owner: Any, name: str, change: Callable[..., Any]) -> Plant:
    """Calls `change(original, *arguments)` in place of a function."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)

        def faulty(*arguments: Any, **options: Any) -> Any:
            _Count.times += 1
            return change(original, *arguments, **options)

        monkeypatch.setattr(owner, name, faulty)

    return plant


def ops_where(fits: Callable[[Op], bool], change: Callable[[Any], Op]) -> Callable[[Module], Module]:
    """The module with some of its operators changed; the same module if there are none."""

    def run(module: Module) -> Module:
        def one(node: Node) -> Node:
            return dataclasses.replace(node, op=change(node.op)) if fits(node.op) else node

        nodes = tuple(one(n) for n in module.nodes)
        same = all(a is b for a, b in zip(nodes, module.nodes, strict=True))
        return module if same else Module(module.name, module.inputs, nodes, module.outputs)

    return run

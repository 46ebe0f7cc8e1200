"""Modules in text form whose data is inline or described, so that a text file is all there is to a test.

    // data: w = eighths(f32[8,3,3,3], seed=1)
    module @net {
      input %x: f32[1,4,4,3]
      %w = constant() {data = @w} : f32[8,3,3,3]
      ...

What is described depends on nothing but the description: numbers come from Python's own generator, whose sequence is
part of the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from random import Random
from zlib import crc32

import numpy as np

from tinyc.ir import DType, Module, TensorType
from tinyc.ir.tensor import Array
from tinyc.ir.text import parse_module

DATA = "// data: "
_NAMED = re.compile(r"(.+?) = (.+)")
_CALL = re.compile(r"(\w+)\((\w+\[[0-9,]*\])((?:, \w+=[-+.\w]+)*)\)")


def read(text: str, source: str = "<text>") -> Module:
    """The module of a text with the data that `// data:` lines describe."""
    lines = [line.removeprefix(DATA) for line in text.split("\n") if line.startswith(DATA)]
    return parse_module(text, dict(named(line) for line in lines), source)


def named(line: str) -> tuple[str, Array]:
    """A name and an array, from `name = description`."""
    found = _NAMED.fullmatch(line)
    if found is None:
        raise ValueError(f"data is described as `name = description`, not as {line!r}")
    return found[1], described(found[2])


def described(text: str) -> Array:
    """The array of a description: a literal of the text form, or one of these functions of a type.

    eighths(f32[2,3], seed=1)              multiples of 1/8 from -1 to 1: short to print, and sums of them are exact
    integers(i8[4], low=-9, high=9)        whole numbers, of the whole type without limits
    count(i8[256], start=-128)             0, 1, 2, ... or from another start
    all(f32[1,4], value=0.5)               one number
    """
    found = _CALL.fullmatch(text)
    if found is None:
        return _literal(text)
    name, type_, options = found[1], _type(found[2]), dict(_options(found[3]))
    if name not in _MAKERS:
        raise ValueError(f"there is no data called {name}; there are {', '.join(_MAKERS)}")
    return _MAKERS[name](type_, **options)  # type: ignore[no-any-return, operator]


def summary(data: Mapping[str, Array]) -> Iterator[str]:
    """Lines that say what arrays beside a text hold: their types, first and last numbers, and a checksum."""
    for name, array in data.items():
        flat = array.reshape(-1)
        first, last = (", ".join(str(n.item()) for n in part) for part in (flat[:4], flat[-4:]))
        type_ = TensorType(array.shape, DType.of(array.dtype))
        yield f"{DATA}{name} = {type_}<{first}, ..., {last}>, crc {crc32(array.tobytes()):08x}\n"


def _literal(text: str) -> Array:
    type_ = text.split("<")[0]
    module = parse_module(f"module @m {{ %c = constant() {{data = {text}}} : {type_} return %c }}")
    array = module.constant(module.outputs[0])
    assert array is not None
    return array


def _type(text: str) -> TensorType:
    word, _, dims = text.rstrip("]").partition("[")
    return TensorType(tuple(int(d) for d in dims.split(",") if d), DType(word))


def _options(text: str) -> Iterator[tuple[str, float]]:
    for part in text.split(", ")[1:]:
        name, _, number = part.partition("=")
        yield name, float(number) if re.search(r"[.a-z]", number) else int(number)


def _eighths(type_: TensorType, seed: int = 0) -> Array:
    return np.asarray(_integers(TensorType(type_.shape, DType.I32), -8, 8, seed) / 8, type_.dtype.numpy)


def _integers(type_: TensorType, low: int | None = None, high: int | None = None, seed: int = 0) -> Array:
    least, most = type_.dtype.limits
    low, high = least if low is None else low, most if high is None else high
    random = Random(seed)
    flat = [low + random.getrandbits(64) % (high - low + 1) for _ in range(type_.size)]
    return np.array(flat, np.int64).reshape(type_.shape).astype(type_.dtype.numpy)


def _count(type_: TensorType, start: int = 0) -> Array:
    return np.arange(start, start + type_.size).reshape(type_.shape).astype(type_.dtype.numpy)


def _all(type_: TensorType, value: float) -> Array:
    return np.full(type_.shape, value, type_.dtype.numpy)


_MAKERS = {"eighths": _eighths, "integers": _integers, "count": _count, "all": _all}

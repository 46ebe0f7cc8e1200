"""The interpreter multiplies matrices in one thread, and leaves the caller's number of threads as it was."""

from __future__ import annotations

import numpy as np
from threadpoolctl import ThreadpoolController

from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, DType, TensorType
from tinyc.ir.ops import Dense
from tinyc.ir.tensor import Array


def threads() -> set[int]:
    return {library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"}


def test_products_are_computed_in_one_thread() -> None:
    builder = Builder("net")
    x = builder.input("x", TensorType((2, 3), DType.F32))
    y = builder.add(Dense(x, builder.constant(np.eye(3, dtype=np.float32))))
    seen: list[set[int]] = []

    def watch(value: object, array: Array) -> None:
        seen.append(threads())

    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = threads()
        run_module(builder.build([y]), [np.ones((2, 3), np.float32)], watch)
        assert threads() == before
    assert all(found <= {1} for found in seen)
    assert seen

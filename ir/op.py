"""What an operator is: a frozen dataclass whose fields are its operands and attributes.

A subclass is the single place of one operator: its documentation (the docstring), its fields, its type inference
(`infer`), its meaning (`evaluate`, in numpy), its multiply-accumulate count (`macs`) and how it falls into rows
(`row_form`) or loops (`loops`). Constructor checks, the text form, the parser and the documentation page are derived
from the fields; see `fields_of`.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from tinyc.ir.blocks import Blocks
from tinyc.ir.errors import IRError
from tinyc.ir.fields import REQUIRED as REQUIRED
from tinyc.ir.fields import FieldKind as FieldKind
from tinyc.ir.fields import FieldSpec as FieldSpec
from tinyc.ir.fields import check_field
from tinyc.ir.fields import fields_of as fields_of
from tinyc.ir.foreign import guard
from tinyc.ir.forms import Accuracy as Accuracy
from tinyc.ir.forms import Form as Form
from tinyc.ir.forms import IntegerForm as IntegerForm
from tinyc.ir.forms import RowForm as RowForm
from tinyc.ir.forms import RowMode as RowMode
from tinyc.ir.forms import StaysFloat as StaysFloat
from tinyc.ir.forms import Window as Window
from tinyc.ir.gathering import OneRow, gather, one_row
from tinyc.ir.loops import Loops
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType
from tinyc.ir.value import Value as Value
from tinyc.ir.value import unused as unused

if typing.TYPE_CHECKING:
    from tinyc.ir.draw import Draw


OpT = TypeVar("OpT", bound="Op")


@dataclass(frozen=True)
class Op:
    """Base of all operators. `mnemonic` is the spelling in the text form.

    Class arguments:
        mnemonic: makes the class an operator, under this name.
        onnx: the operator of ONNX's own that means the same on the same operands, without attributes. It is imported
            and exported by that name.
        accuracy: see `Accuracy`; that of the base class by default.
        steep: see there; as the base class by default.
    """

    mnemonic: ClassVar[str] = ""
    onnx: ClassVar[str] = ""
    accuracy: ClassVar[Accuracy] = Accuracy.EXACT
    steep: ClassVar[bool] = False
    """Whether the rounding of floats may come out much larger: there are poles, or quick growth. Steps are `jumps`."""
    neutral: ClassVar[typing.Mapping[int, float]] = {}
    """By the place of an operand: the number that, as all its elements, leaves the other operand as it is. The sign of
    a zero matters for floats."""
    natural_scale: ClassVar[tuple[float, int] | None] = None
    """Scale and zero point of int8 that suit the results, whatever the operands are."""

    def __init_subclass__(
        cls,
        mnemonic: str | None = None,
        onnx: str = "",
        accuracy: Accuracy | None = None,
        steep: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        _check_arguments(cls, mnemonic, onnx, accuracy, steep)
        cls.onnx = onnx
        if accuracy is not None:
            cls.accuracy = accuracy
        if steep is not None:
            cls.steep = steep
        if mnemonic is not None:
            _check_class(cls, mnemonic)
            cls.mnemonic = mnemonic
            REGISTERED[mnemonic] = cls
        guard(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Op:
        fields_of(cls)  # before Python says of an attribute that is no field that nobody expected it
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for spec in fields_of(type(self)):
            check_field(spec, getattr(self, spec.name), self.mnemonic)
        _ = self.type

    def infer(self) -> TensorType:
        """The type of the result. Raises `IRError` when operands and attributes do not fit each other."""
        raise NotImplementedError

    def evaluate(self, *operands: Array) -> Array:
        """The meaning: the result for these operand arrays, in `operands` order."""
        raise NotImplementedError

    @classmethod
    def sample(cls, draw: Draw) -> Op:
        """A random operator of this class, for tests over all operators.

        Raises:
            GiveUp, IRError: what was drawn does not fit together.
        """
        raise NotImplementedError(f"{cls.__name__} has no sampler: write `sample` in the class, in {cls.__module__}")

    def macs(self) -> int:
        """Multiply-accumulates of one evaluation; only operators that are sums of products count."""
        return 0

    def row_form(self) -> RowForm | None:
        """How the operator falls into rows, or None: it then takes whole tensors as one row."""
        return None

    def lifted(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the operands as the row form wants them: their own, or with leading dimensions of size 1 where
        an operand has rows of its own but too few dimensions to show them."""
        return tuple(v.shape for v in self.operands)

    def row_op(self, rows: int, valid: int) -> Op:
        """The operator that computes `rows` output rows (1, or all of them for a pointwise operator).

        `valid` is the number of input rows inside the operand, for windows that clip. Only for operators with a
        row form.
        """
        raise NotImplementedError

    def runs_whole(self) -> bool:
        """Whether there is a kernel for whole tensors when the operator has neither a row form nor loops."""
        return False

    def working_bytes(self) -> int:
        """Bytes of memory that the kernel for whole tensors writes as it likes while it runs, beside the result."""
        return 0

    def unrunnable(self) -> str:
        """Why no stage of a row program computes the operator; empty where one does, or where nothing is computed."""
        if self.constant() is not None or self.is_view() or self.runs_whole():
            return ""
        if self.row_form() is not None or self.loops() is not None:
            return ""
        return f"{self.mnemonic} has neither rows nor loops here, nor a kernel for whole tensors"

    def gathered(self) -> TensorType | None:
        """What the memory of the result holds while the rows of the first operand are taken one by one, all other
        operands being whole: until the last has come, sums say, of a type that may take more bytes. None where the
        operator has to have its operand whole, or takes rows for rows (`row_form`)."""
        one = self._one_row()
        return None if one is None else one.held

    def _one_row(self) -> OneRow | None:
        operands = self.operands
        return one_row(self.loops_over_rows(), operands[0].type, self.type) if operands else None

    def loops_over_rows(self) -> tuple[Loops, ...] | None:
        """The loops from which follows how rows are gathered."""
        return self.loops() if self.row_form() is None else None

    def gather(
        self,
        held: Array,
        operands: typing.Sequence[Array],
        row: int,
        first: bool,
        last: bool,
        fused: bool | None = None,
    ) -> Array:
        """What the memory of the result holds after one more row, where `gathered` says that rows are taken so: see
        `gathering.gather`. After the last row it is the result."""
        one = self._one_row()
        assert one is not None
        return gather(one, held, operands, row, first, last, fused)

    def carries(self) -> bool:
        """Whether a row needs what those before it have left in the memory of its stage (`working_bytes`)."""
        return False

    def advance(self, held: Array, operands: typing.Sequence[Array], first: bool) -> Array:
        """The next row of an operator that carries, given its row of the operands that have rows, and what the rows
        before it left in `held`, which gets what this one leaves. The first row finds nothing there."""
        raise NotImplementedError

    def row_fill(self) -> float | None:
        """What rows outside an operand hold, for windows that fill; None when its windows leave no operand."""
        return None

    def view_offset(self) -> int:
        """Of a view: the elements of the first operand that lie before those of the result."""
        return 0

    def parts(self) -> tuple[tuple[Value, int], ...]:
        """The operands, if the result is just these, one after the other in memory: each with the number of elements
        before it."""
        return ()

    def may_overwrite(self, operand: int) -> bool:
        """Whether the result may be written over this operand, while it is computed: element by element, or as
        `in_blocks` says."""
        return False

    def in_blocks(self) -> Blocks | None:
        """How the elements of the operand can be moved, within its memory, to where the result has them; None for an
        operator that does something else, or where they cannot."""
        return None

    def may_overwrite_row(self) -> bool:
        """Whether row r of the result may be written over the first row that it reads of the first operand, element
        over element, while it is computed."""
        return False

    def pixels_aside(self) -> int:
        """How many pixels of a row of the first operand are copied aside at a time, so that those of the result can be
        computed over them: of an operator that makes each pixel of the result of the one pixel there. 0 where that is
        not done."""
        return 0

    def joint_weights(self) -> Value | None:
        """Of an int8 layer, each of whose sums takes all channels of the operand: its weights, [outputs, ...], the
        products of a sum in the order in which their elements follow each other. None for any other operator."""
        return None

    def channel_operands(self) -> typing.Mapping[int, int]:
        """The operands, by place, that have an entry for each channel of the result (the last dimension), which no
        other channel needs, and along which dimension. Empty where channels need each other."""
        return {}

    def loops(self) -> tuple[Loops, ...] | None:
        """The operator as strided loops, from which generic kernels are made; None where it has a kernel of its own."""
        return None

    def jumps(self) -> bool:
        """Whether the result jumps where a float operand changes by as little as rounding does."""
        return False

    def spread(self, low: Array, high: Array) -> tuple[Array, Array] | None:
        """The least and the largest elements of the result for a first operand between limits of each of its elements;
        None where they are found among the results for the limits."""
        return None

    def copies(self) -> bool:
        """Whether the operator does nothing but copy its operand's elements, in order."""
        return False

    def is_view(self) -> bool:
        """Whether the result has the bytes of the first operand, in the same order."""
        return False

    def constant(self) -> Array | None:
        """The value of an operator that has no operands and is the same whenever it runs."""
        return None

    def is_identity(self) -> bool:
        """Whether the result is the first operand as it is: same type, same elements."""
        return False

    def passes_on(self) -> tuple[Value, ...]:
        """The operands whose elements are what the result consists of, unchanged: moved, repeated, or the largest or
        smallest of several. None where elements are computed. See `fill` for what else the result may hold."""
        return ()

    def renames(self) -> bool:
        """Whether the result has just the operand's elements, each once, so that in fitting layouts nothing is done."""
        return False

    def entries(self, axis: int) -> tuple[int, tuple[int, ...]] | None:
        """Of an operator that passes its first operand on: the dimension of the result that has entries of dimension
        `axis` of the operand, each whole and once, and which of them, in order. None where no dimension does."""
        return None

    def chooses(self) -> bool:
        """Whether an operator that passes elements on compares them: which one comes out depends on their values."""
        return False

    def elementwise(self) -> bool:
        """Whether each element of the result is computed from the elements at its place of the operands, which
        broadcast; a table that all places share aside."""
        return False

    def multiplies(self) -> bool:
        """Whether the result is a product, or sums of products, of the first two operands."""
        return self.macs() > 0

    def undefined(self, *operands: Array) -> Array | None:
        """Which elements of the result nobody defines for these operands, so that implementations differ; None where
        all are defined."""
        return None

    def fill(self) -> float | None:
        """The number that an operator which passes elements on puts between or around them; None for nothing."""
        return None

    def filled(self: OpT, value: float) -> OpT:
        """The same operator with another `fill`."""
        raise NotImplementedError

    def limits(self) -> tuple[float, float] | None:
        """Least and largest element of the result, where the operator limits what it computes: its attributes `min` and
        `max`, if it has them. `limited` changes them."""
        names = {spec.name for spec in fields_of(type(self))}
        if not {"min", "max"} <= names:
            return None
        return getattr(self, "min"), getattr(self, "max")  # noqa: B009 (fields of a subclass)

    def zero_point(self) -> int | None:
        """The integer that stands for the real number 0 in the result of an operator on integers; None where the
        operator does not know it."""
        return None

    def limited(self: OpT, low: float, high: float) -> OpT:
        """The same operator with other limits."""
        return dataclasses.replace(self, **typing.cast("Any", {"min": low, "max": high}))

    def least(self, operands: typing.Sequence[float]) -> float:
        """A number that no element of the result is below (NaN apart), given such numbers for the operands."""
        limits = self.limits()
        if limits is not None:
            return self.type.dtype.holds(limits[0]) if limits[0] > -math.inf else -math.inf
        passed = self.passes_on()
        found = [low for v, low in zip(self.operands, operands, strict=True) if v in passed]
        fill = self.fill()
        return min(found + ([] if fill is None else [self.type.dtype.holds(fill)]), default=-math.inf)

    def keeps_channels(self) -> bool:
        """Whether the operator does the same to every channel (the last dimension), and a channel of the operand times
        a positive number is that channel of the result times this number."""
        return False

    def affine(self, place: int, constants: typing.Mapping[int, Array]) -> tuple[Array, Array] | None:
        """a and b, in float64, where the result is a * x + b of the operand at `place`, given the arrays of all others.

        Both broadcast to the result's channels (its last dimension), and vary along no other dimension: `channel_map`
        has them with one number a channel. None where the operator is no such map.
        """
        return None

    def quantised(self) -> IntegerForm | StaysFloat:
        """How the operator, on floats, is computed when a network is quantised."""
        passed = self.passes_on()
        if passed:
            fill = self.fill()
            if fill is not None and not math.isfinite(fill):
                return StaysFloat(f"no int8 value stands for the pad value {fill}")
            return IntegerForm(Form.SHARING, passed)
        return StaysFloat(f"{self.mnemonic} has no integer form")

    def resolution(self, scales: typing.Sequence[float]) -> float:
        """The real value of one step of the integers from which a quantised result is requantised, given the scales of
        the quantised operands; 0 where nothing is requantised."""
        return 0.0

    @cached_property
    def type(self) -> TensorType:
        """The type of the result."""
        try:
            return self.infer()
        except IRError as error:
            if error.where:
                raise
            raise IRError(error.message, self.mnemonic) from None

    @cached_property
    def operands(self) -> tuple[Value, ...]:
        """All operands in field order; absent optional ones are left out."""
        found: list[Value] = []
        for spec in fields_of(type(self)):
            if spec.kind is FieldKind.ATTRIBUTE:
                continue
            value = getattr(self, spec.name)
            if spec.kind is FieldKind.VARIADIC:
                found.extend(value)
            elif value is not None:
                found.append(value)
        return tuple(found)

    def arguments(self, arrays: typing.Sequence[Array]) -> list[Array | None]:
        """Spreads arrays given for `operands` to the parameters of `evaluate`: None for absent optional operands."""
        rest = iter(arrays)
        out: list[Array | None] = []
        for spec in fields_of(type(self)):
            if spec.kind is FieldKind.VARIADIC:
                out.extend(next(rest) for _ in getattr(self, spec.name))
            elif spec.kind is not FieldKind.ATTRIBUTE:
                out.append(None if getattr(self, spec.name) is None else next(rest))
        return out

    def run(self, arrays: typing.Sequence[Array]) -> Array:
        """Evaluates on arrays given for `operands`; the result has exactly the inferred type."""
        result = self.evaluate(*typing.cast("list[Array]", self.arguments(arrays)))
        return result.astype(self.type.dtype.numpy, copy=False).reshape(self.type.shape)

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        """The result as kernels compute it that sum in float32: its products in their order, each of them rounded, and
        each sum, or with `fused` the two at once (`ir.steps`). None where nothing is summed, or no order is said."""
        return None

    def run_in_steps(self, arrays: typing.Sequence[Array], fused: bool) -> Array:
        """As `run`, but `in_steps` where that gives something."""
        result = self.in_steps(fused, *typing.cast("list[Array]", self.arguments(arrays)))
        return self.run(arrays) if result is None else result.reshape(self.type.shape)

    def replace_operands(self: OpT, mapping: typing.Mapping[Value, Value]) -> OpT:
        """The same operator with operands substituted; itself when nothing changes."""
        changes: dict[str, Any] = {}
        for spec in fields_of(type(self)):
            if spec.kind is FieldKind.ATTRIBUTE:
                continue
            old = getattr(self, spec.name)
            new: Any
            if spec.kind is FieldKind.VARIADIC:
                new = tuple(mapping.get(v, v) for v in old)
            else:
                new = None if old is None else mapping.get(old, old)
            if new != old:
                changes[spec.name] = new
        return dataclasses.replace(self, **changes) if changes else self

    def with_operands(self: OpT, values: typing.Sequence[Value]) -> OpT:
        """The same operator on these operands, given in `operands` order (their types may differ)."""
        rest = iter(values)
        changes: dict[str, Any] = {}
        for spec in fields_of(type(self)):
            if spec.kind is FieldKind.VARIADIC:
                changes[spec.name] = tuple(next(rest) for _ in getattr(self, spec.name))
            elif spec.kind is not FieldKind.ATTRIBUTE and getattr(self, spec.name) is not None:
                changes[spec.name] = next(rest)
        return dataclasses.replace(self, **changes)


REGISTERED: dict[str, type[Op]] = {}
"""The operator classes by mnemonic, as far as their modules are imported; `tinyc.ir.ops.registry` has them all."""


_NEEDED = {
    "infer": ("", "the type of its result"),
    "evaluate": ("", "its meaning"),
    "row_op": ("row_form", "the operator on some of the rows"),
    "filled": ("fill", "the same with another fill"),
}
"""What an operator class has to write, after writing which other method (none: always), and what that says."""


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""How names are spelled that need no quotes in the text form."""


def _check_arguments(cls: type[Op], mnemonic: object, onnx: object, accuracy: object, steep: object) -> None:
    """Raises `TypeError` for a class argument that is not of its kind."""
    if mnemonic is not None and not (isinstance(mnemonic, str) and _WORD.fullmatch(mnemonic)):
        raise TypeError(f"{cls.__name__}: `mnemonic` is a word of letters, digits and _, not {mnemonic!r}")
    if not isinstance(onnx, str):
        raise TypeError(f"{cls.__name__}: `onnx` is the name of an operator, not {onnx!r}")
    if not isinstance(accuracy, Accuracy | None):
        known = ", ".join(f"Accuracy.{a.name}" for a in Accuracy)
        raise TypeError(f"{cls.__name__}: `accuracy` is one of {known} (tinyc.ir.op), not {accuracy!r}")
    if not isinstance(steep, bool | None):
        raise TypeError(f"{cls.__name__}: `steep` is True or False, not {steep!r}")


def _check_class(cls: type[Op], mnemonic: str) -> None:
    """Raises `TypeError` for an operator class that leaves out something, or has a name that another one has."""
    for method, (after, what) in _NEEDED.items():
        needed = not after or getattr(cls, after) is not getattr(Op, after)
        if needed and getattr(cls, method) is getattr(Op, method):
            raise TypeError(f"{cls.__name__} does not declare {what}: write `{method}` in the class")
    if mnemonic in REGISTERED:
        raise TypeError(f"two operators are called {mnemonic}")
    other = next((kind for kind in REGISTERED.values() if cls.onnx and kind.onnx == cls.onnx), None)
    if other is not None:
        raise TypeError(f"{other.__name__} and {cls.__name__} are both ONNX's {cls.onnx}")


class OfRows(Op):
    """Base of operators that are the same on some rows: on those of each operand that is taken row by row."""

    def row_op(self, rows: int, valid: int) -> Op:
        form = self.row_form()
        assert form is not None
        windows = zip(self.operands, form.windows, strict=True)
        return self.with_operands([v if w is None else v.with_rows(rows) for v, w in windows])

"""Reads the text form back into a module. Every error shows the line, the column and a caret."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NoReturn

import lark
import numpy as np

from tinyc.ir.errors import IRError, TinycError
from tinyc.ir.module import Module, Node, verify
from tinyc.ir.op import FieldKind, FieldSpec, Op, Value, fields_of
from tinyc.ir.ops import registry
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import LARGEST, DType, TensorType

_AROUND = 60
"""Characters of a long line that are shown before and behind the place of an error."""


class ParseError(TinycError):
    """Text that is not a module. `line` and `column` count from 1."""

    def __init__(self, message: str, text: str, line: int, column: int, source: str) -> None:
        lines = text.split("\n")
        shown = lines[line - 1] if 0 < line <= len(lines) else ""
        at = column - 1
        if len(shown) > 2 * _AROUND:
            first = max(0, at - _AROUND)
            shown, at = shown[first : first + 2 * _AROUND], at - first
        caret = "".join("\t" if c == "\t" else " " for c in shown[:at]) + "^"
        super().__init__(f"{source}:{line}:{column}: {message}\n  {shown}\n  {caret}")
        self.line = line
        self.column = column


@cache
def _lark() -> lark.Lark:
    grammar = resources.files("tinyc.ir.text").joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def parse_module(text: str, data: Mapping[str, Array] | None = None, source: str = "<text>") -> Module:
    """The module that a text describes.

    Args:
        text: the text form.
        data: the arrays that the text names (`@name`).
        source: what errors call the text, a file name for instance.

    Raises:
        ParseError: with line, column and a caret under the place.
    """
    try:
        tree = _lark().parse(text)
    except lark.UnexpectedInput as error:
        if isinstance(error, lark.UnexpectedToken) and error.token.type == "$END":
            lines = text.rstrip().split("\n")
            raise ParseError("the text ends too early", text, len(lines), len(lines[-1]) + 1, source) from None
        raise ParseError(_unexpected(error), text, error.line, error.column, source) from None
    return _Reader(text, data or {}, source).module(tree)


def _unexpected(error: lark.UnexpectedInput) -> str:
    expected = sorted(
        getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
    )
    names = [_SPELLING.get(name, name.lower()) for name in expected if name not in ("WS", "COMMENT")]
    return "expected " + " or ".join(names) if names else "unexpected text"


_SPELLING = {
    "VALUE": "a value (%name)",
    "SYMBOL": "a symbol (@name)",
    "NAME": "a word",
    "NUMBER": "a number",
    "STRING": "a string",
    "HEX": "bits (0x...)",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COLON": "':'",
    "COMMA": "','",
    "EQUAL": "'='",
    "LESSTHAN": "'<'",
    "MORETHAN": "'>'",
    "RETURN": "'return'",
    "INPUT": "'input'",
    "LOC": "'loc'",
}


class _Reader:
    """Turns the syntax tree into a module, checking each statement where it stands."""

    def __init__(self, text: str, data: Mapping[str, Array], source: str) -> None:
        self._text, self._data, self._source = text, data, source
        self._values: dict[str, Value] = {}

    def fail(self, message: str, at: Any) -> NoReturn:
        """Raises a ParseError at a tree or token."""
        meta = at.meta if isinstance(at, lark.Tree) else at
        raise ParseError(message, self._text, meta.line, meta.column, self._source)

    def module(self, tree: Any) -> Module:
        inputs: list[Value] = []
        nodes: list[Node] = []
        outputs: tuple[Value, ...] = ()
        name = _name(tree.children[0])
        for child in tree.children[1:]:
            if child.data == "input":
                value = Value(_name(child.children[0]), self._type(child.children[1]))
                self._define(value, child.children[0])
                inputs.append(value)
            elif child.data == "node":
                nodes.append(self._node(child))
            else:
                outputs = tuple(self._use(token) for token in child.children)
        module = Module(name, tuple(inputs), tuple(nodes), outputs)
        verify(module)
        return module

    def _define(self, value: Value, at: Any) -> None:
        if value.name in self._values:
            self.fail(f"{at} is defined already", at)
        self._values[value.name] = value

    def _use(self, token: Any) -> Value:
        value = self._values.get(_name(token))
        if value is None:
            self.fail(f"{token} is not defined above", token)
        return value

    def _type(self, tree: Any) -> TensorType:
        word, *dims = tree.children
        try:
            type_ = TensorType(tuple(int(str(d)) for d in dims), dtype_named(str(word)))
            if type_.size > LARGEST:
                self.fail(f"a value has at most {LARGEST:,} elements", tree)
            return type_
        except ValueError as error:
            self.fail(str(error) if "element type" in str(error) else "a shape has non-negative integers", tree)
        except IRError as error:
            self.fail(error.message, tree)

    def _node(self, tree: Any) -> Node:
        result, mnemonic, *rest = tree.children
        cls = registry().get(str(mnemonic))
        if cls is None:
            self.fail(f"there is no operator {mnemonic}", mnemonic)
        operands = [t for t in rest if t.data in ("value", "none")]
        attributes: list[Any] = next((t.children for t in rest if t.data == "attributes"), [])
        declared = next(t for t in rest if t.data == "type")
        loc = next((json.loads(t.children[0]) for t in rest if t.data == "loc"), "")
        fields = self._operands(cls, operands, tree) | self._attributes(cls, attributes)
        try:
            op = cls(**fields)
        except TypeError:
            required = [f.name for f in fields_of(cls) if f.name not in fields]
            self.fail(f"{mnemonic} needs {', '.join(required)}", mnemonic)
        except IRError as error:
            self.fail(str(error), mnemonic)
        type_ = self._type(declared)
        if type_ != op.type:
            self.fail(f"{mnemonic} gives {op.type}, not {type_}", declared)
        value = Value(_name(result), type_)
        self._define(value, result)
        return Node(value, op, loc)

    def _operands(self, cls: type[Op], operands: list[Any], at: Any) -> dict[str, Any]:
        specs = [s for s in fields_of(cls) if s.kind is not FieldKind.ATTRIBUTE]
        values = [self._use(t.children[0]) if t.data == "value" else None for t in operands]
        if len(specs) == 1 and specs[0].kind is FieldKind.VARIADIC:
            return {specs[0].name: tuple(values)}
        required = sum(s.kind is FieldKind.OPERAND for s in specs)
        if not required <= len(values) <= len(specs):
            self.fail(f"{cls.mnemonic} takes the operands {', '.join(s.name for s in specs)}", at)
        for spec, value, tree in zip(specs, values, operands, strict=False):
            if value is None and spec.kind is FieldKind.OPERAND:
                self.fail(f"{cls.mnemonic} cannot do without {spec.name}", tree if tree.children else at)
        return {spec.name: value for spec, value in zip(specs, values, strict=False)}

    def _attributes(self, cls: type[Op], trees: list[Any]) -> dict[str, Any]:
        specs: dict[str, FieldSpec] = {s.name: s for s in fields_of(cls) if s.kind is FieldKind.ATTRIBUTE}
        found: dict[str, Any] = {}
        for tree in trees:
            name, literal = tree.children
            spec = specs.get(str(name))
            if spec is None or str(name) in found:
                what = "twice" if spec else f"unknown; {cls.mnemonic} has {', '.join(specs) or 'none'}"
                self.fail(f"attribute {name} is {what}", name)
            try:
                found[str(name)] = attribute_from(spec, self._literal(literal))
            except ValueError as error:
                self.fail(str(error), literal if isinstance(literal, lark.Tree) and literal.children else name)
        return found

    def _literal(self, tree: Any) -> Any:
        if tree.data == "list":
            if any(t.data == "list" for t in tree.children):
                self.fail("a list holds no lists", tree)
            return tuple(self._literal(t) for t in tree.children)
        if tree.data == "tensor":
            return self._tensor(tree)
        token = tree.children[0]
        if tree.data == "symbol":
            array = self._data.get(_name(token))
            if array is None:
                self.fail(f"there is no data named {token} beside the text", token)
            return Tensor(array)
        if tree.data == "string":
            return json.loads(str(token))
        return str(token) if tree.data == "word" else _number(str(token))

    def _tensor(self, tree: Any) -> Tensor:
        type_ = self._type(tree.children[0])
        numbers = [str(t.children[0]) for t in tree.children[1:]]
        if len(numbers) != type_.size:
            self.fail(f"{type_} has {type_.size} element(s), {len(numbers)} given", tree)
        try:
            flat = np.zeros(type_.size, type_.dtype.numpy)
            for k, number in enumerate(numbers):
                if number.startswith("0x"):
                    flat[k : k + 1] = np.array([int(number, 16)], np.uint32).view(np.float32)
                else:
                    flat[k] = float(number) if type_.dtype.is_float else int(number)
        except (ValueError, OverflowError):
            self.fail(f"a number does not fit {type_.dtype.value}", tree)
        return Tensor(flat.reshape(type_.shape))


def _name(token: Any) -> str:
    """The name behind a sigil, unquoted."""
    text = str(token)[1:]
    return str(json.loads(text)) if text.startswith('"') else text


def _number(text: str) -> int | float:
    if text.startswith("0x"):
        return int(text, 16)
    return int(text) if text.lstrip("-").isdigit() else float(text)


def attribute_from(spec: FieldSpec, literal: Any) -> Any:
    """An attribute's value from a parsed literal, as the field's type asks. Raises ValueError when it does not fit."""
    if spec.is_tuple:
        if not isinstance(literal, tuple):
            raise ValueError(f"{spec.name} takes a list of {spec.base.__name__}")
        return tuple(_scalar(spec, item) for item in literal)
    return _scalar(spec, literal)


def _scalar(spec: FieldSpec, literal: Any) -> Any:
    base = spec.base
    if issubclass(base, enum.Enum) and isinstance(literal, str):
        for member in base:
            if member.value == literal:
                return member
        raise ValueError(f"{spec.name} is one of {', '.join(str(m.value) for m in base)}, not {literal}")
    if base is float and type(literal) in (int, float):
        return float(literal)
    if base is bool and literal in ("true", "false"):
        return literal == "true"
    if type(literal) is base:
        return literal
    raise ValueError(f"{spec.name} takes {base.__name__}, not {literal!r}")


def dtype_named(name: str) -> DType:
    """The element type spelled `name`. Raises ValueError."""
    try:
        return DType(name)
    except ValueError:
        raise ValueError(f"{name} is not an element type ({', '.join(d.value for d in DType)})") from None

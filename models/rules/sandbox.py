"""Jinja2 for authors that nobody has vetted: what a template may do, how much of it, and what it lacked.

Templates can't reach files or Python, and can't use more than a bounded number of steps and characters. A
variable that is not known is no exception: the render goes on, and all of them are noted together.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, MappingView
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from jinja2 import Template, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MOST_VALUE_CHARACTERS = 200_000
MOST_WORK_CHARACTERS = 50_000_000
MOST_ITERATIONS = 10_000
TEMPLATE_FILE = "<workshop content>"
_MOST_INTEGER_BITS = 256
_MOST_NUMBER_CHARACTERS = 80

_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_TEXT_FILTERS = ("capitalize", "e", "escape", "lower", "title", "trim", "upper", "urlencode")
_PLAIN_FILTERS = (
    "abs", "count", "d", "default", "first", "float", "int", "last", "length", "list", "max", "min",
    "reverse", "sort", "unique",
)  # fmt: skip
FILTERS = frozenset({*_TEXT_FILTERS, *_PLAIN_FILTERS, "join", "replace", "string"})
_COUNTED = "_counted"


class TooMuch(Exception):
    """The template asks for more than the bounds allow; the text says for what."""


@dataclass
class Run:
    """One render: what it may still use, and what it found unknown or unsafe, by name with its lines."""

    template: Template
    iterations: int = MOST_ITERATIONS
    work: int = MOST_WORK_CHARACTERS
    unknown: dict[str, list[int]] = field(default_factory=dict)
    unsafe: dict[str, list[int]] = field(default_factory=dict)

    def line(self) -> int:
        """Return the line of the template that is being rendered now, 0 when that can't be told."""
        frame = sys._getframe(1)
        while frame.f_code.co_filename != TEMPLATE_FILE:
            if frame.f_back is None:
                return 0
            frame = frame.f_back
        return self.template.get_corresponding_lineno(frame.f_lineno)


current_run: ContextVar[Run] = ContextVar("workshop_render")


def _noting(result: Callable[[_Unknown], Any]) -> Any:
    def used(self: _Unknown, *_arguments: Any, **_named: Any) -> Any:
        self._note()
        return result(self)

    return used


class _Unknown(Undefined):
    """A variable that is not known: any use of it is noted, and gives something harmless."""

    __slots__ = ()

    def _note(self) -> None:
        run = current_run.get()
        noted = run.unsafe if self._undefined_exception is SecurityError else run.unknown
        lines = noted.setdefault(str(self._undefined_name), [])
        line = run.line()
        if line not in lines:
            lines.append(line)

    __str__ = _noting(lambda _: "")
    __iter__ = _noting(lambda _: iter(()))
    __int__ = __index__ = __len__ = __hash__ = _noting(lambda _: 0)
    __float__ = _noting(lambda _: 0.0)
    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _noting(lambda _: False)
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _noting(lambda self: self)
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __add__
    __pos__ = __neg__ = __abs__ = __call__ = __getitem__ = _fail_with_undefined_error = __add__


class Sandbox(ImmutableSandboxedEnvironment):
    """Expressions on plain values, within bounds, with the filters FILTERS and the function range."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self, *, trim_blocks: bool) -> None:
        super().__init__(
            trim_blocks=trim_blocks,
            keep_trailing_newline=True,
            undefined=_Unknown,
            finalize=_put_in,
            optimized=False,  # so that nothing is evaluated before it is rendered
        )
        self.globals = {"range": _range}
        self.filters = {name: JINJA_FILTERS[name] for name in _PLAIN_FILTERS}
        self.filters |= {name: _of_text(JINJA_FILTERS[name]) for name in _TEXT_FILTERS}
        self.filters |= {"string": _text, "join": _join, "replace": _replace, _COUNTED: _counted}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute +, * and % unless the result would be out of bounds."""
        if operator == "%" and isinstance(left, str):
            raise TooMuch("the formatting of text with %")
        sized = [side for side in (left, right) if isinstance(side, str | list | tuple)]
        numbers = [side for side in (left, right) if isinstance(side, int)]
        if operator == "+" and sized:
            _bounded(sum(map(len, sized)))
        if operator == "*" and sized:
            _bounded(len(sized[0]) * sum(numbers))
        if operator == "*" and sum(number.bit_length() for number in numbers) > _MOST_INTEGER_BITS:
            raise TooMuch("a number of more than 77 digits")
        return super().call_binop(context, operator, left, right)


class Bounder(NodeTransformer):
    """Has the repetitions of each loop counted, and the length of joined texts."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """Count what a loop goes through."""
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _COUNTED, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Join with the bounded filter."""
        self.generic_visit(node)
        listed = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(listed, "join", [], [], None, None, lineno=node.lineno)


def _weight(value: Any, most: int) -> int:
    """Return about how many characters the text of `value` has; stop counting above `most`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        value = value.items()
    elif not isinstance(value, list | tuple | set | frozenset | MappingView):
        return _MOST_NUMBER_CHARACTERS
    total = 0
    for each in value:
        total += _weight(each, most - total) + 2
        if total > most:
            break
    return total


def _bounded(size: int) -> None:
    if size > MOST_VALUE_CHARACTERS:
        raise TooMuch(f"a value of more than {MOST_VALUE_CHARACTERS} characters")
    run = current_run.get()
    run.work -= size
    if run.work < 0:
        raise TooMuch(f"more than {MOST_WORK_CHARACTERS} characters in its values together")


def _text(value: Any) -> str:
    _bounded(_weight(value, MOST_VALUE_CHARACTERS))
    return str(value)


@pass_context  # which also keeps constants from being put in when a template is compiled
def _put_in(_context: Context, value: Any) -> str:
    """Return what is put in for an expression: text without the control characters that we mark with."""
    return "" if value is None else _NOT_TEXT.sub("", _text(value))


def _join(values: Iterable[Any], separator: Any = "") -> str:
    between = _text(separator)
    texts: list[str] = []
    size = 0
    for value in values:
        texts.append(_text(value))
        size += len(texts[-1]) + len(between)
        _bounded(size)
    return between.join(texts)


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    _bounded(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _counted(values: Iterable[Any]) -> list[Any]:
    run = current_run.get()
    counted = list(islice(values, run.iterations + 1))
    if len(counted) > run.iterations:
        raise TooMuch(f"more than {MOST_ITERATIONS} repetitions")
    run.iterations -= len(counted)
    return counted


def _range(*bounds: int) -> list[int]:
    numbers = range(*bounds)
    if len(numbers) > MOST_ITERATIONS:
        raise TooMuch(f"more than {MOST_ITERATIONS} repetitions")
    return list(numbers)


def _of_text(filter_: Callable[..., Any]) -> Callable[..., str]:
    return lambda value, *arguments, **named: str(filter_(_text(value), *arguments, **named))

# {% raw %}

"""A toy of the template language that workshops use, small enough to read.

It knows variables, texts in single quotes, if/else/endif with == and !=, comments and raw blocks. The platform
uses the real thing, Jinja2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(
    r"\{%\s*raw\s*%\}(?P<raw>.*?)\{%\s*endraw\s*%\}"
    r"|\{#(?P<comment>.*?)#\}"
    r"|\{\{\s*(?P<expression>(?:'[^']*'|[^'])*?)\s*\}\}"
    r"|\{%\s*(?P<statement>.*?)\s*%\}",
    re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_TEXT = re.compile(r"'[^']*'")
_WORDS = {"if", "elif", "else", "endif", "and", "or", "not", "in", "is", "true", "false", "none"}


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the template with the values filled in, or stop with a NameError that lists all unknown names."""
    unknown = problems(template, values)
    if unknown:
        raise NameError("; ".join(unknown))
    result: list[str] = []
    shown = [True]
    position = 0
    for token in _TOKEN.finditer(template):
        if all(shown):
            result.append(template[position : token.start()])
        position = token.end()
        if token["statement"] is not None:
            _step(shown, token["statement"], values)
        elif all(shown):
            result.append(token["raw"] or "")
            if token["expression"]:
                result.append(_value(token["expression"], values))
    if all(shown):
        result.append(template[position:])
    return "".join(result)


def problems(template: str, known: Mapping[str, object] | set[str]) -> list[str]:
    """Return a sentence for each name that is not known and each tag that is not closed, with its line."""
    unknown = [
        (_line(template, token.start()), f"{name} is not a variable")
        for token in _TOKEN.finditer(template)
        for name in _NAME.findall(_TEXT.sub("", token["expression"] or token["statement"] or ""))
        if name not in known and name not in _WORDS
    ]
    rest = _TOKEN.sub(lambda token: "\n" * token[0].count("\n"), template)
    unclosed = [
        (_line(rest, opener.start()), f"{opener[0]} is not closed")
        for opener in re.finditer(r"\{\{|\{%|\{#", rest)
    ]
    return [f"line {line}: {what}" for line, what in sorted(unknown + unclosed)]


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _step(shown: list[bool], statement: str, values: Mapping[str, object]) -> None:
    word, _, condition = statement.partition(" ")
    if word == "if":
        shown.append(_holds(condition, values))
    elif word == "else":
        shown[-1] = not shown[-1]
    elif word == "endif" and len(shown) > 1:
        shown.pop()
    else:
        raise ValueError(f"The toy does not know {statement!r}.")


def _holds(condition: str, values: Mapping[str, object]) -> bool:
    left, sign, right = re.fullmatch(r"(.*?)(?:\s*(==|!=)\s*(.*))?", condition.strip()).groups()  # type: ignore[union-attr]
    if not sign:
        return bool(values[left])
    return (_value(left, values) == _value(right, values)) == (sign == "==")


def _value(expression: str, values: Mapping[str, object]) -> str:
    if _TEXT.fullmatch(expression):
        return expression[1:-1]
    return str(values[expression])


# {% endraw %}

"""YAML as people write it: read without executing, expanding or guessing, each value with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from models.errors import Problem

LONGEST_CHARACTERS = 256 * 1024
_DEEPEST = 20

_DIRECTIVE = re.compile(r"\A((?:[ ]*(?:#[^\n]*)?\n)*)%[^\n]*")
_NULLS = {"", "~", "null", "Null", "NULL"}
_CORE_TAG = re.compile(r"tag:yaml\.org,2002:(str|int|float|bool|null|timestamp|map|seq|merge|value)")
_SYNTAX_REMEDY = (
    "Check the quotes and the indentation here and just above: text with a colon, #, [ or { goes into quotes,"
    " and an apostrophe inside single quotes is written twice."
)


def compose(text: str, path: str) -> tuple[MappingNode | None, list[Problem]]:
    """Return the mapping that the first document of `text` is, unexpanded, or None and the problems.

    A byte order mark, tabs, line ends of other systems, and a `%YAML` header of any version are accepted.
    Lines and columns of the nodes stay those of `text`.
    """
    if len(text) > LONGEST_CHARACTERS:
        large = f"The file has {len(text)} characters; {LONGEST_CHARACTERS} are allowed."
        return None, [Problem(path, 0, 0, large, "Keep only the described fields in it.")]
    text = _DIRECTIVE.sub(r"\1#", _plain_lines(text))
    try:
        node = next(_documents(text), None)
    except ReaderError as error:
        start = text.rfind("\n", 0, error.position) + 1
        line, column = text.count("\n", 0, error.position) + 1, error.position - start + 1
        return None, [Problem(path, line, column, "A character that YAML doesn't allow.", "Remove it.")]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        is_deep = isinstance(error, MaxDepthExceededError)
        why = "nested too deeply" if is_deep else error.problem or error.context or "unreadable"
        what = f"Not valid YAML: {why}."
        return None, [_at(mark, path, what, _SYNTAX_REMEDY)]
    except (YAMLError, RecursionError, ValueError) as error:
        return None, [Problem(path, 1, 1, f"Not valid YAML: {type(error).__name__}.", _SYNTAX_REMEDY)]
    if isinstance(node, MappingNode):
        return node, []
    what = "The file is empty." if node is None else "The file is not a list of `name: value` lines."
    return None, [Problem(path, 1, 1, what, "Write one `name: value` a line.")]


def place(node: Node) -> tuple[int, int]:
    """Return line and column of a node, from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


def simple_value(node: Node) -> Any:
    """Return a scalar as its text (None for an empty one) and a list of scalars as a list of texts.

    Anything deeper is returned as the node itself: its meaning can't be that of a simple value.
    """
    if isinstance(node, SequenceNode) and all(isinstance(each, ScalarNode) for each in node.value):
        return [_scalar_text(each) for each in node.value]
    return _scalar_text(node) if isinstance(node, ScalarNode) else node


def load_mapping(text: str, path: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return a mapping of names to plain values (text, numbers, booleans, lists, mappings), or the problems."""
    node, problems = compose(text, path)
    if node is None:
        is_blank = all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())
        return {}, [] if is_blank else problems
    aliased = _first_alias(node)
    if aliased is not None:
        what = "An alias (*name) is used."
        return {}, [Problem(path, *place(aliased), what, "Write the value out at each place.")]
    try:
        loaded = YAML(typ="safe", pure=True).load(_DIRECTIVE.sub(r"\1#", _plain_lines(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return {}, [_at(mark, path, f"Not usable: {error.problem}.", "Give each name once, without tags.")]
    except (YAMLError, ValueError) as error:
        return {}, [Problem(path, 1, 1, f"Not usable: {error}.", "Mend or quote the value.")]
    return {str(name): value for name, value in loaded.items()}, []


# The last step of the way to a name itself, where the way without it leads to the name's value.
NAME = "[key]"


@dataclass(frozen=True)
class Tree:
    """A document as nested mappings and lists of texts, and where each of them stands.

    `places` are found by the way from the top, such as ("backends", 0, "port"); with NAME at its end, it
    leads to the name. An empty value is left out of its mapping, but has a place.
    """

    values: dict[str, Any]
    places: dict[tuple[str | int, ...], tuple[int, int]]


def load_tree(text: str, path: str) -> tuple[Tree | None, list[Problem]]:
    """Return the one document that `text` is, with every problem of its form; no tree when it is unreadable.

    Names that are given twice, aliases, tags and further documents are problems; the first value counts.
    """
    root, problems = compose(text, path)
    if root is None:
        return None, problems
    reader = _TreeReader(path)
    values = reader.read(root, ()) or {}
    reader.problems += _further_document(text, path)
    return Tree(values, reader.places), reader.problems


@dataclass
class _TreeReader:
    path: str
    places: dict[tuple[str | int, ...], tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def read(self, node: Node, at: tuple[str | int, ...]) -> Any:
        self.places[at] = place(node)
        if id(node) in self.seen:
            self._note(node, "An alias (*name) is used.", "Write the value out at each place.")
            return None
        self.seen.add(id(node))
        if not _CORE_TAG.fullmatch(str(node.tag)):
            self._note(node, f"A tag ({node.tag}) is used.", "Write the plain value.")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, at)
        if isinstance(node, SequenceNode):
            return [self.read(each, (*at, index)) for index, each in enumerate(node.value)]
        return _scalar_text(node) if isinstance(node, ScalarNode) else None

    def _mapping(self, node: MappingNode, at: tuple[str | int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._note(key, "A name is not plain text.", "Write `name: value`.")
                continue
            name = str(key.value)
            if (*at, name) in self.places:
                line = self.places[*at, name, NAME][0]
                self._note(key, f"`{name}` is given twice (before on line {line}).", "Keep one of the two.")
                continue
            self.places[*at, name, NAME] = place(key)
            content = self.read(value, (*at, name))
            if content is None:
                self.places[*at, name] = place(key)  # nothing else stands there
            else:
                values[name] = content
        return values

    def _note(self, node: Node, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.path, *place(node), message, remedy))


def _further_document(text: str, path: str) -> list[Problem]:
    documents = _documents(_DIRECTIVE.sub(r"\1#", _plain_lines(text)))
    try:
        next(documents)
        further = next(documents, None)
    except MarkedYAMLError as error:
        return [_at(error.problem_mark, path, f"Not valid YAML: {error.problem}.", _SYNTAX_REMEDY)]
    if further is None:
        return []
    return [Problem(path, *place(further), "A second document begins (---).", "Write one document a file.")]


def _at(mark: Any, path: str, message: str, remedy: str) -> Problem:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(path, line, column, message, remedy)


def _documents(text: str) -> Iterator[Node | None]:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _DEEPEST
    documents: Iterator[Node | None] = yaml.compose_all(text)
    return documents


def _plain_lines(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")


def _scalar_text(node: ScalarNode) -> str | None:
    return None if node.style is None and node.value in _NULLS else str(node.value)


def _first_alias(root: Node) -> Node | None:
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            return node  # type: ignore[no-any-return]
        seen.add(id(node))
        if isinstance(node, MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, SequenceNode):
            waiting += node.value
    return None

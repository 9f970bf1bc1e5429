"""Templates of the harmless subset of Jinja2, with everything that is wrong with one told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateSyntaxError, nodes

from models.rules.sandbox import FILTERS, TEMPLATE_FILE, Bounder, Run, Sandbox, TooMuch, current_run

MOST_OUTPUT_CHARACTERS = 20_000_000

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Const, nodes.Name, nodes.Getitem, nodes.Getattr,
    nodes.Slice, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.If, nodes.CondExpr,
    nodes.For, nodes.Assign, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Add,
    nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat,
    nodes.Filter, nodes.Test, nodes.Call,
)  # fmt: skip
_METHODS = frozenset(
    (
        "capitalize", "endswith", "get", "items", "keys", "lower", "lstrip", "rstrip", "split", "splitlines",
        "startswith", "strip", "title", "upper", "values",
    )
)  # fmt: skip
_LITERAL_REMEDY = "Mend it; text that is meant literally goes between {% raw %} and {% endraw %}."
_SUBSET_REMEDY = "There are if, for, set, raw and comments, and the filters " + ", ".join(sorted(FILTERS)) + "."

_SANDBOXES = {trim: Sandbox(trim_blocks=trim) for trim in (True, False)}


@dataclass(frozen=True)
class Fault:
    """Something wrong with a template, at these of its lines (from 1; none: all of it).

    `name` is the variable that is not known, if that is what is wrong.
    """

    message: str
    remedy: str
    lines: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class SafeTemplate:
    """A template that keeps to the subset; `decided_by` are the names that its course may depend on."""

    _template: Template
    decided_by: frozenset[str]

    def render(self, variables: Mapping[str, object]) -> tuple[str, list[Fault]]:
        """Return the text, and all faults; with any fault the text is not to be used."""
        run = Run(self._template)
        token = current_run.set(run)
        parts: list[str] = []
        faults: list[Fault] = []
        size = 0
        stream: Any = self._template.root_render_func(self._template.new_context(dict(variables)))
        try:
            for part in stream:
                parts.append(part)
                size += len(part)
                if size > MOST_OUTPUT_CHARACTERS:
                    stream.throw(TooMuch(f"more than {MOST_OUTPUT_CHARACTERS} characters of output"))
        except Exception as error:  # whatever an expression can raise is the author's to mend
            faults.append(_failure(error, self._template))
        finally:
            current_run.reset(token)
        return "".join(parts), [*_noted(run), *faults]


def compile_template(source: str, *, trim_blocks: bool) -> tuple[SafeTemplate | None, list[Fault]]:
    """Compile a template, or return None and its faults: all uses of what is not in the subset, or where
    the syntax breaks down.
    """  # noqa: D205
    sandbox = _SANDBOXES[trim_blocks]
    try:
        tree = sandbox.parse(source)
        faults = [fault for node in tree.find_all(nodes.Node) for fault in _not_allowed(node, sandbox)]
        if faults:
            return None, faults
        decided_by = _deciding_names(tree)
        code = sandbox.compile(Bounder().visit(tree), filename=TEMPLATE_FILE)
        template = Template.from_code(sandbox, code, sandbox.make_globals(None))
        return SafeTemplate(template, decided_by), []
    except TemplateSyntaxError as error:
        what = re.sub(r" at \d+$", "", error.message or "unreadable").rstrip(".")
        return None, [Fault(f"Template syntax: {what}.", _LITERAL_REMEDY, (error.lineno,))]
    except (ValueError, RecursionError, SyntaxError, OverflowError, MemoryError) as error:
        what = f"Template syntax: too large or nested too deeply ({type(error).__name__})."
        return None, [Fault(what, "Make it simpler.")]


def _not_allowed(node: nodes.Node, sandbox: Sandbox) -> list[Fault]:
    what = ""
    if not isinstance(node, _ALLOWED):
        what = f"`{type(node).__name__.lower()}`"
    elif isinstance(node, nodes.For) and node.recursive:
        what = "A recursive loop"
    elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
        what = f"The filter `{node.name}`"
    elif isinstance(node, nodes.Test) and node.name not in sandbox.tests:
        what = f"The test `{node.name}`"
    elif isinstance(node, nodes.Call) and not _is_harmless(node.node):
        what = "This call"
    return [Fault(f"{what} can't be used in a workshop.", _SUBSET_REMEDY, (node.lineno,))] if what else []


def _is_harmless(callee: nodes.Expr) -> bool:
    if isinstance(callee, nodes.Name):
        return callee.name == "range"
    return isinstance(callee, nodes.Getattr) and callee.attr in _METHODS


def _deciding_names(tree: nodes.Template) -> frozenset[str]:
    """Return the names of which a value could change which variables are used, or make an expression fail."""
    deciding: list[nodes.Node] = [node.test for node in tree.find_all(nodes.If)]
    deciding += [node.test for node in tree.find_all(nodes.CondExpr)]
    deciding += [node.iter for node in tree.find_all(nodes.For)]
    deciding += [node.arg for node in tree.find_all(nodes.Getitem)]
    deciding += [node.right for node in tree.find_all((nodes.Div, nodes.FloorDiv, nodes.Mod))]
    deciding += tree.find_all((nodes.Assign, nodes.And, nodes.Or))
    names = [name for node in deciding for name in (node, *node.find_all(nodes.Name))]
    return frozenset(name.name for name in names if isinstance(name, nodes.Name))


def _noted(run: Run) -> list[Fault]:
    remedy = "Correct its name, or have the operator define it in the variables file."
    unknown = [
        Fault(f"The variable {name} is not known.", remedy, tuple(lines), name)
        for name, lines in run.unknown.items()
    ]
    unsafe = [
        Fault(f"`{name}` can't be reached from a workshop.", "Remove the expression.", tuple(lines))
        for name, lines in run.unsafe.items()
    ]
    return unknown + unsafe


def _failure(error: Exception, template: Template) -> Fault:
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == TEMPLATE_FILE:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    lines = (line,) if line else ()
    if isinstance(error, TooMuch):
        return Fault(f"The template asks for {error}, which is not allowed.", "Make it smaller.", lines)
    what = f"The expression fails: {type(error).__name__}: {str(error)[:200]}."
    return Fault(what, "Mend the expression.", lines)

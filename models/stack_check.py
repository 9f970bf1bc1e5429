"""A section's values held against its fields: everything that is wrong at once, in words for a person."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError, create_model

from models.rules.stack import Finding, Way, label
from models.stack_settings import OWN_SETTINGS, FurtherSettings
from models.stack_values import shown
from models.yaml_text import NAME

Model = TypeVar("Model", bound=BaseModel)

# pydantic's name of an error, or the beginning of it -> what is wrong, and the remedy.
_WORDS = {
    "int_": ("is {shown}, not a whole number", "Write a whole number."),
    "float_": ("is {shown}, not a number", "Write a number."),
    "bool_": ("is {shown}, neither true nor false", "Write true or false."),
    "string_type": ("is {shown}, not text", "Write text."),
    "literal_error": ("is {shown}, not {expected}", "Write {expected}."),
    "greater_than_equal": ("is {shown}, less than {ge}", "Write {ge} or more."),
    "greater_than": ("is {shown}, not more than {gt}", "Write a number above {gt}."),
    "less_than_equal": ("is {shown}, more than {le}", "Write {le} or less."),
    "list_type": ("is {shown}, not a list", "Write the items one a line, each after a dash."),
    "tuple_type": ("is {shown}, not a list", "Write the items one a line, each after a dash."),
    "finite_number": ("is {shown}, not a finite number", "Write a number."),
    "string_pattern_mismatch": ("is {shown}, which is not of the form {pattern}", "Write it in that form."),
    "too_short": ("is an empty list", "Name at least one."),
    "model_": ("is {shown}, not a section of its own", "Write `name: value` lines, indented below it."),
    "dict_type": ("is {shown}, not a section of its own", "Write `name: value` lines, indented below it."),
    # An error of models.stack_values.
    "stack": ("{what}", "{remedy}"),
}
_OTHERWISE = ("is {shown}: {message}", "Correct it.")


def validate(model: type[Model], given: object, way: Way = ()) -> tuple[Model | None, list[Finding]]:
    """Return the `model` that the texts `given` are, or None and all that is wrong; `way` leads to them."""
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        return None, [_finding(model, each, way) for each in error.errors(include_url=False)]


def right_values(model: type[BaseModel], given: Mapping[str, Any], way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """Yield each single value below `given` that is right in itself, defaults too, and the way to it."""
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        is_one, value = field.annotation is section, given.get(name)
        if section is None:
            with suppress(ValidationError):
                yield (*way, name), _read_alone(model, name, given)
        elif is_one:
            yield from right_values(section, value if isinstance(value, dict) else {}, (*way, name))
        else:
            several: Iterable[tuple[Any, Any]] = ()
            if isinstance(value, dict):
                several = value.items()
            elif isinstance(value, list | tuple):
                several = enumerate(value)
            for step, each in several:
                if isinstance(each, dict):
                    yield from right_values(section, each, (*way, name, step))


@cache
def _alone(model: type[BaseModel], name: str) -> type[BaseModel]:
    fields: dict[str, Any] = {"value": (model.model_fields[name].annotation, model.model_fields[name])}
    return create_model(name, **fields)


def _read_alone(model: type[BaseModel], name: str, given: Mapping[str, Any]) -> Any:
    read: Any = _alone(model, name).model_validate({"value": given[name]} if name in given else {})
    return read.value


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field is, or holds several of, or None for a single value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := section_of(each))), None)


def _finding(model: type[BaseModel], error: Any, above: Way) -> Finding:
    below: Way = error["loc"]
    way = (*above, *below)
    if error["type"] == "extra_forbidden":
        return _unknown(_section_at(model, below[:-1]), way)
    named = f"`{label(way[:-1] if way[-1:] == (NAME,) else way)}`"
    if error["type"] == "missing":
        inside = f" to `{label(way[:-1])}`" if len(way) > 1 else ""
        return Finding(way, f"{named} is missing.", f"Add `{way[-1]}: …`{inside}.")
    context = {**error.get("ctx", {}), "shown": shown(error["input"]), "message": error["msg"]}
    what, remedy = next((words for name, words in _WORDS.items() if error["type"].startswith(name)), _OTHERWISE)
    return Finding(way, f"{named} {what.format_map(context)}.", remedy.format_map(context))


def _section_at(model: type[BaseModel], way: Way) -> type[BaseModel]:
    for step in way:
        if step in model.model_fields:
            model = section_of(model.model_fields[str(step)].annotation) or model
    return model


def _unknown(section: type[BaseModel], way: Way) -> Finding:
    name, where = str(way[-1]), f" of `{label(way[:-1])}`" if len(way) > 1 else ""
    if section is FurtherSettings and name in OWN_SETTINGS:
        return Finding((*way, NAME), f"`{label(way)}` is not set here.", OWN_SETTINGS[name])
    fields = list(section.model_fields)
    alike = difflib.get_close_matches(name, fields, n=1)
    lists_all = "docs/settings.md lists them all." if section is FurtherSettings else ", ".join(fields) + "."
    remedy = f"Did you mean `{alike[0]}`?" if alike else f"Remove it; the fields are: {lists_all}"
    return Finding((*way, NAME), f"`{name[:60]}` is not a field{where}.", remedy)

"""The kinds of values in a manifest, each read from the text that an author wrote, or refused with a remedy."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

_YES = {"true", "yes", "on", "y", "1"}
_NO = {"false", "no", "off", "n", "0"}
_NONE = {"", "tbd", "tba", "todo", "n/a", "na", "none", "null", "false", "no", "-"}
_EMPTY_LINK = re.compile(r"[?.]*|https?://(www\.)?(youtu\.be|youtube\.com|vimeo\.com)?/?", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:https?://)?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?(?:[/?#][^\s<>\"'\\]*)?", re.IGNORECASE
)
_PATH = re.compile(r"/?[^\s<>\"'\\:/][^<>\"'\\:]*")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HOURS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:h|hours?)?", re.IGNORECASE)
_MARKUP = re.compile(r"<[A-Za-z/!?]")
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

_LARGEST = 1_000_000_000
_LONGEST_LINE = 200
_LONGEST_TEXT = 10_000
_MOST_HOURS = 168
_QUOTED = "Write text, in quotes."


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("manifest", "{what}", {"what": message, "remedy": remedy})


def _text(value: Any, longest: int = _LONGEST_TEXT) -> str:
    if isinstance(value, list) or not isinstance(value, str | None):
        raise _wrong("is not text", _QUOTED)
    if _UNSHOWN.search(value or ""):
        raise _wrong("has a control character", "Remove it.")
    text = (value or "").strip()
    if len(text) > longest:
        raise _wrong(f"has {len(text)} characters; {longest} are allowed", "Shorten it.")
    return text


def _line(value: Any) -> str:
    return " ".join(_text(value, _LONGEST_LINE).split())


def _title(value: Any) -> str:
    title = _line(value)
    if not title:
        raise _wrong("is empty", "Write the title that students see.")
    if _MARKUP.search(title):
        raise _wrong("has markup in it", "Write plain text: it is shown as it is.")
    return title


def _flag(value: Any) -> bool:
    text = value.strip().casefold() if isinstance(value, str) else None
    if text not in _YES | _NO:
        raise _wrong(f"is {_shown(value)}, neither true nor false", "Write true or false.")
    return text in _YES


def _number(value: Any) -> int:
    text = value.strip() if isinstance(value, str) else ""
    if text.casefold() in _NONE - {""}:
        return 0
    whole = re.fullmatch(r"([+-]?[0-9]{1,12})(?:\.0*)?", text)
    if not whole:
        raise _wrong(f"is {_shown(value)}, not a whole number", "Write a whole number, such as 20.")
    if abs(int(whole[1])) > _LARGEST:
        raise _wrong(f"is larger than {_LARGEST}", "Write a smaller number.")
    return int(whole[1])


def _count(value: Any) -> int:
    text = value.strip() if isinstance(value, str) else ""
    if not text or text.casefold() in _NONE:
        raise _wrong(f"is {_shown(value)}, not a whole number", "Write a whole number, such as 20.")
    return _number(value)


def _hours(value: Any) -> float:
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    hours = float(found[1]) if found else 0.0
    if not 0 < hours <= _MOST_HOURS:
        remedy = f"Write a number of hours, more than 0 and at most {_MOST_HOURS}."
        raise _wrong(f"is {_shown(value)}, not a number of hours", remedy)
    return hours


def _seat_range(value: Any, info: ValidationInfo) -> tuple[int, int]:
    parts = re.split(r"\s*(?:\.\.+|[-\u2013,:\s])\s*", value.strip("[]() ")) if isinstance(value, str) else value
    if not isinstance(parts, list) or not 1 <= len(parts) <= 2 or not all(map(_is_seat, parts)):
        remedy = "Write the first and the last seat, such as [1, 20]."
        raise _wrong(f"is {_shown(value)}, not a range of seats", remedy)
    first, last = int(parts[0]), int(parts[-1])
    if first > last:
        first, last = last, first
        if info.context is not None:
            what = f"The range [{last}, {first}] is read as [{first}, {last}]."
            info.context.append((info.field_name, what, f"Write [{first}, {last}]."))
    return first, last


def _is_seat(part: Any) -> bool:
    return isinstance(part, str) and re.fullmatch(r"\s*[0-9]{1,6}\s*", part) is not None


def _link(value: Any) -> str:
    text = _text(value)
    if text.casefold() in _NONE or _EMPTY_LINK.fullmatch(text):
        return ""
    if not _ADDRESS.fullmatch(text):
        raise _wrong(f"is {_shown(text)}, not an address", "Write an address that begins with https://.")
    return text if "://" in text else f"https://{text}"


def _picture(value: Any) -> str:
    text = _text(value)
    if text.casefold() in _NONE or _EMPTY_LINK.fullmatch(text):
        return ""
    is_address = "://" in text and _ADDRESS.fullmatch(text)
    if not is_address and (not _PATH.fullmatch(text) or ".." in text.split("/")):
        remedy = "Write its address, beginning with https://, or its path or name on the catalog."
        raise _wrong(f"is {_shown(text)}, not a picture", remedy)
    return text


def _names(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else _text(value).strip("[]").split(",")
    names = [_line(name).strip("'\" ") for name in given]
    kept = (name for name in names if name.casefold() not in _NONE)
    return tuple(dict.fromkeys(kept))


def _file_names(value: Any) -> tuple[str, ...]:
    names = _names(value)
    wrong = [name for name in names if not _FILE_NAME.fullmatch(name)]
    if wrong:
        remedy = "Name files of the workshop's own folder, separated by commas."
        raise _wrong(f"names {_shown(wrong[0])}, which is not the name of a file", remedy)
    return names


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if not isinstance(value, str):
        return "a nested value"
    return repr(value if len(value) <= 60 else value[:60] + "…")


Title = Annotated[str, BeforeValidator(_title)]
Line = Annotated[str, BeforeValidator(_line)]
Paragraphs = Annotated[str, BeforeValidator(_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Number = Annotated[int, BeforeValidator(_number)]
Count = Annotated[int, BeforeValidator(_count)]
Hours = Annotated[float, BeforeValidator(_hours)]
SeatRange = Annotated[tuple[int, int], BeforeValidator(_seat_range)]
Link = Annotated[str, BeforeValidator(_link)]
Picture = Annotated[str, BeforeValidator(_picture)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
FileNames = Annotated[tuple[str, ...], BeforeValidator(_file_names)]

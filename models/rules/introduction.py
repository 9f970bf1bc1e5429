"""What the catalog shows of a workshop's first notebook: Markdown for readers who have no seat yet."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection
from urllib.parse import unquote, urlsplit

from models.rules.harmless_html import CODE, Aside, without_html

# None of these may read anything twice: some author's cell would keep the platform busy for hours.
_TARGET = (
    r"\(\s*+<?(?P<target>[^\s()<>]*+(?:\([^\s()<>]*+\)[^\s()<>]*+)*)>?"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?\s*+\)"
)
_PICTURE = re.compile(r"!\[(?P<words>[^\[\]]*+)\]" + _TARGET)
_LINK = re.compile(r"(?<![!\\])\[(?P<words>(?:\\.|[^\[\]\\]|\[(?:\\.|[^\[\]\\])*\])*)\]" + _TARGET)
_LIKE_A_LINK = re.compile(r"\\.|\](?=\()", re.DOTALL)
# Also in a quote or a list, and with its target on a line of its own.
_DEFINITION = re.compile(
    r"^(?P<before>[ \t]*+(?:(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])[ \t]*+)*)\[(?P<name>(?:\\.|[^\[\]\\])+)\]:"
    r"(?:[ \t]*+\n)?[ \t>]*+<?(?P<target>[^\s<>]++)>?(?P<rest>[^\n]*+)$",
    re.MULTILINE,
)
_HEADING = re.compile(r"^(?P<level>#{1,5})(?=[ \t])", re.MULTILINE)
_UNDERLINED = re.compile(r"^(?P<words>[^\s#>|*+-][^\n]*+)\n(?P<line>=++|-{2,}+)[ \t]*+$", re.MULTILINE)
_GAP = re.compile(r"\n[ \t]*+(?:\n[ \t]*+)+\n")
_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")

ShowPicture = Callable[[str], str]


def introduction(cell: str, show_picture: ShowPicture) -> str:
    """Return the text of a Markdown cell as a part of a page that has a title of its own.

    There is no HTML in it, and its headings begin at the second level. `show_picture` gets the address of
    each picture as it was written and returns the one to show, or nothing for a picture to leave out. Links
    that lead nowhere but to the notebook's folder become plain words, and what is no proper link is shown as text.
    """
    aside = Aside()

    def reworked(text: str) -> str:
        text = _PICTURE.sub(lambda found: _picture(found, show_picture, aside), text)
        text = _DEFINITION.sub(lambda found: _definition(found, show_picture, aside), text)
        text = _LINK.sub(lambda found: _link(found, aside), text)
        text = _LIKE_A_LINK.sub(lambda found: "\\]" if found[0] == "]" else found[0], text)
        text = _UNDERLINED.sub(lambda found: f"{'#' if found['line'][0] == '=' else '##'} {found['words']}", text)
        return aside.back(_GAP.sub("\n\n", _HEADING.sub(r"#\g<level>", text)))

    lines = cell.replace("\r\n", "\n").replace("\r", "\n")
    return _outside_code(without_html(lines), aside, reworked).strip()


def file_of(address: str, names: Collection[str]) -> str:
    """Return which of a workshop's files the address in a notebook at its top means, or nothing."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return ""
    name = posixpath.normpath(unquote(parts.path))
    return name if name in names else ""


def is_elsewhere(address: str) -> bool:
    """Return whether an address is that of a page or picture of the web, which any reader can open."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _outside_code(text: str, aside: Aside, change: Callable[[str], str]) -> str:
    """Return `text` with everything changed but its code; that within a line is a mark to `change`."""
    parts: list[str] = []
    paragraphs: list[str] = []
    at = 0
    for found in CODE.finditer(text):
        paragraphs.append(text[at : found.start()])
        at = found.end()
        if found["fence"]:
            parts += [change("".join(paragraphs)), found[0]]
            paragraphs = []
        else:
            paragraphs.append(aside.keep_found(found))
    return "".join([*parts, change("".join([*paragraphs, text[at:]]))])


def _picture(found: re.Match[str], show_picture: ShowPicture, aside: Aside) -> str:
    shown = show_picture(found["target"])
    return aside.keep(f"![{found['words']}]({shown})") if shown else found["words"]


def _definition(found: re.Match[str], show_picture: ShowPicture, aside: Aside) -> str:
    target = found["target"]
    if target.casefold().endswith(_PICTURE_ENDINGS):
        target = show_picture(target)
    elif not _leads_somewhere(target):
        target = ""
    before, rest = found["before"], found["rest"]
    if target:
        return f"{before}[{found['name']}]: {target}{rest}"
    is_text = aside.is_in(found["target"]) or (rest.strip() and rest.lstrip()[0] not in "\"'(")
    return f"{before}\\{found[0][len(before) :]}" if is_text else before.rstrip()


def _link(found: re.Match[str], aside: Aside) -> str:
    return aside.keep(found[0]) if _leads_somewhere(found["target"]) else found["words"]


def _leads_somewhere(target: str) -> bool:
    return is_elsewhere(target) or target.casefold().startswith("mailto:")

"""The HTML that authors put into Markdown, as the Markdown that says the same; nothing of it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_EMPHASIS = {"b": "**", "strong": "**", "i": "*", "em": "*", "s": "~~", "del": "~~", "strike": "~~"}
_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "center",
        "div", "dl", "dt", "dd", "figure", "figcaption",
        "footer", "header", "main", "nav", "ol", "p",
        "section", "summary", "table", "ul",
    )
)  # fmt: skip
_INLINE = frozenset(
    (
        "abbr", "cite", "details", "font", "ins", "mark",
        "nobr", "q", "small", "span", "sub", "sup", "tbody",
        "tfoot", "thead", "time", "u", "var", "wbr",
    )
)  # fmt: skip
_CODE = frozenset(("code", "kbd", "samp", "tt"))
_KNOWN = _BLOCKS | _INLINE | _CODE | _HEADINGS.keys() | _EMPHASIS.keys() | {"a", "li", "tr", "td", "th", "pre"}
# What these enclose is no text for readers.
_SILENT = frozenset(
    (
        "applet", "audio", "button", "canvas", "embed", "form",
        "head", "iframe", "input", "link", "math", "meta",
        "noscript", "object", "script", "select", "style", "svg",
        "template", "textarea", "title", "video",
    )
)  # fmt: skip
_VOID = frozenset(
    (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
        "track", "wbr",
    )
)  # fmt: skip

# Deeper is what is never closed; what is nested costs its length once for each level.
_DEEPEST = 30
_DEEPEST_QUOTE = 5

_FENCED = r"^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*+\n(?s:.*?)(?:^[ ]{0,3}(?P=fence)[`~]*+[ \t]*+$|\Z)"
_QUOTED = r"(?<![`\\])(?P<ticks>`++)(?s:.{1,2000}?)(?<!`)(?P=ticks)(?!`)"
CODE = re.compile(f"{_FENCED}|{_QUOTED}", re.MULTILINE)
_AUTOLINK = re.compile(r"<(?:https?://[^\s<>]++|[^\s<>@]++@[^\s<>@]++)>")

# Not by the standard library's parser: it looks through all the rest again for each "<" that is never closed,
# gives the rest as text after two wrong references, and raises on unknown declarations.
_GIVEN = r"(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*"
_MARKUP = re.compile(
    r"\\."
    r"|<!--.*?(?:-->|\Z)|<[!?][^<>]*+>"
    rf"|<(?P<raw>script|style)(?=[\s/>]){_GIVEN}>.*?(?:</(?P=raw)\b[^<>]*+>|\Z)"
    rf"|<(?P<end>/?)(?P<tag>[a-z][^\s/<>\"']*+)(?P<given>{_GIVEN})>"
    r"|<(?=[a-z/!?<])",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"']++))?""")
_OVERLONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")


def without_html(markdown: str) -> str:
    """Return Markdown without any HTML: the harmless turned into Markdown, all else left out.

    Code stays as it is. What is no HTML, as in `<your name>`, is shown as it was written. Whatever is
    written, the time that it takes and the length of what is returned grow no faster than its length.
    """
    aside = Aside()
    bare = CODE.sub(aside.keep_found, aside.without_marks(markdown))
    converter = _Converter()
    converter.read(_AUTOLINK.sub(aside.keep_found, bare))
    return aside.back(converter.text())


class Aside:
    """Parts of a text that stay as they are, while a mark stands in the place of each."""

    # No text of an author's has these two characters, and no reference of HTML stands for them.
    _MARK = re.compile("\ufdd0(\\d+)\ufdd1")

    def __init__(self) -> None:
        self._parts: list[str] = []

    @staticmethod
    def without_marks(text: str) -> str:
        """Return `text` without anything that could be taken for a mark."""
        return text.replace("\ufdd0", "").replace("\ufdd1", "")

    def keep(self, part: str) -> str:
        """Return the mark that stands for `part`, to be put in at one place."""
        self._parts.append(self.back(part))
        return f"\ufdd0{len(self._parts) - 1}\ufdd1"

    def keep_found(self, found: re.Match[str]) -> str:
        """Return the mark that stands for what was found."""
        return self.keep(found[0])

    @staticmethod
    def is_in(text: str) -> bool:
        """Return whether `text` has a mark."""
        return "\ufdd0" in text

    def back(self, text: str) -> str:
        """Return `text` with the parts in the places of their marks."""
        return self._MARK.sub(lambda found: self._parts[int(found[1])], text)


@dataclass
class _Element:
    """A tag that is not closed yet, and what it holds so far; `last_line_begins` is a character."""

    tag: str = ""
    target: str = ""
    parts: list[str] = field(default_factory=list)
    last_line_begins: str = ""

    def write(self, text: str) -> None:
        self.parts.append(text)
        _, newline, last = text.rpartition("\n")
        if newline or not self.last_line_begins:
            self.last_line_begins = last.lstrip()[:1]


class _Converter:
    """Writes Markdown into the innermost of the open elements."""

    def __init__(self) -> None:
        self._open = [_Element()]
        self._silent = 0

    def read(self, markdown: str) -> None:
        at = 0
        for found in _MARKUP.finditer(markdown):
            self._write(markdown[at : found.start()])
            at = found.end()
            if found["tag"] and found["end"]:
                self._end(found["tag"].lower())
            elif found["tag"]:
                self._begin(found["tag"].lower(), found["given"], found[0])
            elif found[0] == "<":
                self._write("\\<")
            elif found[0].startswith("\\"):
                self._write(found[0])
        self._write(markdown[at:])

    def text(self) -> str:
        """Return what was read, tags that were never closed counting as closed."""
        while len(self._open) > 1:
            self._close_last()
        return "".join(self._open[0].parts)

    def _begin(self, tag: str, given: str, written: str) -> None:
        attributes, is_empty = _attributes(given)
        if is_empty and tag not in _VOID:
            return
        if tag in _SILENT:
            self._silent += tag not in _VOID
        elif tag == "br":
            self._write(" " if self._is_in_row() else "  \n")
        elif tag == "hr":
            self._write("\n\n---\n\n")
        elif tag == "img":
            self._write(_picture(attributes.get("src", ""), attributes.get("alt", "")))
        elif tag in _KNOWN and tag not in _VOID:
            if tag in ("li", "tr", "td", "th", "p", "dt", "dd") and self._open[-1].tag == tag:
                self._close_last()
            if len(self._open) <= _DEEPEST and not (tag == "blockquote" and self._depth(tag) >= _DEEPEST_QUOTE):
                self._open.append(_Element(tag, attributes.get("href", "")))
        elif tag not in _VOID:
            self._write(f"\\{written}")

    def _end(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif self._depth(tag):
            while self._open[-1].tag != tag:
                self._close_last()
            self._close_last()

    def _write(self, text: str) -> None:
        if text and not self._silent:
            self._open[-1].write(text)

    def _depth(self, tag: str) -> int:
        return sum(each.tag == tag for each in self._open)

    def _is_in_row(self) -> bool:
        return self._open[-1].last_line_begins == "|" or self._depth("td") + self._depth("th") > 0

    def _close_last(self) -> None:
        closed = self._open.pop()
        inner = "".join(closed.parts)
        is_inner_table = closed.tag == "table" and self._depth("table") > 0
        self._open[-1].write(_words(inner) if is_inner_table else _closed(closed.tag, closed.target, inner))


def _attributes(given: str) -> tuple[dict[str, str], bool]:
    """Return the attributes of a tag, and whether it closes itself, as in `<br/>`."""
    found, end = {}, 0
    for each in _ATTRIBUTE.finditer(given):
        value = each[2] or ""
        found[each[1].lower()] = _unescaped(value[1:-1] if value[:1] in ("'", '"') else value)
        end = each.end()
    return found, "/" in given[end:]


def _unescaped(text: str) -> str:
    # Python makes no number of thousands of digits, and raises.
    return unescape(_OVERLONG_REFERENCE.sub("\ufffd", text))


def _words(inner: str) -> str:
    """Return what a table within a table says: Markdown knows no such thing."""
    return f" {' '.join(inner.replace('|', ' ').split())} "


def _picture(source: str, words: str) -> str:
    target = source.strip().replace(" ", "%20").replace("(", "%28").replace(")", "%29")
    return f"![{words.replace('[', '').replace(']', '')}]({target})" if target else ""


def _closed(tag: str, target: str, inner: str) -> str:
    """Return the Markdown of an element with the Markdown `inner` in it."""
    # Within HTML an indentation means nothing; in Markdown it makes code.
    lines = "\n".join(line.strip() for line in inner.split("\n"))
    line = " ".join(lines.split())
    if tag in _HEADINGS:
        return f"\n\n{_HEADINGS[tag]} {line}\n\n" if line else ""
    if tag in _EMPHASIS:
        mark = _EMPHASIS[tag]
        return inner.replace(inner.strip(), f"{mark}{line}{mark}") if line else inner
    if tag in _CODE:
        return f"`{_unescaped(line)}`" if line and "`" not in line else line
    if tag == "a":
        return f"[{line}]({target.strip().replace(' ', '%20')})" if line else ""
    if tag == "pre":
        code = _unescaped(inner).strip("\n")
        return f"\n\n```\n{code}\n```\n\n"
    if tag == "li":
        return f"\n- {lines.strip()}"
    if tag in ("td", "th"):
        return f" {line} |"
    if tag == "tr":
        return f"\n|{line}"
    if tag == "table":
        return _table(lines)
    if tag == "blockquote":
        return "\n\n" + "\n".join(f"> {each}" for each in lines.strip().split("\n")) + "\n\n"
    return f"\n\n{lines.strip()}\n\n" if tag in _BLOCKS else inner


def _table(lines: str) -> str:
    rows = [each for each in lines.split("\n") if each.startswith("|")]
    if not rows:
        return f"\n\n{lines.strip()}\n\n"
    between = "|" + "---|" * (rows[0].count("|") - 1)
    return "\n\n" + "\n".join([rows[0], between, *rows[1:]]) + "\n\n"

"""The HTML that authors put into Markdown, as the Markdown that says the same; nothing of it runs."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

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

_FENCED = r"^[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n(?s:.*?)(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
_QUOTED = r"(?<![`\\])(?P<ticks>`+)(?!`)(?s:.{1,2000}?)(?<!`)(?P=ticks)(?!`)"
CODE = re.compile(f"{_FENCED}|{_QUOTED}", re.MULTILINE)
_KEPT = re.compile("\ue000(\\d+)\ue001")
_AUTOLINK = re.compile(r"<(?:https?://[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>")


def without_html(markdown: str) -> str:
    """Return Markdown without any HTML: the harmless turned into Markdown, all else left out.

    Code stays as it is. What is no HTML, as in `<your name>`, is shown as it was written.
    """
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue000{len(kept) - 1}\ue001"

    bare = _AUTOLINK.sub(keep, CODE.sub(keep, markdown.replace("\ue000", "").replace("\ue001", "")))
    converter = _Converter()
    converter.feed(bare)
    converter.close()
    return _KEPT.sub(lambda found: kept[int(found[1])], converter.text())


class _Converter(HTMLParser):
    """Writes Markdown; `_open` are the tags that are not closed yet, each with what it holds so far."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._open: list[tuple[str, str, list[str]]] = [("", "", [])]
        self._silent = 0

    def text(self) -> str:
        """Return what was read, tags that were never closed counting as closed."""
        while len(self._open) > 1:
            self._close_last()
        return "".join(self._open[0][2])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _SILENT:
            self._silent += tag not in _VOID
        elif tag == "br":
            self._write(" " if self._is_in_row() else "  \n")
        elif tag == "hr":
            self._write("\n\n---\n\n")
        elif tag == "img":
            self._write(_picture(given.get("src", ""), given.get("alt", "")))
        elif tag in _KNOWN and tag not in _VOID:
            if tag in ("li", "tr", "td", "th", "p", "dt", "dd") and self._open[-1][0] == tag:
                self._close_last()
            self._open.append((tag, given.get("href", ""), []))
        elif tag not in _VOID:
            self._write((self.get_starttag_text() or "").replace("<", "\\<", 1))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif any(name == tag for name, _, _ in self._open):
            while self._open[-1][0] != tag:
                self._close_last()
            self._close_last()

    def handle_data(self, data: str) -> None:
        self._write(data)

    def handle_entityref(self, name: str) -> None:
        self._write(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._write(f"&#{name};")

    def _write(self, text: str) -> None:
        if not self._silent:
            self._open[-1][2].append(text)

    def _is_in_row(self) -> bool:
        line = "".join(self._open[-1][2]).rpartition("\n")[2]
        return line.lstrip().startswith("|") or any(tag in ("td", "th") for tag, _, _ in self._open)

    def _close_last(self) -> None:
        tag, target, parts = self._open.pop()
        self._open[-1][2].append(_closed(tag, target, "".join(parts)))


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
        return f"`{unescape(line)}`" if line and "`" not in line else line
    if tag == "a":
        return f"[{line}]({target.strip().replace(' ', '%20')})" if line else ""
    if tag == "pre":
        code = unescape(inner).strip("\n")
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

"""What readers see of a notebook's Markdown: no HTML, and nothing that leads nowhere."""

import pytest

from models.rules.harmless_html import without_html
from models.rules.introduction import file_of, introduction

FILES = {"Pictures/a.png", "Pictures/with space.png", "notes.txt"}


def show(address: str) -> str:
    return f"/shown/{address}" if address.startswith(("Pictures/", "https://")) else ""


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('<p align="center">\n      <img src="Pictures/a.png">\n  \n</p>', "\n\n![](Pictures/a.png)\n\n"),
        ('<img src="a b.png" alt="[x] y" width=3/>', "![x y](a%20b.png)"),
        ("one<br>two<br/>three", "one  \ntwo  \nthree"),
        ("| a<br>b | c |", "| a b | c |"),
        ("<b> bold </b>and <i>soft</i>", " **bold** and *soft*"),
        ('<h1 style="x">Author: <a href="mailto:a@b.c">Ann</a></h1>', "\n\n# Author: [Ann](mailto:a@b.c)\n\n"),
        ("<ul><li>one<li>two</li></ul>", "\n\n- one\n- two\n\n"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1<td>2</tr></table>",
         "\n\n|a | b |\n|---|---|\n|1 | 2 |\n\n"),
        ("<table><tr><td>a<table><tr><td>b<td>c</table></td><td>d</table>", "\n\n|a b c | d |\n|---|---|\n\n"),
        ("<table><tr><td>a<br>b</table>", "\n\n|a b |\n|---|\n\n"),
        ("<table><tr><td>a<br>b</table>c<br>d", "\n\n|a b |\n|---|\n\nc  \nd"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "\n\n> a\n> \n> > b\n\n"),
        ("<a title='1 > 0' href=https://a.b/?c=1&amp;d=2/>e</a>", "[e](https://a.b/?c=1&d=2/)"),
        ("AT&T, https://a.b/?c=1&d=2", "AT&T, https://a.b/?c=1&d=2"),
        ("<svg/>a<input disabled/>b<P CLASS=x>c", "ab\n\nc\n\n"),
        ("<</b>script>", "\\<script>"),
        ("<kbd>Ctrl</kbd>+<code>a &lt; b</code>", "`Ctrl`+`a < b`"),
        ("<pre>x &lt; <b>y</b>\n</pre>", "\n\n```\nx < **y**\n```\n\n"),
        ("<details><summary>More</summary>text</details>", "\n\nMore\n\ntext"),
        ("a<script>alert('<b>')</script>b<style>p{}</style>c", "abc"),
        ("<svg onload=x><text>t</text></svg><iframe src=x>u</iframe>v<!-- w -->", "v"),
        ("push to <your-name> or <Your_Repo>", "push to \\<your-name> or \\<Your_Repo>"),
        ("<https://example.org/a> and <me@example.org>", "<https://example.org/a> and <me@example.org>"),
        ("`<b>` and ``a ` <i>`` stay", "`<b>` and ``a ` <i>`` stay"),
        ("```html\n<script>x</script>\n```\n<br>", "```html\n<script>x</script>\n```\n  \n"),
        ("1 < 2 &amp; 3 > 2 &#8364;", "1 < 2 &amp; 3 > 2 &#8364;"),
        ("never <b>closed", "never **closed**"),
        ("</b> closed twice</p>", " closed twice"),
        ("an unfinished <img src=", "an unfinished \\<img src="),
    ],
)  # fmt: skip
def test_html_becomes_markdown_or_nothing(written, shown):
    assert without_html(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("# Title\n\ntext\n###### Deep", "## Title\n\ntext\n###### Deep"),
        ("Title\n=====\n\nPart\n---", "## Title\n\n### Part"),
        ("       ![Logo](Pictures/a.png)", "![Logo](/shown/Pictures/a.png)"),
        ("![Lost](gone.png)", "Lost"),
        ("![Far](https://example.org/a_(1).png 'title')", "![Far](/shown/https://example.org/a_(1).png)"),
        ("[next](1-WKSHP-Basics.ipynb), [me](mailto:a@b.c), [out](https://example.org)",
         "next, [me](mailto:a@b.c), [out](https://example.org)"),
        ("[bad](javascript:alert(1)) [empty]() [here](#part)", "bad empty here"),
        ("[![Logo](Pictures/a.png)](https://example.org)", "[![Logo](/shown/Pictures/a.png)](https://example.org)"),
        ("![x][logo]\n\n[logo]: Pictures/a.png 'words'", "![x][logo]\n\n[logo]: /shown/Pictures/a.png 'words'"),
        ("[x][js]\n\n[js]: javascript:alert(1)", "[x][js]"),
        ("[js]:\n  javascript:alert(1)", ""),
        ("> a\n>\n> [js]: javascript:alert(1)\n> b", "> a\n>\n>\n> b"),
        ("> [js]:\n> javascript:alert(1)", ">"),
        ("1. - [js]: javascript:alert(1)\n\n     [a\\]s]: javascript:alert(1)", "1. -"),
        ("a\r\r[js]: javascript:alert(1)", "a"),
        ("> [out]:\n> https://example.org 'words'", "> [out]: https://example.org 'words'"),
        ("[`a`](b.ipynb) [`c`](https://a.b) [d](javascript:`e`)", "`a` [`c`](https://a.b) d"),
        ("[a [b]](javascript:x) [c [1]](https://a.b) ![d][e]", "a [b] [c [1]](https://a.b) ![d][e]"),
        ("[a](javascript:b(c(d())))", "[a\\](javascript:b(c(d())))"),
        ("[e [f [g]]](javascript:h)", "[e [f [g]]\\](javascript:h)"),
        ("<a href='javascript:x'>[a]</a> <a href='javascript:x'><img src='gone.png'></a>", "[a]"),
        ("\\[a\\](b) `[c](d)` e[0](f)", "\\[a\\](b) `[c](d)` e0"),
        ("`Title`\n===\n\n- ```sh\n  # [a](b)\n  ```\n- c", "## `Title`\n\n- ```sh\n  # [a](b)\n  ```\n- c"),
        ("[note]: `code`", "\\[note]: `code`"),
        ("[note]: this is text\n- [x]: and this", "\\[note]: this is text\n- \\[x]: and this"),
        ("[bad](javascript:x (words)) ![Far](https://example.org/a.png\n)", "bad ![Far](/shown/https://example.org/a.png)"),
        ("```sh\n# not a title\n[a](b.ipynb)\n```", "```sh\n# not a title\n[a](b.ipynb)\n```"),
        ('<a href="javascript:x">click</a> <img src="Pictures/a.png" onerror="x">',
         "click ![](/shown/Pictures/a.png)"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_cell_becomes_a_part_of_a_page(written, shown):
    assert introduction(written, show) == shown


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("Pictures/a.png", "Pictures/a.png"),
        ("./Pictures/../Pictures/a.png?raw=1", "Pictures/a.png"),
        ("Pictures/with%20space.png", "Pictures/with space.png"),
        ("../Pictures/a.png", ""),
        ("/Pictures/a.png", ""),
        ("file:///etc/passwd", ""),
        ("//host/Pictures/a.png", ""),
        ("Pictures/%2e%2e/%2e%2e/etc/passwd", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_only_files_of_the_workshop_are_meant(address, name):
    assert file_of(address, FILES) == name

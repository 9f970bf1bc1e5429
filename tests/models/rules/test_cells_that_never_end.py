"""What an author writes, by mistake or in malice, takes a time and a length in step with its own."""

import time

import pytest

from models.rules.introduction import introduction

_LONGEST = 50_000
_SOON_ENOUGH = 0.15


@pytest.mark.parametrize(
    ("begin", "again", "end"),
    [
        ("", "<table><tr><td>x", ""), ("", "<table><tr>", ""), ("", "<table>||||\n", ""),
        ("", "<table><tr><td>x<br>", ""), ("", "<blockquote>\nx", ""), ("", "<blockquote>x\n\n", ""),
        ("<blockquote>" * 40, "x\n", ""), ("<font>" * 40, "x\n", ""), ("", "<div>", ""), ("", "<b>a", ""),
        ("", "<ul><li>x", ""), ("<font>" * 4000, "</b>", ""), ("", "a<br>", ""), ("<p>", "a<br>", ""),
        ("<td>", "a<br>", ""), ("", "<a ", ""), ("", '<a " x="', ""), ("", "<a\" '", ""), ("", "<a x='", ""),
        ("<a x", " ", ">"), ("<a ", "x ", ""), ("<a x=", " ", ""), ("", "<", ""), ("", "</b ", ""),
        ("", "<!--", ""), ("", "<?", ""), ("", "<![CDATA[", ""), ("", "<!doctype ", ""), ("", "<script>", ""),
        ("", "<script ", ""), ("", "<https://", ""), ("", "<a@", ""), ("", "&#; ", ""), ("", "&", ""),
        ("<code>&#", "9", ";</code>"), ("`" + "x" * 1000 + "`", "<code>&#xfdd0;0&#xfdd1;</code>", ""),
        ("", "`", ""), ("", "~", ""), ("", "`` ` ", ""), ("```\n", "```x\n", ""),
        ("`" * 20_000 + "\n", "```x\n", ""),
        ("![a](", " ", ""), ("![a](x", " ", ""), ("[a](x", " \n", ""), ("", "![a](", ""), ("![a](x", "()", ""),
        ("", '[a](x "', ""), ("", "[a](x (", ""), ("[", "![]()", ""), ("", "[![](", ""), ("", "[", ""),
        ("", "[a\\", ""), ("", "[\\]", ""), ("[", "[a]", ""), ("", "[[a]", ""),
        ("[a]:", " ", ""), ("", "[a]:\n", ""), ("", "\n[a", ""), ("[", "\\a", ""), ("", "> [a]: ", ""),
        ("", "- ", "["), ("", " > ", "["), ("", "1. ", "["), ("", "[a]: x\n", ""), ("a\n", "-", "x"),
        ("", "a\n==x\n", ""), ("", "\n \t", ""), ("\n", " ", ""), ("", "# ", ""),
    ],
)  # fmt: skip
def test_whatever_is_repeated_takes_no_more_than_its_share(begin, again, end):
    cost, length = 0.0, len(begin + end)
    while length < _LONGEST:
        # From little on, so that what doubles with each repetition is found before it fills the memory.
        length = max(2 * length, 250)
        written = begin + again * ((length - len(begin + end)) // len(again)) + end
        before, (cost, shown) = cost, _cost_of(written)
        assert cost < max(_SOON_ENOUGH, 3 * before), f"{length} characters: {cost} s, half of them: {before} s"
        assert len(shown) < 12 * length + 100


def _cost_of(written):
    started = time.process_time()
    shown = introduction(written, lambda address: address)
    return time.process_time() - started, shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<![odd] a", "\\<![odd] a"),
        ("<![odd]> a", "a"),
        ("&#; &#; <b>c</b>", "&#; &#; **c**"),
        ("<code>&#" + "9" * 5000 + ";</code>", "`\ufffd`"),
        ("<code>&#xfdd0;7&#xfdd1;</code>", "`7`"),
        ("\ufdd07\ufdd1", "7"),
        ("a <!-- never closed\n<b>c</b>", "a"),
        ("<script 'a>alert(1)</script>", "\\<script 'a>alert(1)"),
        ("\\<your-name> \\<b>", "\\<your-name> \\<b>"),
        ("<http://[a>", "<http://[a>"),
    ],
    ids=range(10),
)
def test_what_is_no_proper_markup_stops_nothing(written, shown):
    assert introduction(written, lambda address: address) == shown

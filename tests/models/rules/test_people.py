# ruff: noqa: RUF001 - dashes, quotes and letters as people write them
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import Refused
from models.rules.people import NAME_LIMIT, check_company, check_name, plain_line


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ana", "Ana"),
        ("  Ana \t María\u00a0 López ", "Ana María López"),
        ("Ana\r\n", "Ana"),
        ("Jose\u0301", "José"),
        ("O'Brien <x>", "O'Brien <x>"),
        ('Bobby "><img src=x onerror=alert(1)>', 'Bobby "><img src=x onerror=alert(1)>'),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("李小龙", "李小龙"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u202eanA\u202c", "anA"),
        ("\ufeffAna", "Ana"),
        ("x" * NAME_LIMIT, "x" * NAME_LIMIT),
        ("x" + " " * 500 + "y", "x y"),
    ],
)
def test_names_are_tidied_and_kept(typed: str, name: str) -> None:
    assert check_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "name_missing"),
        (" \t\n ", "name_missing"),
        ("\u200b\u200d", "name_missing"),
        ("x" * (NAME_LIMIT + 1), "name_too_long"),
        ("x" * 10_000, "name_too_long"),
        ("Ana\nBcc: all@example.com", "name_malformed"),
        ("Ana\rB", "name_malformed"),
        ("Ana\x00", "name_malformed"),
        ("Ana\x1b[31m", "name_malformed"),
        ("Ana\u2028B", "name_malformed"),
        ("Ana\x85B", "name_malformed"),
        ("Ana\ud800", "name_malformed"),
        ("You won! https://evil.example", "name_malformed"),
        ("see www.evil.example", "name_malformed"),
    ],
)
def test_what_is_no_name_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_name(typed)
    assert refusal.value.reason == reason


def test_a_company_may_be_empty_and_a_web_address() -> None:
    assert check_company("  ") == ""
    assert check_company(" www.example.com ") == "www.example.com"


@pytest.mark.parametrize(("typed", "reason"), [("x" * 101, "company_too_long"), ("a\nb", "company_malformed")])
def test_what_is_no_company_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_company(typed)
    assert refusal.value.reason == reason


@given(st.text(st.characters()))
def test_a_plain_line_is_one_line_without_invisible_characters(text: str) -> None:
    line = plain_line(text)
    line.encode("utf-8")
    assert line == " ".join(line.split())
    assert not {unicodedata.category(each) for each in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert plain_line(line) == line

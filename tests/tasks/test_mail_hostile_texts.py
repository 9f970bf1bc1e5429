# ruff: noqa: RUF001 - dashes, quotes and letters as people write them
from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import FULL, MINIMAL, PLAIN, Page, delivered, mail, part

from models.rules.booking import MailKind
from models.settings import Settings
from tasks.mail import MailContext, branding, compose

MARKUP = """Bobby "><img src=x onerror=alert(1)><script>alert('x')</script>&lt;"""


@pytest.mark.parametrize("kind", MailKind)
@pytest.mark.parametrize("name", [each.name for each in fields(MailContext) if each.type == "str"])
def test_markup_in_any_text_stays_text(kind: MailKind, name: str) -> None:
    sound = [tag for tag, _ in Page(part(mail(kind), "html")).elements]
    evil = f"https://x.example/{MARKUP}" if name.endswith("_url") else MARKUP
    message = mail(kind, replace(FULL, **{name: evil}))
    page = Page(part(message, "html"))
    assert [tag for tag, _ in page.elements] == sound
    assert not any("onerror" in attributes for _, attributes in page.elements)
    if evil in part(message, "plain"):
        assert evil in page.text + " ".join(page.links)


def test_the_brand_is_escaped_too() -> None:
    evil = branding(Settings(brand=MARKUP, brand_owner=MARKUP))
    for kind in MailKind:
        tags = [tag for tag, _ in Page(part(mail(kind, FULL, evil), "html")).elements]
        assert not {"script", "img"} & set(tags) or kind in (MailKind.THANKS, MailKind.SPECIAL_BADGE)
        assert "script" not in tags


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "tbd", "???", "/img/x.png", "https://"],
)
def test_what_is_no_web_address_is_left_out(link: str) -> None:
    addresses = {each.name: link for each in fields(MailContext) if each.name.endswith("_url")}
    brand = branding(Settings(brand_logo=link, brand_url=link, brand_chat_url=link, feedback_url=link))
    for kind in set(MailKind) - {MailKind.CREDENTIALS, MailKind.REMINDER, MailKind.OFFER}:
        message = mail(kind, replace(FULL, **addresses), brand)
        assert Page(part(message, "html")).links == set()
        assert link not in part(message, "plain")


def test_a_blank_recording_is_left_out() -> None:
    message = mail(MailKind.WELCOME, replace(FULL, replay_url="https://youtu.be/"))
    assert "youtu" not in part(message, "plain") + part(message, "html")


@pytest.mark.parametrize(
    "title",
    [
        "GIT 101 – Get involved in the open source community",
        "L'été des données – “grand” & <petit> % {{ x }} {% y %}",
        "日本語のワークショップ入門、とても長い題名で、二行になります。" * 2,
        "Python 101\r\nBcc: all@example.com",
        "Python\n101",
        "Python\x00\x1b[31m101\u2028x",
        "=?utf-8?q?Python=0D=0ABcc:_all=40example.com?=",
        "a" * 500,
        "word " * 100,
        "–" * 500,
        "50% off: %s {0} {name} $HOME \\n \\1",
    ],
)
def test_any_title_makes_a_sound_subject(title: str) -> None:
    message = mail(MailKind.CREDENTIALS, replace(FULL, workshop_title=title))
    assert {name.lower() for name in message} == {name.lower() for name in mail(MailKind.CREDENTIALS)}
    assert message["To"] == "ana@example.com"
    subject = str(message["Subject"])
    assert subject.startswith("Your seat is ready: ")
    assert subject.isprintable()
    assert len(subject) <= 100
    if len(title) < 80 and title.isprintable() and "=?" not in title:
        assert subject == f"Your seat is ready: {title}"


@given(st.text(st.characters(codec="utf-8"), max_size=120))
def test_a_subject_arrives_as_it_was_written(title: str) -> None:
    shown = " ".join("".join(each if each.isprintable() else " " for each in title).split())
    if "=?" in shown or shown != title:
        return
    message = compose(MailKind.APOLOGY, "ana@example.com", replace(MINIMAL, workshop_title=title[:80]), PLAIN)
    assert delivered(message)["Subject"] == str(message["Subject"])


@pytest.mark.parametrize("kind", MailKind)
def test_line_breaks_in_any_text_make_no_lines(kind: MailKind) -> None:
    evil = "x\r\n\r\nYour password is wrong, go to\u2028evil\x85example"
    texts = {each.name: evil for each in fields(MailContext) if each.type == "str" and "url" not in each.name}
    message = mail(kind, replace(FULL, **texts))
    lines = part(message, "plain").splitlines()
    assert not [line for line in lines if line.startswith(("Your password is wrong", "evil", "example"))]

"""What people call themselves: names and companies as they come from a form."""

from __future__ import annotations

import re
import unicodedata

from models.errors import Refused

NAME_LIMIT = 100  # characters

# Control characters, line and paragraph separators, lone surrogates: none of them is part of a name.
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
# The only invisible characters that change how a name is written, in Persian and Indic scripts.
_JOINERS = "\u200c\u200d"
# Whoever books in somebody else's name must not get an advertisement mailed by us.
_WEB_ADDRESS = re.compile(r"://|\bwww\.", re.IGNORECASE)


def check_name(text: str) -> str:
    """Return a person's name in one line: trimmed, white space collapsed, Unicode composed (NFC).

    Markup is kept, because whoever shows a name escapes it.

    Raises:
        Refused: name_missing, name_too_long (more than 100 characters) or name_malformed (control
            characters, line breaks, a web address).

    """
    name = _one_line(text, "name")
    if not name:
        raise Refused("Please tell us your name.", reason="name_missing")
    if _WEB_ADDRESS.search(name):
        raise Refused("Please write your name without a web address.", reason="name_malformed")
    return name


def check_company(text: str) -> str:
    """Return a company's name as `check_name` does; it may be empty, and may look like a web address.

    Raises:
        Refused: company_too_long or company_malformed.

    """
    return _one_line(text, "company")


def check_partner_user(text: str) -> str:
    """Return a partner's own name for a student as `check_name` does; it may be empty.

    Raises:
        Refused: partner_user_too_long or partner_user_malformed.

    """
    return _one_line(text, "partner_user")


def plain_line(text: str) -> str:
    """Return any text as one line that is safe in a header: no control or invisible characters.

    Line breaks and control characters become spaces, and runs of white space one space.
    """
    shown = (
        " " if unicodedata.category(each) in _CONTROL else each
        for each in unicodedata.normalize("NFC", text)
        if each in _JOINERS or unicodedata.category(each) != "Cf"
    )
    return " ".join("".join(shown).split())


def _one_line(text: str, what: str) -> str:
    trimmed = text.strip()
    if len(trimmed) > 10 * NAME_LIMIT:
        raise _too_long(what)
    if any(unicodedata.category(each) in _CONTROL and each != "\t" for each in trimmed):
        raise Refused(
            f"The {what.replace('_', ' ')} holds line breaks or other characters that can't be shown. Please type"
            " it anew, in one line.",
            reason=f"{what}_malformed",
        )
    line = plain_line(trimmed).strip(_JOINERS)
    if len(line) > NAME_LIMIT:
        raise _too_long(what)
    return line


def _too_long(what: str) -> Refused:
    return Refused(
        f"The {what.replace('_', ' ')} is too long. Please use at most {NAME_LIMIT} characters.",
        reason=f"{what}_too_long",
    )

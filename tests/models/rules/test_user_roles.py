"""Who may do what, and which names and passwords users may have."""

from __future__ import annotations

import pytest

from models.errors import Refused
from models.rules.roles import (
    PASSWORD_LEAST,
    PASSWORD_MOST,
    USERNAME_LIMIT,
    Right,
    Role,
    check_password,
    check_roles,
    check_username,
    may,
)

U, M, A = Role.USER, Role.MODERATOR, Role.ADMIN


@pytest.mark.parametrize(
    ("right", "holders"),
    [
        (Right.LOOK_AROUND, {U, M, A}),
        (Right.SEE_BOOKINGS, {M, A}),
        (Right.END_BOOKINGS, {M, A}),
        (Right.SEE_SEATS, {M, A}),
        (Right.MANAGE_USERS, {A}),
    ],
)
def test_who_may_do_what(right, holders):
    assert {role for role in Role if may([role], right)} == holders


def test_every_right_has_its_case():
    assert len(Right) == 5


@pytest.mark.parametrize("roles", [[], ["root"], ["Admin"], ["user", "superuser"]])
def test_roles_that_do_not_exist_give_no_right_to_others_bookings(roles):
    assert not may(roles, Right.SEE_BOOKINGS)


def test_several_roles_add_up():
    assert may(["user", "admin"], Right.MANAGE_USERS)


@pytest.mark.parametrize(
    ("names", "roles"),
    [([], [U]), (["admin"], [A]), (["admin", "user", "admin"], [U, A]), (["moderator"], [M])],
)
def test_roles_are_put_in_order(names, roles):
    assert check_roles(names) == roles


def test_all_unknown_roles_are_named():
    with pytest.raises(Refused, match="no role king, root") as refused:
        check_roles(["root", "user", "king"])
    assert refused.value.reason == "role_unknown"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ana", "ana"),
        (" Ana ", "ana"),
        ("ana.b+c@example.org", "ana.b+c@example.org"),
        ("9lives", "9lives"),
        ("x" * USERNAME_LIMIT, "x" * USERNAME_LIMIT),
    ],
)
def test_user_names(typed, name):
    assert check_username(typed) == name


@pytest.mark.parametrize("typed", ["", " ", "-ana", "a b", "ana\n\nb", "ñandú", "a\x00", "\ud800", "x" * 65])
def test_user_names_that_nobody_can_have(typed):
    with pytest.raises(Refused) as refused:
        check_username(typed)
    assert refused.value.reason == "username_malformed"


@pytest.mark.parametrize(
    "password", ["correct horse battery", "abcdefghijkl", "pässwörter sind gut", "aB3" * 66 + "xy"]
)
def test_good_passwords(password):
    check_password(password, "ana")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "x" * (PASSWORD_LEAST - 1),
        "abc" * PASSWORD_MOST,
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "with a\nline break",
        "nothing\x00hidden",
        "\ud800 surrogates are bad",
        "Anas-Long-Name",
    ],
)
def test_weak_passwords(password):
    with pytest.raises(Refused) as refused:
        check_password(password, "anas-long-name")
    assert refused.value.reason == "password_weak"
    assert password not in refused.value.message or not password

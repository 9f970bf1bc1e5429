from __future__ import annotations

import math

import pytest

from models.rules.passwords import ALPHABET, LENGTH, derive_password, hub_token


def test_a_password_depends_on_key_and_booking_only() -> None:
    assert derive_password("a key", "one") == derive_password("a key", "one")
    many = {derive_password(key, str(booking)) for key in ("a key", "another", "") for booking in range(1000)}
    assert len(many) == 3000


def test_passwords_can_be_read_aloud_and_not_guessed() -> None:
    assert not set(ALPHABET) & set("0O1lI")
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert LENGTH * math.log2(len(ALPHABET)) >= 60
    everything = "".join(derive_password("a key", str(booking)) for booking in range(2000))
    assert set(everything) == set(ALPHABET)
    rarest = min(everything.count(letter) for letter in ALPHABET)
    assert rarest > 0.7 * len(everything) / len(ALPHABET)


@pytest.mark.parametrize("reference", ["", "a", "é", "x" * 1000])
def test_a_password_has_its_length_whatever_the_booking(reference: str) -> None:
    assert len(derive_password("a key", reference)) == LENGTH


def test_each_backend_has_a_token_of_its_own() -> None:
    tokens = {hub_token(master, name) for master in ("a key", "another") for name in ("be1", "be2", "be1.local")}
    assert len(tokens) == 6
    assert hub_token("a key", "be1") == hub_token("a key", "be1")
    assert all(len(token) == 64 and int(token, 16) for token in tokens)

"""The passwords of seats and the tokens of hubs: derived from one key, so that nothing has to keep them."""

from __future__ import annotations

import hashlib
import hmac

# Without 0 O 1 l I, which people mistake for one another: 57 characters, 5.8 bits each.
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 12


def derive_password(key: str, reference: str) -> str:
    """Return the password of a booking's seat: always the same for the same `key` and reference of the booking.

    It has 12 characters of ALPHABET (70 bits), and tells nothing about the key or another booking's. A booking's
    number would not do: it comes again when the database is restored from a backup, and is another student's then.
    """
    digest = hmac.new(key.encode(), f"seat password of booking {reference}".encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest, "big")
    characters = []
    for _ in range(LENGTH):
        number, index = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[index])
    return "".join(characters)


def hub_token(master: str, backend_name: str) -> str:
    """Return the token that the engine shows to the hub of a backend: always the same for the same names.

    It has 64 hexadecimal digits, and a hub that knows its own knows neither `master` nor another hub's.
    """
    return hmac.new(master.encode(), f"hub token of {backend_name}".encode(), hashlib.sha256).hexdigest()

from __future__ import annotations

import pytest

from models.rules.networks import client_of, is_among, networks


@pytest.mark.parametrize(
    ("address", "known", "expected"),
    [
        ("127.0.0.1", ["127.0.0.1"], True),
        ("127.0.0.2", ["127.0.0.1"], False),
        ("10.1.2.3", ["192.0.2.1", "10.0.0.0/8"], True),
        ("::1", ["127.0.0.1"], False),
        ("2001:DB8::0001", ["2001:db8::/32"], True),
        ("::ffff:127.0.0.1", ["127.0.0.1"], True),
        ("localhost", ["127.0.0.1"], False),
        ("", ["0.0.0.0/0"], False),
        ("10.1.2.3", [], False),
    ],
)
def test_whether_an_address_is_among_networks(address: str, known: list[str], expected: bool) -> None:
    assert is_among(address, networks(known)) is expected


@pytest.mark.parametrize("text", ["*", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        networks([text])


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_which_addresses_are_one_client(address: str, client: str) -> None:
    assert client_of(address) == client

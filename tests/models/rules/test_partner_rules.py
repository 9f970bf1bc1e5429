from __future__ import annotations

import ipaddress

import pytest

from models.errors import Refused
from models.rules.partner_addresses import check_return_url, check_webhook_url, is_public
from models.rules.scopes import Scope, check_key_name, check_scopes, key_digest

GOOD = [
    "https://partner.example/back",
    "https://partner.example:8443/back?user=7#top",
    "https://203.0.113.7.example",
]
LOOPBACK = ["http://127.0.0.1:9000/x", "http://localhost/x", "https://[::1]:9/x"]
BAD = [
    "",
    "partner.example",
    "//partner.example",
    "https://",
    "https:///path",
    "http://partner.example",
    "ftp://partner.example",
    "javascript:alert(1)",
    "https://ana:secret@partner.example",
    "https://ana@partner.example",
    "https://partner.example/a b",
    "https://partner.example/\n",
    "https://partner.example\\@other.example",
    "https://partner.example:99999",
    "https://partner.example:0",
    "https://partner.example:x",
    "https://[::1",
    "https://pärtner.example",
    "https://partner.example/" + "x" * 2000,
]


@pytest.mark.parametrize("text", [*GOOD, *LOOPBACK, "https://192.168.0.1/"])
def test_where_students_may_go_back_to(text):
    assert check_return_url(text) == text


@pytest.mark.parametrize("text", BAD)
def test_where_nobody_is_led(text):
    with pytest.raises(Refused) as refused:
        check_return_url(text)
    assert refused.value.reason == "return_url_malformed"
    for takes_loopback in (True, False):
        with pytest.raises(Refused) as refused:
            check_webhook_url(text, takes_loopback=takes_loopback)
        assert refused.value.reason == "url_malformed"


@pytest.mark.parametrize("text", [*GOOD, "https://8.8.8.8/x", "https://[2001:4860:4860::8888]/x"])
def test_where_webhooks_may_go(text):
    assert check_webhook_url(text, takes_loopback=False) == text


@pytest.mark.parametrize("text", [*LOOPBACK, "https://127.0.0.1/", "https://LOCALHOST/"])
def test_this_machine_gets_webhooks_only_where_it_is_asked_for(text):
    assert check_webhook_url(text, takes_loopback=True) == text
    with pytest.raises(Refused):
        check_webhook_url(text, takes_loopback=False)


PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "0.0.0.0",  # noqa: S104
    "127.0.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "2002:a00:1::",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "2001:db8::1",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_are_known(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["192.168.1.1", "169.254.169.254", "[fc00::1]", "[::ffff:10.0.0.1]"])
@pytest.mark.parametrize("takes_loopback", [True, False])
def test_webhooks_do_not_go_into_private_networks(text, takes_loopback):
    with pytest.raises(Refused):
        check_webhook_url(f"https://{text}/x", takes_loopback=takes_loopback)


@pytest.mark.parametrize("text", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_known(text):
    assert is_public(ipaddress.ip_address(text))


def test_scopes_are_put_in_order():
    assert check_scopes(["webhooks:write", "bookings:read", "bookings:read"]) == [
        Scope.BOOKINGS_READ,
        Scope.WEBHOOKS_WRITE,
    ]


@pytest.mark.parametrize(
    ("scopes", "reason"), [([], "scopes_missing"), (["x", "bookings:read", "a"], "scope_unknown")]
)
def test_scopes_that_there_are_not(scopes, reason):
    with pytest.raises(Refused) as refused:
        check_scopes(scopes)
    assert refused.value.reason == reason
    assert "bookings:write" in refused.value.message


@pytest.mark.parametrize("name", ["Acme", "acme portal 2", "A.b_c-d"])
def test_names_of_keys(name):
    assert check_key_name(name) == name


@pytest.mark.parametrize("name", ["", " x", "-x", "x" * 61, "a\nb", "ü"])
def test_what_is_no_name_of_a_key(name):
    with pytest.raises(Refused):
        check_key_name(name)


@pytest.mark.parametrize("text", ["", "wod_", "wod_" + "x" * 42, "wod_" + "x" * 44, "Bearer", "wod_" + "ü" * 43])
def test_what_is_no_key_has_no_digest(text):
    assert key_digest(text) is None
    assert key_digest("wod_" + "x" * 43)

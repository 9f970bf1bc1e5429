from __future__ import annotations

import pytest

from models.errors import Refused
from models.rules.seats import SeatOffer, offer_seats, seat_port, usable_range


@pytest.mark.parametrize(
    ("first", "last", "seats", "usable"),
    [
        (1, 6, 100, (1, 6)),
        (52, 91, 100, (52, 91)),
        (91, 120, 100, (91, 100)),
        (0, 5, 100, (1, 5)),
        (100, 100, 100, (100, 100)),
        (101, 120, 100, None),
        (1551, 1580, 100, None),
        (0, 0, 100, None),
        (1, 100, 1, (1, 1)),
    ],
)
def test_usable_range(first: int, last: int, seats: int, usable: tuple[int, int] | None) -> None:
    assert usable_range(first, last, seats) == usable


@pytest.mark.parametrize(
    ("wanted", "capacity", "offer", "problems"),
    [
        ((1, 6), 6, SeatOffer(1, 6, 6), []),
        ((1, 6), 3, SeatOffer(1, 6, 3), []),
        ((1, 6), 20, SeatOffer(1, 6, 6), [("capacity", "warning")]),
        ((1, 6), 0, SeatOffer(1, 6, 0), [("capacity", "warning")]),
        ((1, 6), -4, SeatOffer(1, 6, 0), [("capacity", "warning")]),
        ((1, 6), None, SeatOffer(1, 6, 6), []),
        (None, 20, SeatOffer(1, 100, 20), []),
        (None, None, SeatOffer(1, 100, 100), []),
        ((91, 120), 20, SeatOffer(91, 100, 10), [("range", "warning"), ("capacity", "warning")]),
        ((1551, 1580), 20, None, [("range", "error")]),
    ],
)
def test_offer_seats(
    wanted: tuple[int, int] | None,
    capacity: int | None,
    offer: SeatOffer | None,
    problems: list[tuple[str, str]],
) -> None:
    offered, found = offer_seats(wanted, capacity, [100])

    assert offered == offer
    assert [(problem.field, problem.severity) for problem in found] == problems


@pytest.mark.parametrize(
    ("wanted", "capacity", "backend_seats", "offer", "fields"),
    [
        ((1, 20), None, [100, 100], SeatOffer(1, 20, 40), []),
        ((1, 20), 30, [100, 100], SeatOffer(1, 20, 30), []),
        ((1, 20), 50, [100, 100], SeatOffer(1, 20, 40), ["capacity"]),
        ((11, 20), None, [15, 100], SeatOffer(11, 20, 15), []),
        ((11, 20), None, [10, 15], SeatOffer(11, 15, 5), ["range"]),
        (None, None, [10, 20, 5], SeatOffer(1, 20, 35), []),
        ((21, 30), None, [10, 20], None, ["range"]),
    ],
)
def test_a_range_counts_on_each_backend(
    wanted: tuple[int, int] | None,
    capacity: int | None,
    backend_seats: list[int],
    offer: SeatOffer | None,
    fields: list[str],
) -> None:
    offered, found = offer_seats(wanted, capacity, backend_seats)

    assert offered == offer
    assert [problem.field for problem in found] == fields


@pytest.mark.parametrize(("base", "seat", "first", "port"), [(16051, 52, 52, 16051), (16051, 60, 52, 16059)])
def test_seat_port(base: int, seat: int, first: int, port: int) -> None:
    assert seat_port(base, seat, first) == port


@pytest.mark.parametrize(("base", "seat"), [(1000, 1), (65530, 20), (-5, 1)])
def test_a_port_must_be_usable(base: int, seat: int) -> None:
    with pytest.raises(Refused) as refused:
        seat_port(base, seat, 1)
    assert refused.value.reason == "port_out_of_range"

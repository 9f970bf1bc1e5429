"""Which seats and ports a workshop gets on backends whose seats count from 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import Problem, Refused, Severity

LOWEST_PORT = 1024
HIGHEST_PORT = 65535


@dataclass(frozen=True)
class SeatOffer:
    """The seats `first` to `last`, both included, of which at most `capacity` are given out at once."""

    first: int
    last: int
    capacity: int


def usable_range(first: int, last: int, seats: int) -> tuple[int, int] | None:
    """Return the part of the range `first` to `last` that lies on a backend with `seats` seats, if any."""
    usable = max(first, 1), min(last, seats)
    return usable if usable[0] <= usable[1] else None


def offer_seats(
    wanted: tuple[int, int] | None, capacity: int | None, backend_seats: Sequence[int]
) -> tuple[SeatOffer | None, list[Problem]]:
    """Return what can be offered of what a manifest wants, and what is to be said about it.

    `backend_seats` is how many seats each backend has; the range is one of seat numbers, which each of them
    counts from 1. No range means all seats, no capacity as many as there are seats in the range on all
    backends together. The problems name their field and have neither path nor place: the caller knows those.
    """
    seats = max(backend_seats)
    first, last = wanted or (1, seats)
    usable = usable_range(first, last, seats)
    if usable is None:
        outside = f"The seats {first} to {last} don't exist here: the backend has the seats 1 to {seats}."
        remedy = f"Choose a range within 1 to {seats}, or give the backend more seats (setting seats)."
        return None, [_remark("range", outside, remedy, Severity.ERROR)]
    problems = []
    if usable != (first, last):
        partly = f"Only the seats {usable[0]} to {usable[1]} of {first} to {last} exist here and are offered."
        problems.append(_remark("range", partly, f"Choose a range within 1 to {seats}."))
    ranges = [found for each in backend_seats if (found := usable_range(*usable, each))]
    size = sum(found[1] - found[0] + 1 for found in ranges)
    offered = size if capacity is None else min(max(capacity, 0), size)
    if capacity is not None and capacity > size:
        over = f"The capacity {capacity} is more than the {size} seats of the range; {size} are offered."
        problems.append(_remark("capacity", over, f"Lower it to {size}, or widen the range."))
    if capacity is not None and capacity <= 0:
        closed = f"With the capacity {capacity} nobody can book the workshop."
        problems.append(_remark("capacity", closed, "Raise it to open the workshop."))
    return SeatOffer(*usable, offered), problems


def seat_port(base: int, seat_number: int, range_first: int) -> int:
    """Return the port of a seat whose workshop's first seat has the port `base`.

    Refused with the reason `port_out_of_range` when it isn't a port that ordinary programs may use.
    """
    port = base + seat_number - range_first
    if not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise Refused(
            f"Seat {seat_number} would get the port {port}, which is not between {LOWEST_PORT} and"
            f" {HIGHEST_PORT}. Choose another first port than {base}, or a smaller range.",
            reason="port_out_of_range",
        )
    return port


def _remark(field: str, message: str, remedy: str, severity: Severity = Severity.WARNING) -> Problem:
    return Problem("", 0, 0, message, remedy, severity, field)

"""Badges: for those who finish a workshop, and the ladder of special ones for those who finish several."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Rung:
    """One special badge: how many different workshops it takes, and what it is called."""

    workshops: int
    title: str


LADDER = (
    Rung(3, "Apprentice"),
    Rung(5, "Expert"),
    Rung(7, "Hero"),
    Rung(10, "Super Hero"),
    Rung(15, "Legend"),
)


def earns_badge(*, was_opened: bool, cells_executed: int | None, cells_total: int | None) -> bool:
    """Tell whether a session that has ended earns its workshop's badge.

    It does when something was done, or there was nothing to measure.
    """
    return was_opened and (not cells_total or bool(cells_executed))


def earned_rungs(finished_workshops: int, awarded: Collection[int]) -> list[Rung]:
    """Return the rungs that are reached and not yet awarded, lowest first.

    `finished_workshops` counts the different workshops that an address ended with at least one executed
    cell: the same one twice counts once, and a session that was only booked doesn't count. `awarded` holds
    the `workshops` of the rungs that the address has. When several rungs come at once, all are awarded, and
    the mail is about the last of the list: the highest says it all.
    """
    return [rung for rung in LADDER if rung.workshops <= finished_workshops and rung.workshops not in awarded]


def rung_of(workshops: int) -> Rung:
    """Return the rung that takes this many workshops.

    Raises:
        KeyError: no rung does.

    """
    return {rung.workshops: rung for rung in LADDER}[workshops]


def next_rung(workshops: int) -> Rung | None:
    """Return the first rung that takes more workshops than this, None above the top."""
    return next((rung for rung in LADDER if rung.workshops > workshops), None)

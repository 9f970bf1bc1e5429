"""Which workshops somebody wants to see, and in which order: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ui.api.schemas import Workshop

ALL, LATEST, POPULAR = "All", "Latest", "Popular"
ORDERS = (ALL, LATEST, POPULAR)

# Lengths that one can ask for, in hours: more than the first number, up to the second.
DURATIONS = {"Up to 2 hours": (0.0, 2.0), "2 to 4 hours": (2.0, 4.0), "Over 4 hours": (4.0, float("inf"))}
KINDS = {"Workshops": "workshop", "Challenges": "challenge"}


@dataclass(frozen=True)
class Selection:
    """What is asked for; what is empty doesn't matter."""

    words: str = ""
    order: str = ALL
    category: str = ""
    duration: str = ""
    kind: str = ""
    only_free: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.words.strip() or self.category or self.duration or self.kind or self.only_free)


def select(offered: Sequence[Workshop], wish: Selection) -> list[Workshop]:
    """Return the workshops that are asked for, by priority and title as they came, or the latest first."""
    wanted = wish.words.casefold().split()
    over, up_to = DURATIONS.get(wish.duration, (0.0, float("inf")))
    found = [
        workshop
        for workshop in offered
        if (not wish.category or wish.category in workshop.category)
        and (not wish.duration or over < workshop.duration_hours <= up_to)
        and (not wish.kind or workshop.kind == KINDS.get(wish.kind))
        and (not wish.only_free or workshop.free_seats)
        and (wish.order != POPULAR or workshop.is_popular)
        and _says(workshop, wanted)
    ]
    if wish.order == LATEST:
        found.sort(key=lambda workshop: workshop.created_at, reverse=True)
    return found


def categories(offered: Iterable[Workshop]) -> list[str]:
    """Return the categories that there are, in alphabetical order."""
    names = {name for workshop in offered for name in workshop.category if name.strip()}
    return sorted(names, key=lambda name: (name.casefold(), name))


def durations(offered: Sequence[Workshop]) -> list[str]:
    """Return the lengths that tell workshops apart; none when all are alike."""
    there = [name for name in DURATIONS if select(offered, Selection(duration=name))]
    return there if len(there) > 1 else []


def kinds(offered: Iterable[Workshop]) -> list[str]:
    """Return the kinds that tell workshops apart; none when all are of one kind."""
    there = {workshop.kind for workshop in offered}
    return list(KINDS) if len(there) > 1 else []


def _says(workshop: Workshop, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    said = _casefolded(workshop.title, workshop.description, workshop.presenter, workshop.key, *workshop.category)
    return all(word in said for word in wanted)


@lru_cache(maxsize=2000)
def _casefolded(*parts: str) -> str:
    return " ".join(parts).casefold()

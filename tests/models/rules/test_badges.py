from __future__ import annotations

import pytest

from models.rules.badges import LADDER, earned_rungs, earns_badge, next_rung, rung_of


@pytest.mark.parametrize(
    ("finished", "awarded", "earned"),
    [
        (0, [], []),
        (2, [], []),
        (3, [], [3]),
        (4, {3}, []),
        (5, {3}, [5]),
        (7, {3, 5}, [7]),
        (10, {3, 5, 7}, [10]),
        (15, {3, 5, 7, 10}, [15]),
        (40, {3, 5, 7, 10, 15}, []),
        (8, [], [3, 5, 7]),
        (8, {5}, [3, 7]),
        (2, {3}, []),
    ],
)
def test_each_rung_is_earned_once(finished: int, awarded: list[int], earned: list[int]) -> None:
    assert [rung.workshops for rung in earned_rungs(finished, awarded)] == earned


# Whether the session was opened, cells executed and in all, and whether it earns its badge.
SESSIONS = [
    (True, 60, 60, True),
    (True, 1, 60, True),
    (True, 0, 60, False),
    (True, None, 60, False),
    (True, 0, 0, True),
    (True, None, None, True),
    (False, None, None, False),
    (False, 3, 60, False),
]


@pytest.mark.parametrize(("was_opened", "executed", "total", "earns"), SESSIONS)
def test_a_badge_is_for_something_done(
    was_opened: bool, executed: int | None, total: int | None, earns: bool
) -> None:
    assert earns_badge(was_opened=was_opened, cells_executed=executed, cells_total=total) is earns


def test_the_ladder() -> None:
    assert {rung.workshops: rung.title for rung in LADDER} == {
        3: "Apprentice",
        5: "Expert",
        7: "Hero",
        10: "Super Hero",
        15: "Legend",
    }


def test_rungs_are_found_by_their_number() -> None:
    assert rung_of(7).title == "Hero"
    with pytest.raises(KeyError):
        rung_of(4)


@pytest.mark.parametrize(("workshops", "title"), [(0, "Apprentice"), (3, "Expert"), (14, "Legend"), (15, None)])
def test_the_next_rung(workshops: int, title: str | None) -> None:
    rung = next_rung(workshops)
    assert (rung.title if rung else None) == title

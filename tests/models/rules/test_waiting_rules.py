import pytest

from models.errors import Refused
from models.rules.booking import MailKind
from models.rules.waiting import IN_LINE, WAITING_STEPS, Room, SeatRange, WaitingEvent, WaitingState, waiting_step

S, E = WaitingState, WaitingEvent

STEPS = [
    (S.WAITING, E.OFFER, S.OFFERED, MailKind.OFFER),
    (S.WAITING, E.LEAVE, S.LEFT, None),
    (S.WAITING, E.CLOSE, S.CLOSED, MailKind.LINE_CLOSED),
    (S.OFFERED, E.TAKE, S.BOOKED, None),
    (S.OFFERED, E.LEAVE, S.LEFT, None),
    (S.OFFERED, E.EXPIRE, S.EXPIRED, MailKind.OFFER_MISSED),
    (S.OFFERED, E.CLOSE, S.CLOSED, MailKind.LINE_CLOSED),
]


@pytest.mark.parametrize(("state", "event", "to", "mail"), STEPS)
def test_a_place_moves_on_with_its_mail(state, event, to, mail):
    step = waiting_step(state, event)
    assert (step.to, step.mail) == (to, mail)


@pytest.mark.parametrize("state", WaitingState)
@pytest.mark.parametrize("event", WaitingEvent)
def test_nothing_else_moves_a_place(state, event):
    if (state, event) in {(row[0], row[1]) for row in STEPS}:
        return
    with pytest.raises(Refused) as refusal:
        waiting_step(state, event)
    assert refusal.value.reason == "transition_not_allowed"


def test_only_places_in_the_line_have_a_way_on():
    assert {state for state, _ in WAITING_STEPS} == IN_LINE


@pytest.mark.parametrize(
    ("capacity", "running", "offered", "waiting", "free", "for_others", "is_awaited"),
    [
        (5, 2, 0, 0, 9, 3, False),
        (5, 2, 0, 0, 1, 1, False),
        (5, 2, 0, 2, 9, 1, True),
        (5, 2, 0, 3, 9, 0, True),
        (5, 2, 0, 9, 9, 0, True),
        (5, 2, 1, 0, 9, 2, False),
        (5, 2, 3, 1, 9, 0, False),  # whoever waits can't be given one: the offers fill it
        (5, 5, 0, 1, 9, 0, False),
        (5, 7, 0, 1, 9, 0, False),  # its author made it smaller while it ran
        (5, 0, 0, 1, 0, 0, True),
        (0, 0, 0, 0, 9, 0, False),
    ],
)
def test_who_waits_comes_first(capacity, running, offered, waiting, free, for_others, is_awaited):
    room = Room(capacity, running, offered=offered, waiting=waiting)
    assert room.for_others(free) == for_others
    assert room.is_awaited is is_awaited


@pytest.mark.parametrize(("number", "inside"), [(4, False), (5, True), (7, True), (8, True), (9, False)])
def test_a_range_has_both_its_ends(number, inside):
    assert (number in SeatRange(5, 8)) is inside

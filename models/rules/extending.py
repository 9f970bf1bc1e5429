"""When a session can be made longer."""

from __future__ import annotations

from datetime import datetime

from models.rules.booking import OPEN_STATES, BookingState


def extension_obstacle(
    state: BookingState,
    ends_at: datetime | None,
    now: datetime,
    extensions: int,
    limit: int,
    *,
    is_awaited: bool,
) -> str:
    """Return why a session can't be made longer at `now`, for its student; empty: it can.

    `extensions` is how often it was, `limit` how often it may be; `is_awaited`: somebody waits for its seat.
    """
    if state not in OPEN_STATES or ends_at is None:
        return "There is no open session."
    if ends_at <= now:
        return "The time of your session is over."
    if limit == 0:
        return "Sessions have a fixed length here."
    if extensions >= limit:
        return f"It was made longer {'once' if extensions == 1 else f'{extensions} times'} already."
    if is_awaited:
        return "Somebody waits for your seat."
    return ""

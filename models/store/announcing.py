"""Telling partners what happens to their bookings, in SQL: promised in the transaction of what happens."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import ColumnElement, any_, exists, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.door_tables import PartnerBooking, Webhook, WebhookDelivery
from models.rules.webhooks import webhook_event
from models.store.database import DELIVERIES, WORK_CHANNEL
from models.tables import Booking, BookingLog, Workshop


def is_partners() -> ColumnElement[bool]:
    """Return the condition that a booking was made by a partner's program."""
    return exists().where(col(PartnerBooking.booking_id) == col(Booking.id)).correlate(Booking)


async def announce_event(session: AsyncSession, log: BookingLog) -> None:
    """Promise what a booking's log says to the webhooks of its partner; nothing when there are none.

    What is told of the booking is as it is now, and holds no personal data: those may have been erased when a
    delivery is tried again.
    """
    event = webhook_event(log.event, log.state)
    if event is None:
        return
    await session.flush()
    webhooks = await session.scalars(
        select(col(Webhook.id))
        .join(PartnerBooking, col(PartnerBooking.api_key_id) == col(Webhook.api_key_id))
        .where(
            col(PartnerBooking.booking_id) == log.booking_id,
            col(Webhook.disabled_at).is_(None),
            literal(event.value) == any_(col(Webhook.events)),
        )
        # A webhook that its partner is deleting is waited for: what is promised to it would fail with it.
        .order_by(col(Webhook.id))
        .with_for_update(read=True, key_share=True, of=Webhook)
    )
    found = list(webhooks)
    if not found:
        return
    promised = {
        "booking_log_id": log.id,
        "event": event,
        "body": {"type": event, "timestamp": log.at.isoformat(), "data": await _told(session, log)},
        "created_at": log.at,
        "due_at": log.at,
    }
    rows = [{"webhook_id": each, "reference": f"msg_{secrets.token_urlsafe(18)}"} | promised for each in found]
    await session.execute(insert(WebhookDelivery), rows)
    await session.execute(text(f"NOTIFY {WORK_CHANNEL}, '{DELIVERIES}'"))


async def _told(session: AsyncSession, log: BookingLog) -> dict[str, Any]:
    """Return the booking as partners see it."""
    row = (
        await session.execute(
            select(
                col(Booking.reference),
                col(Workshop.key),
                col(Booking.created_at),
                col(Booking.ready_at),
                col(Booking.ends_at),
                col(Booking.finished_at),
                col(Booking.cells_executed),
                col(Booking.cells_total),
            )
            .join(Workshop, col(Workshop.id) == col(Booking.workshop_id))
            .where(col(Booking.id) == log.booking_id)
        )
    ).one()
    reference, workshop, *moments, cells_executed, cells_total = row
    names = ("created_at", "ready_at", "ends_at", "finished_at")
    return {
        "reference": reference,
        "workshop": workshop,
        "state": log.state,
        **{name: at and at.isoformat() for name, at in zip(names, moments, strict=True)},
        "cells_executed": cells_executed,
        "cells_total": cells_total,
    }

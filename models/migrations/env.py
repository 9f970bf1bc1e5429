"""Alembic's way into the tables; run by models.store.migrate."""

from __future__ import annotations

from typing import Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

import models.door_tables  # noqa: F401  (fills the metadata, with models.tables)


def _render(kind: str, item: object, autogenerating: object) -> str | Literal[False]:
    """Write SQLModel's text type as the plain one that it is, so that old migrations don't need SQLModel."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_item=_render
)
with context.begin_transaction():
    context.run_migrations()

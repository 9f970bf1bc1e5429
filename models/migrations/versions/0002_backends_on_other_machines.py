"""Backends on other machines: how their seats are made, and whether they are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("homes", "isolation", "seat_agent", "failure"):
        op.add_column("backend", sa.Column(name, sa.String(), nullable=False, server_default=""))
        op.alter_column("backend", name, server_default=None)
    op.add_column("backend", sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("backend", sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("backend", "retired", server_default=None)
    # A backend was written down when its seats were there.
    op.execute("UPDATE backend SET ready_at = created_at")


def downgrade() -> None:
    for name in ("retired", "ready_at", "failure", "seat_agent", "isolation", "homes"):
        op.drop_column("backend", name)

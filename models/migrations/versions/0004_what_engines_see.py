"""What engines see: that they live, whether Prefect answers them, and whether the hubs do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "engine_beat",
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sees_prefect", sa.Boolean(), nullable=False),
    )
    op.add_column("backend", sa.Column("hub_failure", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("backend", "hub_failure")
    op.drop_table("engine_beat")

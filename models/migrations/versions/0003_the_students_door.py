"""The student's door: waiting lists, longer sessions, forgetting; accounts, partners' keys and webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_digest", sa.String(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("request_rate", sa.String(), nullable=False),
        sa.Column("bookings_at_once", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_digest"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "user_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
        sa.UniqueConstraint("username"),
    )
    op.create_table(
        "login_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_digest", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_digest"),
    )
    op.create_index("ix_login_session_user_id", "login_session", ["user_id"], unique=False)
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("api_key_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.ARRAY(sa.String()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_key.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_index("ix_webhook_api_key_id", "webhook", ["api_key_id"], unique=False)
    op.create_table(
        "partner_booking",
        sa.Column("booking_id", sa.Integer(), nullable=False),
        sa.Column("api_key_id", sa.Integer(), nullable=False),
        sa.Column("partner_user", sa.String(), nullable=False),
        sa.Column("return_url", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_key.id"],
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"],
            ["booking.id"],
        ),
        sa.PrimaryKeyConstraint("booking_id"),
    )
    op.create_index("bookings_of_key", "partner_booking", ["api_key_id", "booking_id"], unique=False)
    op.create_table(
        "remembered_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("api_key_id", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("booking_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_key.id"],
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"],
            ["booking.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("api_key_id", "idempotency_key"),
    )
    op.create_index("ix_remembered_answer_created_at", "remembered_answer", ["created_at"], unique=False)
    op.create_table(
        "waiting_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("workshop_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=True),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offer_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("booking_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["booking_id"],
            ["booking.id"],
        ),
        sa.ForeignKeyConstraint(
            ["seat_id"],
            ["seat.id"],
        ),
        sa.ForeignKeyConstraint(
            ["workshop_id"],
            ["workshop.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_index("ix_waiting_entry_email_key", "waiting_entry", ["email_key"], unique=False)
    op.create_index(
        "one_offer_per_seat",
        "waiting_entry",
        ["seat_id"],
        unique=True,
        postgresql_where=sa.text("state = 'offered'"),
    )
    op.create_index(
        "one_place_per_email",
        "waiting_entry",
        ["workshop_id", "email_key"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting', 'offered')"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("booking_log_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["booking_log_id"],
            ["booking_log.id"],
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhook.id"],
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
        sa.UniqueConstraint("webhook_id", "booking_log_id"),
    )
    op.create_index(
        "delivery_due",
        "webhook_delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
    )
    op.create_index("deliveries_of_webhook", "webhook_delivery", ["webhook_id", "id"], unique=False)
    # The defaults stay in the database: processes of the release before write rows until they are replaced.
    op.add_column("booking", sa.Column("extensions", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("booking", sa.Column("forget", sa.Boolean(), nullable=False, server_default="false"))
    for name in ("measure_wanted_at", "measured_at"):
        op.add_column("booking", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("mail", sa.Column("waiting_entry_id", sa.Integer(), nullable=True))
    op.add_column("mail", sa.Column("round", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("mail", "booking_id", existing_type=sa.INTEGER(), nullable=True)
    op.drop_constraint("mail_booking_id_kind_key", "mail", type_="unique")
    op.create_unique_constraint("mail_of_booking", "mail", ["booking_id", "kind", "round"])
    op.create_unique_constraint("mail_of_waiting_entry", "mail", ["waiting_entry_id", "kind", "round"])
    op.create_check_constraint("mail_belongs_to_one", "mail", "num_nonnulls(booking_id, waiting_entry_id) = 1")
    op.create_foreign_key("mail_waiting_entry_id_fkey", "mail", "waiting_entry", ["waiting_entry_id"], ["id"])
    op.add_column("workshop", sa.Column("readme", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "workshop_picture",
        sa.Column("workshop_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workshop_id"],
            ["workshop.id"],
        ),
        sa.PrimaryKeyConstraint("workshop_id", "name"),
    )


def downgrade() -> None:
    op.drop_table("workshop_picture")
    op.drop_column("workshop", "readme")
    op.execute("DELETE FROM mail WHERE booking_id IS NULL OR round > 0")
    op.drop_constraint("mail_belongs_to_one", "mail", type_="check")
    op.drop_constraint("mail_waiting_entry_id_fkey", "mail", type_="foreignkey")
    op.drop_constraint("mail_of_waiting_entry", "mail", type_="unique")
    op.drop_constraint("mail_of_booking", "mail", type_="unique")
    op.create_unique_constraint("mail_booking_id_kind_key", "mail", ["booking_id", "kind"])
    op.alter_column("mail", "booking_id", existing_type=sa.INTEGER(), nullable=False)
    op.drop_column("mail", "round")
    op.drop_column("mail", "waiting_entry_id")
    op.drop_column("booking", "measured_at")
    op.drop_column("booking", "measure_wanted_at")
    op.drop_column("booking", "forget")
    op.drop_column("booking", "extensions")
    op.drop_index("deliveries_of_webhook", table_name="webhook_delivery")
    op.drop_index(
        "delivery_due",
        table_name="webhook_delivery",
        postgresql_where=sa.text("delivered_at IS NULL AND given_up_at IS NULL"),
    )
    op.drop_table("webhook_delivery")
    op.drop_index(
        "one_place_per_email",
        table_name="waiting_entry",
        postgresql_where=sa.text("state IN ('waiting', 'offered')"),
    )
    op.drop_index("one_offer_per_seat", table_name="waiting_entry", postgresql_where=sa.text("state = 'offered'"))
    op.drop_index("ix_waiting_entry_email_key", table_name="waiting_entry")
    op.drop_table("waiting_entry")
    op.drop_index("ix_remembered_answer_created_at", table_name="remembered_answer")
    op.drop_table("remembered_answer")
    op.drop_index("bookings_of_key", table_name="partner_booking")
    op.drop_table("partner_booking")
    op.drop_index("ix_webhook_api_key_id", table_name="webhook")
    op.drop_table("webhook")
    op.drop_index("ix_login_session_user_id", table_name="login_session")
    op.drop_table("login_session")
    op.drop_table("user_account")
    op.drop_table("feedback")
    op.drop_table("api_key")

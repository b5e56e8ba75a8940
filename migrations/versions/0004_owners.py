"""Whose clock it is, who is offline, and how often a lead was taken away for a missed promise."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rep", sa.Column("offline_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("rep", sa.Column("offline_because", sa.Text(), nullable=True))
    op.add_column(
        "lead", sa.Column("hops_by_breach", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    # Until now a missed promise was the only way to lose a lead: all owners but the present one had missed theirs.
    op.execute(
        """
        UPDATE lead SET hops_by_breach = CASE WHEN held_since IS NULL THEN hop - 1 ELSE hop END
        WHERE hop > 1 OR (hop = 1 AND held_since IS NOT NULL)
        """
    )
    op.add_column("clock_view", sa.Column("whose", sa.Text(), server_default="owner", nullable=False))
    op.add_column("clock_view", sa.Column("paused_because", sa.Text(), nullable=True))
    op.add_column("clock_view", sa.Column("warned_percent", sa.Integer(), nullable=True))
    op.alter_column("clock_view", "assignment_id", existing_type=sa.Uuid(), nullable=True)
    op.alter_column("clock_view", "rep_id", existing_type=sa.Text(), nullable=True)
    op.create_index(
        "ix_clock_view_paused_due",
        "clock_view",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'paused'"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_clock_view_paused_due", table_name="clock_view", postgresql_where=sa.text("state = 'paused'")
    )
    # The clocks of the team and of the customer have no place in the earlier table.
    op.execute("DELETE FROM clock_view WHERE assignment_id IS NULL OR rep_id IS NULL")
    op.execute("UPDATE clock_view SET state = 'running' WHERE state = 'paused'")
    op.alter_column("clock_view", "rep_id", existing_type=sa.Text(), nullable=False)
    op.alter_column("clock_view", "assignment_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_column("clock_view", "warned_percent")
    op.drop_column("clock_view", "paused_because")
    op.drop_column("clock_view", "whose")
    op.drop_column("lead", "hops_by_breach")
    op.drop_column("rep", "offline_because")
    op.drop_column("rep", "offline_since")

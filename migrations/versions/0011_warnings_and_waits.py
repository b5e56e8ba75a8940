"""Each warning of a clock is kept for itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock_warning",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("clock_id", sa.Uuid(), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("left", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_clock_warning")),
    )
    _carry_warnings_over()
    op.create_index("ix_clock_warning_clock_id", "clock_warning", ["clock_id", "warned_at"])


def _carry_warnings_over() -> None:
    """What the log still tells. What the router has yet to hear of these it finds there, under the same id."""
    op.execute(
        """
        INSERT INTO clock_warning (event_id, clock_id, warned_at, percent, "left")
        SELECT event_id, CAST(data ->> 'clock_id' AS uuid), occurred_at, CAST(data ->> 'percent' AS integer), data ->> 'left'
        FROM outbox WHERE type = 'leadpact.sla.warned.v1'
        ON CONFLICT (event_id) DO NOTHING
        """
    )
    # Of those that the log has forgotten the first one's time is known, and the latest one's share: which may be another's.
    op.execute(
        """
        INSERT INTO clock_warning (event_id, clock_id, warned_at)
        SELECT gen_random_uuid(), c.clock_id, c.warned_at FROM clock_view c
        WHERE c.warned_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM clock_warning w WHERE w.clock_id = c.clock_id AND w.warned_at <= c.warned_at)
        """
    )


def downgrade() -> None:
    op.drop_table("clock_warning")

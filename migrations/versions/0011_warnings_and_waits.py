"""Each warning of a clock is kept for itself, and why a lead waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

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
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("explanation", postgresql.JSONB(), nullable=False),
        sa.Column("pact_version", sa.Integer(), nullable=False),
        sa.Column("latest_explanation", postgresql.JSONB(), nullable=True),
        sa.Column("latest_pact_version", sa.Integer(), nullable=True),
        sa.Column("latest_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    _carry_waits_over()
    op.create_index("ix_hold_lead_id", "hold", ["lead_id", "id"])
    # Last of all, so that leads are locked for a moment only. That holds for this migration: all that are to be run are one transaction, so
    # what an earlier one has locked (0010: the inbox) stays locked while the log is read above. It keeps nobody waiting, since all processes
    # are stopped before an upgrade (docs/operations.md).
    op.create_foreign_key(op.f("fk_hold_lead_id_lead"), "hold", "lead", ["lead_id"], ["id"])


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


def _carry_waits_over() -> None:
    """What the log still tells. The next look at those who wait brings what is said of them up to date."""
    # Of a wait whose beginning the log has forgotten, only why it goes on is known; and not even that if the lead has changed lines
    # since, which the log tells.
    op.execute(
        """
        WITH told AS (
            SELECT DISTINCT ON (o.event_id) o.id AS place, l.id AS lead_id, o.occurred_at AS held_at, o.data ->> 'pool' AS pool,
                   CAST(o.data -> 'explanation' AS jsonb) AS explanation, CAST(o.data ->> 'pact_version' AS integer) AS pact_version
            FROM outbox o JOIN lead l ON l.id = CAST(o.data ->> 'lead_id' AS uuid)
            WHERE o.type = 'leadpact.lead.held.v1'
            ORDER BY o.event_id, o.id
        ),
        begun AS (
            SELECT l.id AS lead_id, l.held_since, l.held_pool, l.held_reason,
                   coalesce((SELECT max(version) FROM pact_version), 0) AS version,
                   EXISTS (SELECT FROM told t WHERE t.lead_id = l.id AND t.held_at > l.held_since) AS has_moved
            FROM lead l
            WHERE l.held_since IS NOT NULL
              AND NOT EXISTS (SELECT FROM told t WHERE t.lead_id = l.id AND t.held_at = l.held_since)
        )
        INSERT INTO hold (lead_id, held_at, pool, explanation, pact_version, latest_explanation, latest_pact_version, latest_at)
        SELECT lead_id, held_at, pool, explanation, pact_version, latest_explanation, latest_pact_version, latest_at
        FROM (
            SELECT place, lead_id, held_at, pool, explanation, pact_version,
                   CAST(NULL AS jsonb) AS latest_explanation, CAST(NULL AS integer) AS latest_pact_version,
                   CAST(NULL AS timestamptz) AS latest_at
            FROM told
            UNION ALL
            SELECT 0, lead_id, held_since, CASE WHEN NOT has_moved THEN held_pool END,
                   '{"decision": "nobody could take it; why is no longer on record", "rules": [], "pools": []}', version,
                   CASE WHEN NOT has_moved THEN jsonb_build_object(
                       'decision', held_reason, 'rules', jsonb_build_array(), 'pools', jsonb_build_array()) END,
                   CASE WHEN NOT has_moved THEN version END,
                   CASE WHEN NOT has_moved THEN now() END
            FROM begun
        ) known
        ORDER BY place
        """
    )


def downgrade() -> None:
    op.drop_table("hold")
    op.drop_table("clock_warning")

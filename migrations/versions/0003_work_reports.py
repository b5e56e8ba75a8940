"""what sales and the CRM report beside acceptance, contact and rejection

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("paused_state", sa.Text(), nullable=True))
    op.add_column("assignment", sa.Column("paused_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("assignment", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "work_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name=op.f("fk_work_report_assignment_id_assignment")
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_work_report_lead_id_lead")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_report")),
    )
    op.create_index(op.f("ix_work_report_lead_id"), "work_report", ["lead_id"], unique=False)
    op.create_index(
        "uq_work_report_attempt",
        "work_report",
        ["assignment_id", "channel", "occurred_at"],
        unique=True,
        postgresql_where=sa.text("kind = 'attempted'"),
    )
    op.create_index(
        "uq_work_report_meeting",
        "work_report",
        ["assignment_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'meeting_booked'"),
    )


def downgrade() -> None:
    op.drop_table("work_report")
    op.drop_column("assignment", "paused_until")
    op.drop_column("assignment", "paused_since")
    op.drop_column("assignment", "paused_state")

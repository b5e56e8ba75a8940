"""three kinds of promise on three clocks

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_OBJECT, _LIST = sa.text("'{}'::jsonb"), sa.text("'[]'::jsonb")


def upgrade() -> None:
    op.create_table(
        "sla_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", _AT, nullable=False),
        sa.Column("qualified_at", _AT, nullable=False),
        sa.Column("assigned_at", _AT),
        sa.Column("pact_version", sa.Integer(), nullable=False),
        sa.Column("pool_calendar", sa.Text(), nullable=False),
        sa.Column("released_at", _AT),
        sa.Column("closed", JSONB()),
        sa.Column("touched_at", _AT),
        sa.Column("touched_by", sa.Text()),
        sa.Column("customer_seconds", sa.Double()),
        sa.Column("customer_business_seconds", sa.Double()),
        sa.Column("team_seconds", sa.Double()),
        sa.Column("team_business_seconds", sa.Double()),
        sa.Column("owner_seconds", sa.Double()),
        sa.Column("owner_business_seconds", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_sla_request"),
    )
    op.create_index("ix_sla_request_lead_id", "sla_request", ["lead_id"])
    op.create_table(
        "sla_rep",
        sa.Column("rep_id", sa.Text(), nullable=False),
        sa.Column("away", JSONB(), nullable=False),
        sa.Column("as_of", _AT, nullable=False),
        sa.PrimaryKeyConstraint("rep_id", name="pk_sla_rep"),
    )
    op.create_table(
        "sla_release",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("last_at", _AT),
        sa.PrimaryKeyConstraint("source", "calendar", name="pk_sla_release"),
    )
    op.create_table(
        "sla_clock_move",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("clock_id", sa.Uuid(), nullable=False),
        sa.Column("moved_at", _AT, nullable=False),
        sa.Column("moved_by", sa.Text(), nullable=False),
        sa.Column("pact_version_before", sa.Integer(), nullable=False),
        sa.Column("pact_version", sa.Integer(), nullable=False),
        sa.Column("due_before", _AT, nullable=False),
        sa.Column("due_at", _AT, nullable=False),
        sa.Column("target_before", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["clock_id"], ["sla_clock.id"], name="fk_sla_clock_move_clock_id_sla_clock"),
        sa.PrimaryKeyConstraint("id", name="pk_sla_clock_move"),
    )
    op.create_index("ix_sla_clock_move_clock_id", "sla_clock_move", ["clock_id"])
    _assignments()
    _clocks()


def _assignments() -> None:
    for name, kind in (
        ("request_id", sa.Uuid()),
        ("rep_id", sa.Text()),
        ("rep_timezone", sa.Text()),
        ("rep_calendar", sa.Text()),
        ("ended", JSONB()),
    ):
        op.add_column("sla_assignment", sa.Column(name, kind))
    op.add_column("sla_assignment", sa.Column("done", JSONB(), nullable=False, server_default=_OBJECT))
    op.add_column("sla_assignment", sa.Column("attempts", JSONB(), nullable=False, server_default=_LIST))
    op.add_column("sla_assignment", sa.Column("pauses", JSONB(), nullable=False, server_default=_LIST))
    op.execute(
        """
        UPDATE sla_assignment SET
            done = jsonb_strip_nulls(jsonb_build_object(
                'contacted', CASE WHEN contacted_at IS NOT NULL THEN
                    jsonb_build_array('contacted', contacted_at, contact_recorded_at) END,
                'accepted', CASE WHEN accepted_at IS NOT NULL THEN
                    jsonb_build_array('accepted', accepted_at, accept_recorded_at) END,
                'rejected', CASE WHEN ended_because LIKE 'rejected: %' THEN
                    jsonb_build_array(ended_because, ended_at, end_recorded_at) END)),
            ended = CASE WHEN ended_at IS NOT NULL THEN
                jsonb_build_array(ended_because, ended_at, end_recorded_at) END
        """
    )
    op.execute(
        "UPDATE sla_assignment a SET rep_id = c.rep_id, rep_timezone = c.rep_timezone FROM sla_clock c WHERE c.assignment_id = a.id"
    )
    for name in (
        "contacted_at",
        "contact_recorded_at",
        "accepted_at",
        "accept_recorded_at",
        "ended_at",
        "end_recorded_at",
        "ended_because",
    ):
        op.drop_column("sla_assignment", name)


def _clocks() -> None:
    for name, kind in (
        ("subject_id", sa.Uuid()),
        ("request_id", sa.Uuid()),
        ("rep_calendar", sa.Text()),
        ("pool_calendar", sa.Text()),
        ("lead_timezone", sa.Text()),
        ("shared_calendar", sa.Text()),
        ("shared_timezone", sa.Text()),
        ("leaves_at", _AT),
        ("away_until", _AT),
    ):
        op.add_column("sla_clock", sa.Column(name, kind))
    # With a default while the rows that are there get their value; what is written from now on always names its own.
    for name, kind, before in (
        ("whose", sa.Text(), "owner"),
        ("kind", sa.Text(), "first_touch"),
        ("take_offline", sa.Boolean(), "false"),
        ("give_back", sa.Boolean(), "false"),
        ("released_at_pace", sa.Boolean(), "false"),
    ):
        op.add_column("sla_clock", sa.Column(name, kind, nullable=False, server_default=before))
        op.alter_column("sla_clock", name, server_default=None)
    op.add_column("sla_clock", sa.Column("pauses", JSONB(), nullable=False, server_default=_LIST))
    op.execute("UPDATE sla_clock SET subject_id = assignment_id")
    op.execute(
        """
        UPDATE sla_clock SET warnings = (
            SELECT coalesce(jsonb_agg(jsonb_build_array(w -> 0, w -> 1, NULL) ORDER BY place), '[]'::jsonb)
            FROM jsonb_array_elements(warnings) WITH ORDINALITY AS stored(w, place))
        """
    )
    op.alter_column("sla_clock", "subject_id", nullable=False)
    for name in ("assignment_id", "rep_id", "rep_name", "rep_timezone"):
        op.alter_column("sla_clock", name, nullable=True)
    op.drop_column("sla_clock", "stops")
    op.drop_constraint("uq_sla_clock_assignment_id_policy", "sla_clock")
    op.create_unique_constraint("uq_sla_clock_subject_id_policy", "sla_clock", ["subject_id", "policy"])
    op.drop_constraint("ck_sla_clock_state", "sla_clock")
    op.create_check_constraint(
        op.f("ck_sla_clock_state"),
        "sla_clock",
        "state IN ('waiting', 'running', 'paused', 'met', 'breached', 'cancelled')",
    )
    op.drop_constraint("ck_sla_clock_fires_while_running", "sla_clock")
    op.create_check_constraint(
        op.f("ck_sla_clock_fires_while_running"),
        "sla_clock",
        "(state IN ('waiting', 'running')) = (next_at IS NOT NULL)",
    )
    op.create_check_constraint(
        op.f("ck_sla_clock_whose"),
        "sla_clock",
        "(whose = 'owner') = (assignment_id IS NOT NULL AND rep_id IS NOT NULL)",
    )
    op.drop_index("ix_sla_clock_next", "sla_clock")
    op.create_index(
        "ix_sla_clock_next", "sla_clock", ["next_at", "id"], postgresql_where=sa.text("next_at IS NOT NULL")
    )
    for name, column in (("ix_sla_clock_open", "id"), ("ix_sla_clock_open_rep", "rep_id")):
        op.create_index(
            name, "sla_clock", [column], postgresql_where=sa.text("state IN ('waiting', 'running', 'paused')")
        )


def downgrade() -> None:
    raise RuntimeError(
        "What the new promises measured has no place in the older tables: restore a backup instead"
    )

"""Which assignment made a lead's owner its owner, as ingest has heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lead_progress", sa.Column("assignment_id", sa.Uuid(), nullable=True))
    # What ingest heard so far cannot tell it, and some of what it noted down was wrong. The router knows; what ingest has not read yet
    # leads from wherever a lead is to the same place.
    op.execute(
        """
        UPDATE lead_progress p SET stage = l.stage, owner = l.owner, assignment_id = l.assignment_id
        FROM lead l WHERE l.id = p.lead_id
        """
    )


def downgrade() -> None:
    op.drop_column("lead_progress", "assignment_id")

"""Owners are ordered by a count, since clocks can be set back; and an assignment that goes on as another says as which, and from when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assignment", sa.Column("number", sa.Integer(), nullable=True))
    op.add_column("assignment", sa.Column("renewed_as", sa.Uuid(), nullable=True))
    op.add_column("assignment", sa.Column("renewed_from", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """
        UPDATE assignment a SET number = counted.number
        FROM (
            SELECT id, row_number() OVER (PARTITION BY lead_id ORDER BY assigned_at, hop) AS number FROM assignment
        ) counted
        WHERE counted.id = a.id
        """
    )
    op.alter_column("assignment", "number", nullable=False)


def downgrade() -> None:
    op.execute("UPDATE assignment SET ended_as = 'reassigned' WHERE ended_as = 'renewed'")
    op.drop_column("assignment", "renewed_from")
    op.drop_column("assignment", "renewed_as")
    op.drop_column("assignment", "number")

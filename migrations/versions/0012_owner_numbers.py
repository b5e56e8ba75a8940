"""Which owner of a lead an assignment is, counted over all of its requests: clocks can be set back, a count cannot.

What the sla-timer knows already stays without a number, and is ordered by its times.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lead", sa.Column("owner_count", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("sla_assignment", sa.Column("owner_number", sa.Integer(), nullable=True))
    op.execute(
        """
        UPDATE lead l SET owner_count = had.owners
        FROM (SELECT lead_id, count(*) AS owners FROM assignment GROUP BY lead_id) had
        WHERE had.lead_id = l.id
        """
    )


def downgrade() -> None:
    op.drop_column("sla_assignment", "owner_number")
    op.drop_column("lead", "owner_count")

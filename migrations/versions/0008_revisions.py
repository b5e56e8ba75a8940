"""How often a rep's absences were changed, so that the later of two changes is known by more than its time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("rep", "absences_revision"), ("sla_rep", "revision")):
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.drop_column("sla_rep", "revision")
    op.drop_column("rep", "absences_revision")

"""The index of leads that wait tells those who had an owner from those who had none, and goes on where a look at them ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_lead_held", table_name="lead")
    op.create_index(
        "ix_lead_held",
        "lead",
        ["held_pool", sa.text("(hop > 0)"), "held_since", "id"],
        postgresql_where=sa.text("held_since IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_lead_held", table_name="lead")
    op.create_index(
        "ix_lead_held",
        "lead",
        ["held_pool", "held_since"],
        postgresql_where=sa.text("held_since IS NOT NULL"),
    )

"""The last warning that was given is known by its exact share of the time: two of one percent are two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("sla_clock", "warned_percent", type_=sa.Double())


def downgrade() -> None:
    op.alter_column(
        "sla_clock",
        "warned_percent",
        type_=sa.Integer(),
        postgresql_using="CAST(floor(warned_percent) AS integer)",
    )

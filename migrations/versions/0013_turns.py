"""The turns of leads that came in bulk are found by their queue, to be given anew when the pact changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_sla_request_turn",
        "sla_request",
        ["source", "pool_calendar", "released_at"],
        postgresql_where=sa.text("released_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_sla_request_turn", table_name="sla_request")

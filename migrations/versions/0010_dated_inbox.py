"""When an id was recorded in the inbox, by the database's clock: an id alone tells the clock of whoever made it.

The column is not written to the rows that there are. Their ids count as recorded now, and are kept for one more retention.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "inbox",
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("statement_timestamp()"),
        ),
    )


def downgrade() -> None:
    op.drop_column("inbox", "recorded_at")

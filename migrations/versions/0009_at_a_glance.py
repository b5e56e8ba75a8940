"""What is looked up often is kept where it is looked for: how an endpoint's latest call went, which answers are old."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook_endpoint", sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhook_endpoint", sa.Column("last_outcome", sa.Text(), nullable=True))
    op.execute(
        """
        UPDATE webhook_endpoint e SET last_attempt_at = latest.at, last_outcome = latest.outcome
        FROM (
            SELECT DISTINCT ON (d.endpoint_id) d.endpoint_id, a.at, coalesce('status ' || a.status, a.detail) AS outcome
            FROM delivery d JOIN delivery_attempt a ON a.delivery_id = d.id
            ORDER BY d.endpoint_id, a.at DESC, a.number DESC
        ) latest
        WHERE latest.endpoint_id = e.id
        """
    )
    op.create_index("ix_idempotent_answer_at", "idempotent_answer", ["at"])


def downgrade() -> None:
    op.drop_index("ix_idempotent_answer_at", table_name="idempotent_answer")
    op.drop_column("webhook_endpoint", "last_outcome")
    op.drop_column("webhook_endpoint", "last_attempt_at")

"""Fail if the migrations and the tables in the code have drifted apart: `alembic check` on a fresh embedded database."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from alembic import command

from leadpact.storage.embedded import EmbeddedPostgres
from leadpact.storage.engine import create_engine
from leadpact.storage.migrate import alembic_config, migrate


async def apply(url: str) -> None:
    engine = create_engine(url, application="check-migrations", pool_size=1)
    await migrate(engine)
    await engine.dispose()


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="leadpact-check-") as folder,
        EmbeddedPostgres.start(Path(folder)) as server,
    ):
        asyncio.run(apply(server.url))
        os.environ["LEADPACT_DATABASE_URL"] = server.url
        command.check(alembic_config())


if __name__ == "__main__":
    main()

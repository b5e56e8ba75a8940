"""Make the one database engine of a process, with time limits on every session."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# An open transaction holds back every reader of the log and every vacuum: none may idle, and no statement may run for ever.
SESSION_LIMITS = {
    "idle_in_transaction_session_timeout": "10s",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "timezone": "UTC",
}


def create_engine(url: str, *, application: str, pool_size: int = 8) -> AsyncEngine:
    """An engine for ``url`` (``postgresql://…`` or ``postgresql+asyncpg://…``) whose sessions are named ``application``."""
    return create_async_engine(
        asyncpg_url(url),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        # A server that was restarted leaves dead connections in the pool; one round trip finds them before work begins.
        pool_pre_ping=True,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {"application_name": f"leadpact-{application}", **SESSION_LIMITS},
        },
    )


def asyncpg_url(url: str) -> str:
    """The same address with the driver's name in it, so that users may write it as libpq does."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url

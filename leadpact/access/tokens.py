"""Make, recognise and revoke bearer tokens.

A token reads ``lp_<id>_<secret><checksum>``: the id is looked up, the secret is compared with its SHA-256 in constant time. A fast hash is
right here because the secret is 256 random bits; a slow one protects words that people choose. The prefix and the
checksum let a secret scanner find a leaked token and reject look-alikes without asking us
(the design GitHub described in 2021).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, text, update

from leadpact.access.scopes import Caller, Scope
from leadpact.access.tables import access_token, browser_session
from leadpact.errors import Fault, NotFound, Refused
from leadpact.storage.unit_of_work import Transaction

_PREFIX = "lp"
_TOKEN = re.compile(_PREFIX + r"_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9-]{43})(?P<checksum>[0-9a-f]{8})")
_NOTE_USE_EVERY = timedelta(minutes=1)
SESSION_LASTS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it may be shown: without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def create_token(
    tx: Transaction, *, name: str, scopes: Iterable[str], now: datetime, expires_at: datetime | None = None
) -> str:
    """Store a new token and return it: the only time that it can be read. Raises ``Refused`` for unknown scopes."""
    chosen = _scopes(scopes)
    if expires_at is not None and expires_at <= now:
        raise Refused(
            "The token would have expired already", faults=[Fault("#/expires_at", "lies in the past")]
        )
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32).replace("_", "-")
    await tx.execute(
        insert(access_token).values(
            id=token_id,
            name=name,
            secret_hash=_hash(secret),
            scopes=[scope.value for scope in chosen],
            created_at=now,
            expires_at=expires_at,
        )
    )
    return f"{_PREFIX}_{token_id}_{secret}{_checksum(token_id + secret)}"


async def recognise_token(tx: Transaction, token: str, now: datetime) -> Caller | None:
    """Who holds ``token``; None if it is malformed, unknown, expired or revoked."""
    found = _TOKEN.fullmatch(token)
    if found is None or found["checksum"] != _checksum(found["id"] + found["secret"]):
        return None
    token_id, secret = found["id"], found["secret"]
    row = (await tx.execute(select(access_token).where(access_token.c.id == token_id))).first()
    if row is None or not hmac.compare_digest(row.secret_hash, _hash(secret)) or not _valid(row, now):
        return None
    if row.last_used_at is None or row.last_used_at < now - _NOTE_USE_EVERY:
        await tx.execute(update(access_token).where(access_token.c.id == token_id).values(last_used_at=now))
    return Caller(row.id, row.name, frozenset(Scope(scope) for scope in row.scopes))


async def open_session(tx: Transaction, caller: Caller, now: datetime) -> str:
    """Sign a browser in as the holder of a token; returns the cookie's value."""
    secret = secrets.token_urlsafe(32)
    await tx.execute(text("DELETE FROM browser_session WHERE expires_at < :now"), {"now": now})
    await tx.execute(
        insert(browser_session).values(
            secret_hash=_hash(secret),
            token_id=caller.token_id,
            created_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    return secret


async def recognise_session(tx: Transaction, cookie: str, now: datetime) -> Caller | None:
    """Who signed in with this cookie; None if it is unknown or over, or its token is expired or revoked."""
    joined = access_token.join(browser_session, browser_session.c.token_id == access_token.c.id)
    row = (
        await tx.execute(
            select(access_token)
            .select_from(joined)
            .where(browser_session.c.secret_hash == _hash(cookie), browser_session.c.expires_at > now)
        )
    ).first()
    if row is None or not _valid(row, now):
        return None
    return Caller(row.id, row.name, frozenset(Scope(scope) for scope in row.scopes), via_cookie=True)


async def close_session(tx: Transaction, cookie: str) -> None:
    """Sign a browser out."""
    await tx.execute(browser_session.delete().where(browser_session.c.secret_hash == _hash(cookie)))


async def list_tokens(tx: Transaction) -> list[TokenInfo]:
    """All tokens, newest first, revoked and expired ones too."""
    rows = await tx.execute(
        select(access_token).order_by(access_token.c.created_at.desc(), access_token.c.id)
    )
    return [
        TokenInfo(
            row.id,
            row.name,
            tuple(Scope(scope) for scope in row.scopes),
            row.created_at,
            row.expires_at,
            row.revoked_at,
            row.last_used_at,
        )
        for row in rows
    ]


async def revoke_token(tx: Transaction, token_id: str, now: datetime) -> None:
    """Make a token, and every browser signed in with it, worthless at once. Raises ``NotFound``."""
    await tx.execute(browser_session.delete().where(browser_session.c.token_id == token_id))
    done = await tx.execute(
        text("UPDATE access_token SET revoked_at = coalesce(revoked_at, :now) WHERE id = :id"),
        {"now": now, "id": token_id},
    )
    if done.rowcount == 0:
        raise NotFound(f"There is no token {token_id}")


async def has_tokens(tx: Transaction) -> bool:
    """Whether any token was ever made here."""
    return (await tx.execute(select(access_token.c.id).limit(1))).first() is not None


def _scopes(words: Iterable[str]) -> tuple[Scope, ...]:
    chosen = dict.fromkeys(words)
    unknown = [word for word in chosen if word not in set(Scope)]
    if unknown or not chosen:
        known = ", ".join(Scope)
        raise Refused(
            f"A token needs at least one scope out of: {known}",
            faults=[Fault("#/scopes", f"{word!r} is no scope", f"use one of {known}") for word in unknown],
        )
    return tuple(Scope(word) for word in chosen)


def _valid(row: object, now: datetime) -> bool:
    expires_at: datetime | None = getattr(row, "expires_at")  # noqa: B009 - a row's columns are not known to mypy
    revoked_at: datetime | None = getattr(row, "revoked_at")  # noqa: B009 - as above
    return revoked_at is None and (expires_at is None or now < expires_at)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"

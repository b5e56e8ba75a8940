"""Sign a webhook so that its receiver knows who sent it, and check such a signature.

Standard Webhooks 1.0.0 (symmetric, ``v1``): ``webhook-signature`` holds, separated by spaces, one
``v1,<base64 of HMAC-SHA256(key, "id.timestamp.body")>`` for each active secret. While a secret is being rotated
both the old and the new one sign, and the receiver is content with either.

The bytes that are signed are the bytes that are sent. ``webhook-timestamp`` is the time of the attempt, in Unix
seconds; ``webhook-id`` stays the same over retries and replays, so that a receiver can act once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as entropy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from leadpact.errors import Refused

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every secret, not one of them
NEW_KEY_BYTES = 32
KEY_BYTES = range(24, 64 + 1)
TOLERANCE = timedelta(minutes=5)
"""How far a timestamp may lie from now, either way, before a message counts as replayed or invented."""

_UNIX_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(Refused):
    """The message is not proven to come from the holder of the secret, or not to be recent. Answer 401."""


def new_secret() -> str:
    """A fresh signing secret: ``whsec_`` and 32 random bytes in base64. Show it once."""
    return SECRET_PREFIX + base64.b64encode(entropy.token_bytes(NEW_KEY_BYTES)).decode()


def sign(secrets: str | Sequence[str], message_id: str, timestamp: datetime, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature per secret, in the order given.

    Raises ``ValueError`` if ``timestamp`` is naive, or if a secret is not ``whsec_`` and the base64 of 24 to 64 bytes.
    """
    signed = b".".join((message_id.encode(), str(_unix_seconds(timestamp)).encode(), body))
    return " ".join(_signature(key, signed) for key in _keys(secrets))


def signed_headers(
    secrets: str | Sequence[str], message_id: str, timestamp: datetime, body: bytes
) -> dict[str, str]:
    """The three headers that a Standard Webhooks receiver verifies. Raises as ``sign`` does."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(_unix_seconds(timestamp)),
        "webhook-signature": sign(secrets, message_id, timestamp, body),
    }


def verify(secrets: str | Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> None:
    """Return if one of ``secrets`` signed exactly this body and id within ``TOLERANCE`` of ``now``.

    Header names may be in any case. Raises ``SignatureRefused`` for whatever a stranger may have sent, and nothing else.
    """
    sent = {name.lower(): value for name, value in headers.items()}
    message_id, stamp, signatures = (
        sent.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (message_id and stamp and signatures):
        raise SignatureRefused("webhook-id, webhook-timestamp and webhook-signature must all be there")
    if not (message_id + signatures).isascii():
        raise SignatureRefused("webhook-id and webhook-signature must be ASCII")
    timestamp = _recent(stamp, now)
    expected = sign(secrets, message_id, timestamp, body).split(" ")
    # Every pair is compared, each in constant time: how long it took says nothing about how near a guess came.
    matches = [
        hmac.compare_digest(ours.encode(), theirs.encode())
        for theirs in signatures.split(" ")
        for ours in expected
    ]
    if not any(matches):
        raise SignatureRefused("no signature in webhook-signature matches this body, id and timestamp")


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _keys(secrets: str | Sequence[str]) -> list[bytes]:
    keys = [_key(secret) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not keys:
        raise ValueError("a webhook needs at least one secret to be signed with")
    return keys


def _key(secret: str) -> bytes:
    """The bytes inside a secret. The secret itself never gets into an error message."""
    try:
        if not secret.startswith(SECRET_PREFIX):
            raise ValueError
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("a webhook secret is 'whsec_' followed by base64") from None
    if len(key) not in KEY_BYTES:
        raise ValueError(f"a webhook secret holds 24 to 64 bytes, not {len(key)}")
    return key


def _unix_seconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError("a webhook's timestamp must be aware: a naive one would sign another instant")
    return int(at.timestamp())


def _recent(stamp: str, now: datetime) -> datetime:
    if not _UNIX_SECONDS.fullmatch(stamp):
        raise SignatureRefused("webhook-timestamp must be whole Unix seconds")
    try:
        timestamp = datetime.fromtimestamp(int(stamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise SignatureRefused("webhook-timestamp is not a date") from None
    if abs(timestamp - now) > TOLERANCE:
        raise SignatureRefused("webhook-timestamp is more than 5 minutes away from now")
    return timestamp

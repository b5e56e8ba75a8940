"""Signatures: the reference library accepts ours, ours accepts the library's, and nothing else gets in."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from leadpact_router.webhooks.signing import (
    SignatureRefused,
    new_secret,
    sign,
    signed_headers,
    verify,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
BODY = '{"data":{"rep_name":"Käthe"},"type":"lead.assigned"}'.encode()


def test_the_published_test_vector_is_reproduced() -> None:
    """The vector that implementations of Standard Webhooks share; it stands in the reference libraries' own tests."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.text(st.characters(exclude_categories=["Cs"])), message_id=st.uuids())
def test_the_reference_library_signs_the_same(body: str, message_id: object) -> None:
    theirs = Webhook(SECRET).sign(str(message_id), NOW, body)
    assert sign(SECRET, str(message_id), NOW, body.encode()) == theirs


def test_the_reference_library_verifies_what_we_sign() -> None:
    headers = signed_headers(SECRET, "evt-1", datetime.now(UTC), BODY)
    assert Webhook(SECRET).verify(BODY, headers)["type"] == "lead.assigned"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", headers)


def test_we_verify_what_the_reference_library_signs() -> None:
    signature = Webhook(SECRET).sign("evt-1", NOW, BODY.decode())
    verify(SECRET, _headers(signature), BODY, now=NOW)


def test_during_a_rotation_a_receiver_with_either_secret_is_content() -> None:
    headers = signed_headers([SECRET, OLD_SECRET], "evt-1", datetime.now(UTC), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for held in (SECRET, OLD_SECRET):
        Webhook(held).verify(BODY, headers)
        verify(held, headers, BODY, now=datetime.now(UTC))


def test_a_receiver_that_holds_two_secrets_accepts_a_message_signed_with_one() -> None:
    verify([SECRET, OLD_SECRET], signed_headers(OLD_SECRET, "evt-1", NOW, BODY), BODY, now=NOW)


def test_the_same_instant_in_another_zone_is_signed_the_same() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert signed_headers(SECRET, "evt-1", elsewhere, BODY) == signed_headers(SECRET, "evt-1", NOW, BODY)


def test_a_naive_timestamp_is_not_signed() -> None:
    with pytest.raises(ValueError, match="aware"):
        sign(SECRET, "evt-1", NOW.replace(tzinfo=None), BODY)


def test_new_secrets_are_long_random_and_usable() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32
    verify(first, signed_headers(first, "evt-1", NOW, BODY), BODY, now=NOW)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_%%%",
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_ключ",
    ],
)
def test_a_malformed_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        sign(secret, "evt-1", NOW, BODY)
    assert not secret.removeprefix("whsec_") or secret not in str(caught.value)


def test_no_secret_at_all_is_an_error_not_an_empty_signature() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sign([], "evt-1", NOW, BODY)


def test_a_changed_body_id_or_timestamp_is_refused() -> None:
    headers = signed_headers(SECRET, "evt-1", NOW, BODY)
    verify(SECRET, headers, BODY, now=NOW)
    for changed, body in (
        (headers, BODY[:-1]),
        (headers | {"webhook-id": "evt-2"}, BODY),
        (headers | {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, BODY),
    ):
        with pytest.raises(SignatureRefused, match="no signature"):
            verify(SECRET, changed, body, now=NOW)


def test_header_names_may_come_in_any_case() -> None:
    headers = {name.title(): value for name, value in signed_headers(SECRET, "evt-1", NOW, BODY).items()}
    verify(SECRET, headers, BODY, now=NOW)


def test_unknown_signature_versions_are_passed_over() -> None:
    signature = sign(SECRET, "evt-1", NOW, BODY)
    verify(SECRET, _headers(f"v1a,AAAA {signature} v2,BBBB"), BODY, now=NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_is_needed(missing: str) -> None:
    headers = signed_headers(SECRET, "evt-1", NOW, BODY)
    del headers[missing]
    with pytest.raises(SignatureRefused, match="must all be there"):
        verify(SECRET, headers, BODY, now=NOW)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_message_from_six_minutes_away_is_refused_however_well_it_is_signed(minutes: int) -> None:
    headers = signed_headers(SECRET, "evt-1", NOW + timedelta(minutes=minutes), BODY)
    with pytest.raises(SignatureRefused, match="5 minutes"):
        verify(SECRET, headers, BODY, now=NOW)


@pytest.mark.parametrize("stamp", ["NaN", "1e20", "-1", "1.5", "٣", " 1", "9" * 12, "9" * 5000, "now"])
def test_a_timestamp_that_is_no_unix_time_is_refused(stamp: str) -> None:
    with pytest.raises(SignatureRefused, match="webhook-timestamp"):
        verify(
            SECRET,
            {"webhook-id": "e", "webhook-timestamp": stamp, "webhook-signature": "v1,AA"},
            BODY,
            now=NOW,
        )


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,%%%", "v1,ü", ",", "v1a,AAAA", "  ", "v1,\ud800"])
def test_a_malformed_signature_is_refused_and_nothing_else_is_raised(signature: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(SECRET, _headers(signature), b"\xff\xfe not text", now=NOW)


@pytest.mark.parametrize("message_id", ["ü", "\ud800"])
def test_an_id_that_no_header_can_hold_is_refused(message_id: str) -> None:
    headers = _headers(sign(SECRET, "evt-1", NOW, BODY)) | {"webhook-id": message_id}
    with pytest.raises(SignatureRefused, match="ASCII"):
        verify(SECRET, headers, BODY, now=NOW)


def _headers(signature: str) -> dict[str, str]:
    return {
        "webhook-id": "evt-1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }

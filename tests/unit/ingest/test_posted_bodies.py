"""Whatever bytes are posted, they end in fields that can be stored or in a clear refusal."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from leadpact.runtime.problems import Problem
from leadpact_ingest.body import Fields, MediaType, read_fields

JSON = MediaType.parse("application/json")
FORM = MediaType.parse("application/x-www-form-urlencoded")
MULTIPART = MediaType.parse("multipart/form-data; boundary=b")

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def read_or_status(body: bytes, media_type: MediaType) -> Fields | int:
    """The fields, or the status of the refusal; any other error is a bug and comes out."""
    try:
        return read_fields(body, media_type)
    except Problem as refused:
        return refused.status


@given(body=st.binary(), media_type=st.sampled_from([JSON, FORM, MULTIPART]))
def test_any_bytes_end_in_fields_or_in_a_refusal(body: bytes, media_type: MediaType) -> None:
    fields = read_or_status(body, media_type)

    assert fields in (400, 415, 422) or "\\u0000" not in json.dumps(fields)


@given(st.text(max_size=300).map(lambda text: b'{"x": ' + text.encode("utf-8", "surrogatepass") + b"}"))
def test_anything_like_json_ends_in_fields_or_in_a_refusal(body: bytes) -> None:
    fields = read_or_status(body, JSON)

    assert fields in (400, 415, 422) or isinstance(fields, dict)


@given(st.dictionaries(names, json_values, max_size=8))
def test_what_was_sent_as_json_is_what_is_read(fields: dict[str, JsonValue]) -> None:
    assert read_fields(json.dumps(fields).encode(), JSON) == fields


@given(st.lists(st.tuples(names, texts), min_size=1, max_size=20, unique_by=lambda pair: pair[0]))
def test_what_was_sent_as_a_form_is_what_is_read(pairs: list[tuple[str, str]]) -> None:
    assert read_fields(urlencode(pairs).encode(), FORM) == dict(pairs)


@given(st.lists(st.tuples(names, texts), min_size=1, max_size=10, unique_by=lambda pair: pair[0]))
def test_what_was_sent_in_parts_is_what_is_read(pairs: list[tuple[str, str]]) -> None:
    pairs = [("".join(filter(str.isalnum, name)) or "n", text.replace("--b", "")) for name, text in pairs]
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), text.encode())
        for name, text in dict(pairs).items()
    )

    assert read_fields(body + b"--b--\r\n", MULTIPART) == dict(pairs)


@pytest.mark.parametrize(
    ("header", "name", "charset"),
    [
        ("application/json", "application/json", "utf-8"),
        ("Application/JSON; charset=UTF8", "application/json", "utf-8"),
        ('text/plain; charset="us-ascii"', "text/plain", "ascii"),
        (
            "application/x-www-form-urlencoded;charset=windows-1252",
            "application/x-www-form-urlencoded",
            "cp1252",
        ),
        ("", "", "utf-8"),
    ],
)
def test_a_content_type_is_taken_apart(header: str, name: str, charset: str) -> None:
    assert MediaType.parse(header) == MediaType(name, charset, None)


def test_a_refusal_names_the_field_and_repeats_no_value() -> None:
    with pytest.raises(Problem) as caught:
        read_fields(json.dumps({"a/b": {"c~d": "geheim\0"}}).encode(), JSON)

    [fault] = caught.value.faults
    assert fault.where == "#/a~1b/c~0d"
    assert "geheim" not in f"{caught.value.detail}{fault}"

"""Who a captured lead is."""

from __future__ import annotations

from uuid import UUID

import pytest

from leadpact_router.recognise import AddressBook, Caller, Identity, MatchedBy

JO, KIT, NEW = UUID(int=1), UUID(int=2), None
EMAIL, PHONE = Identity("email", "jo@globex.example"), Identity("phone", "+49301")
OTHER_EMAIL = "kit@globex.example"


@pytest.mark.parametrize(
    ("known", "email", "phone", "person", "matched_by"),
    [
        ({}, EMAIL.value, PHONE.value, NEW, "new"),
        ({}, None, None, NEW, "new"),
        ({EMAIL: JO}, EMAIL.value, None, JO, "email"),
        ({EMAIL: JO, PHONE: KIT}, EMAIL.value, PHONE.value, JO, "email"),
        ({PHONE: JO}, None, PHONE.value, JO, "phone"),
        ({PHONE: JO}, EMAIL.value, PHONE.value, JO, "phone"),
        ({EMAIL: JO, PHONE: JO}, None, PHONE.value, JO, "phone"),
        ({EMAIL: JO, PHONE: JO}, OTHER_EMAIL, PHONE.value, NEW, "new"),
    ],
)
def test_the_address_decides_and_the_number_where_no_address_can(
    known: dict[Identity, UUID],
    email: str | None,
    phone: str | None,
    person: UUID | None,
    matched_by: MatchedBy,
) -> None:
    book = AddressBook(known.items())
    found = book.recognise(Caller(email, phone))
    assert found.matched_by == matched_by
    assert found.person_id == person or (person is NEW and found.person_id in book.new_people)


def test_a_person_known_by_number_alone_may_have_an_address_that_was_not_asked_for() -> None:
    book = AddressBook([(PHONE, JO)], with_email=[JO])
    assert book.recognise(Caller(OTHER_EMAIL, PHONE.value)).matched_by == "new"


def test_what_is_new_about_somebody_is_claimed_and_what_belongs_to_another_is_not() -> None:
    book = AddressBook([(PHONE, KIT), (EMAIL, JO)])
    book.recognise(Caller(EMAIL.value, PHONE.value))
    assert book.claims == {}
    book.recognise(Caller(EMAIL.value, "+49302"))
    assert book.claims == {Identity("phone", "+49302"): JO}


def test_the_second_touch_of_a_new_person_in_one_batch_finds_the_first() -> None:
    book = AddressBook([])
    first = book.recognise(Caller(EMAIL.value, None))
    second = book.recognise(Caller(EMAIL.value, PHONE.value))
    third = book.recognise(Caller(None, PHONE.value))
    assert first.person_id == second.person_id == third.person_id
    assert (first.matched_by, second.matched_by, third.matched_by) == ("new", "email", "phone")
    assert book.new_people == {first.person_id}


def test_two_who_say_nothing_of_themselves_are_two() -> None:
    book = AddressBook([])
    assert book.recognise(Caller(None, None)).person_id != book.recognise(Caller("", "")).person_id

"""Every version of the pact is kept as it was applied, and a number means one text for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from leadpact.errors import Transient
from leadpact.pact.book import NoPactYet, PactBook, UnreadablePact
from leadpact.pact.read import PactErrors
from leadpact.storage.unit_of_work import UnitOfWork
from tests.support.pacts import SMALL_PACT, pact_with

UowFor = Callable[[str], UnitOfWork]


def _named(name: str) -> str:
    return SMALL_PACT.replace("pact: small", f"pact: {name}")


class Failed(Exception):
    """The transaction does not come to its commit."""


async def test_the_latest_version_is_in_force_and_the_others_are_kept(uow_for: UowFor) -> None:
    uow, book = uow_for("test"), PactBook()
    for name in ("first", "second"):
        async with uow.transaction() as tx:
            await book.apply(tx, _named(name), applied_by="test")
    async with uow.transaction() as tx:
        assert (await book.current(tx)).version == 2
        assert (await book.at(tx, 1)).pact.pact == "first"
        assert (await book.at(tx, 2)).pact.pact == "second"


async def test_what_is_in_force_already_is_no_new_version(uow_for: UowFor) -> None:
    uow, book = uow_for("test"), PactBook()
    async with uow.transaction() as tx:
        _, first = await book.apply(tx, SMALL_PACT, applied_by="test")
        applied, again = await book.apply(tx, f"# a comment\n{SMALL_PACT}", applied_by="test")
    assert (first, again, applied.version) == (True, False, 1)


async def test_a_version_that_was_rolled_back_is_not_remembered_under_its_number(uow_for: UowFor) -> None:
    uow, here, elsewhere = uow_for("test"), PactBook(), PactBook()
    with pytest.raises(Failed):
        async with uow.transaction() as tx:
            await here.apply(tx, _named("never stored"), applied_by="test")
            assert (await here.current(tx)).pact.pact == "never stored"
            raise Failed
    async with uow.transaction() as tx:
        with pytest.raises(NoPactYet):
            await here.current(tx)
        await elsewhere.apply(tx, _named("stored"), applied_by="test")
    async with uow.transaction() as tx:
        in_force = await here.current(tx)
    assert (in_force.version, in_force.pact.pact) == (1, "stored")


async def test_a_version_is_parsed_once(uow_for: UowFor) -> None:
    uow, book = uow_for("test"), PactBook()
    async with uow.transaction() as tx:
        await book.apply(tx, SMALL_PACT, applied_by="test")
    async with uow.transaction() as tx:
        assert await book.current(tx) is await book.current(tx)


async def test_a_version_that_cannot_be_read_any_more_is_refused_and_in_force_makes_wait(
    uow_for: UowFor,
) -> None:
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await PactBook().apply(tx, SMALL_PACT, applied_by="test")
        await tx.execute(text("UPDATE pact_version SET text = 'pact: ['"))
    book = PactBook()
    async with uow.transaction() as tx:
        with pytest.raises(UnreadablePact, match="pact version 1 has"):
            await book.at(tx, 1)
        with pytest.raises(Transient, match="Apply a corrected pact"):
            await book.current(tx)
        await book.apply(tx, SMALL_PACT.replace("pact: small", "pact: mended"), applied_by="test")
        assert (await book.current(tx)).version == 2


async def test_what_nobody_can_keep_is_not_applied_any_more_but_read_where_it_was(uow_for: UowFor) -> None:
    """An upgrade that asks more of a pact must not stop the one in force."""
    useless_warning = pact_with("[50%, 80%]", "[1 business day left]")
    uow = uow_for("test")
    async with uow.transaction() as tx:
        await PactBook().apply(tx, SMALL_PACT, applied_by="an earlier Leadpact")
        await tx.execute(text("UPDATE pact_version SET text = :text"), {"text": useless_warning})
    book = PactBook()
    async with uow.transaction() as tx:
        assert [str(one) for one in (await book.current(tx)).pact.sla["first-touch"].warn_at] == [
            "1 business day left"
        ]
        with pytest.raises(PactErrors, match="less time than the target"):
            await book.apply(tx, useless_warning, applied_by="test")

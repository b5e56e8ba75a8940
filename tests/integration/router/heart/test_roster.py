"""Reps, absences and accounts are checked as a whole, and then written as a whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from leadpact.errors import Conflict, NotFound, Refused
from leadpact.events import RepAbsencesChanged
from leadpact_router.roster import (
    AccountEntry,
    RepEntry,
    add_absence,
    put_accounts,
    put_reps,
    remove_absence,
)
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import REPS, Router, captured, somebody_waits_for_a_lock

NEW = RepEntry("emil", "Emil", "Emil@Acme.example", "Europe/Berlin")


async def test_a_list_updates_and_adds_and_removes_nobody(router: Router) -> None:
    await router.put_reps(NEW, replace(REPS[0], name="Ana Berger", active=False))
    rows = await router.rows("SELECT id, name, email, active FROM rep ORDER BY id")
    assert [tuple(row) for row in rows][:1] == [("ana", "Ana Berger", "ana@acme.example", False)]
    assert ("emil", "Emil", "emil@acme.example", True) in [tuple(row) for row in rows]
    assert len(rows) == 5


async def test_updating_a_rep_keeps_what_is_on_their_desk(router: Router) -> None:
    await router.hear(captured("jo@globex.example"))
    await router.put_reps(*REPS)
    assert await router.value("SELECT open FROM rep_load WHERE rep_id = 'ana'") == 1


async def test_every_fault_of_a_list_is_named_with_its_place_and_nothing_is_written(router: Router) -> None:
    with pytest.raises(Refused) as refused:
        await router.put_reps(
            NEW,
            RepEntry("a b", "", "nobody", "Mars/Olympus", open_limit=0, daily_limit=-1),
            replace(NEW, name="Twice"),
        )
    assert [fault.where for fault in refused.value.faults] == [
        "/1/id",
        "/1/name",
        "/1/email",
        "/1/timezone",
        "/1/open_limit",
        "/1/daily_limit",
        "/2/id",
        "/2/email",
    ]
    assert all(fault.what and fault.fix for fault in refused.value.faults)
    assert await router.value("SELECT count(*) FROM rep") == len(REPS)


async def test_an_address_belongs_to_one_rep(router: Router) -> None:
    with pytest.raises(Conflict, match=r"ana@acme\.example already belongs to the rep ana"):
        await router.put_reps(replace(NEW, email="ANA@acme.example"))


async def test_two_reps_of_one_list_may_swap_their_addresses(router: Router) -> None:
    ana, ben = REPS[0], REPS[1]
    await router.put_reps(replace(ana, email=ben.email), replace(ben, email=ana.email))
    rows = await router.rows("SELECT id, email FROM rep WHERE id IN ('ana', 'ben') ORDER BY id")
    assert [tuple(row) for row in rows] == [("ana", ben.email), ("ben", ana.email)]


async def test_accounts_are_known_by_what_they_registered(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_accounts(tx, [AccountEntry("Globex", "https://shop.globex.co.uk/de")], TUESDAY_MORNING)
        await put_accounts(tx, [AccountEntry("Globex Ltd", "globex.co.uk", tier="A")], TUESDAY_MORNING)
    assert await router.rows("SELECT name, domain, tier FROM account") == [
        ("Globex Ltd", "globex.co.uk", "A")
    ]


async def test_every_fault_of_a_list_of_accounts_is_named(router: Router) -> None:
    entries = [AccountEntry("", "globex.example"), AccountEntry("Globex", "co.uk", employees=-1)]
    async with router.uow.transaction() as tx:
        with pytest.raises(Refused) as refused:
            await put_accounts(tx, entries, TUESDAY_MORNING)
    assert [fault.where for fault in refused.value.faults] == ["/0/name", "/1/domain", "/1/employees"]


async def test_an_absence_ends_after_it_starts_and_belongs_to_somebody(router: Router) -> None:
    async with router.uow.transaction() as tx:
        with pytest.raises(Refused):
            await add_absence(tx, "ana", TUESDAY_MORNING, TUESDAY_MORNING, now=TUESDAY_MORNING)
        with pytest.raises(Refused):
            await add_absence(
                tx, "ana", TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=2000), now=TUESDAY_MORNING
            )
        with pytest.raises(NotFound):
            await add_absence(
                tx, "nobody", TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=1), now=TUESDAY_MORNING
            )
        with pytest.raises(NotFound):
            await remove_absence(tx, uuid4(), now=TUESDAY_MORNING)


async def test_a_pact_may_name_a_rep_by_address_and_a_name_that_nobody_bears_is_passed_over(
    router: Router,
) -> None:
    await router.apply_pact(
        (await router.value("SELECT text FROM pact_version")).replace(
            "[ana, ben, cem]", "[nobody, BEN@acme.example, cem]"
        )
    )
    await router.hear(captured("jo@globex.example"))
    assert await router.owner_of("jo@globex.example") == "ben"
    explanation = await router.value("SELECT explanation FROM assignment")
    assert explanation["pools"][0]["candidates"][-1] == {
        "rep": "nobody",
        "outcome": "passed over",
        "because": "nobody of that name is on the roster",
    }


async def test_a_list_of_nobody_changes_nothing(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_reps(tx, [], TUESDAY_MORNING)
        await put_accounts(tx, [], TUESDAY_MORNING)
    assert await router.value("SELECT count(*) FROM rep") == len(REPS)


async def test_absences_are_announced_as_they_lie_ahead_whenever_one_changes(router: Router) -> None:
    days = [TUESDAY_MORNING + timedelta(days=day) for day in range(-3, 6)]
    async with router.uow.transaction() as tx:
        await add_absence(tx, "ana", days[0], days[1], now=TUESDAY_MORNING)
        coming = await add_absence(tx, "ana", days[7], days[8], now=TUESDAY_MORNING)
        await add_absence(tx, "ben", days[4], days[5], now=TUESDAY_MORNING)
    async with router.uow.transaction() as tx:
        await add_absence(tx, "ana", days[2], days[4], now=TUESDAY_MORNING)
    async with router.uow.transaction() as tx:
        await remove_absence(tx, coming, now=TUESDAY_MORNING)
    said = [
        [(one.starts_at, one.ends_at) for one in event.away]
        for event in await router.said(RepAbsencesChanged)
        if event.rep_id == "ana"
    ]
    now_on, later = (days[2], days[4]), (days[7], days[8])
    assert said == [[], [later], [now_on, later], [now_on]]


async def test_of_two_absences_entered_at_once_the_later_announcement_has_both_and_counts_as_later(
    router: Router,
) -> None:
    tomorrow, day_after = TUESDAY_MORNING + timedelta(days=1), TUESDAY_MORNING + timedelta(days=2)

    async def second() -> None:
        async with router.uow.transaction() as tx:
            await add_absence(tx, "ana", tomorrow, day_after, now=TUESDAY_MORNING - timedelta(seconds=1))

    async with router.uow.transaction() as tx:
        await add_absence(tx, "ana", TUESDAY_MORNING, tomorrow, now=TUESDAY_MORNING)
        waiting = asyncio.create_task(second())
        await somebody_waits_for_a_lock(router)
    await waiting
    said = await router.said(RepAbsencesChanged)
    assert [(event.revision, len(event.away)) for event in said] == [(1, 1), (2, 2)]

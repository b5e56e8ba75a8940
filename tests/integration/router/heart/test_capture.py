"""A captured lead becomes a person, a score, a decision and an owner, in one transaction, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.event import listen as listen_for

from leadpact.events import (
    LeadAssigned,
    LeadHeld,
    LeadMatched,
    LeadQualified,
    LeadScored,
    MessageDeadLettered,
)
from leadpact_router.roster import AccountEntry, add_absence, put_accounts
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import Router, captured, did, downloaded

LATER = TUESDAY_MORNING + timedelta(hours=3)


async def test_a_demo_request_is_matched_scored_qualified_and_assigned(router: Router) -> None:
    await router.hear(captured("jo@globex.example", draft={"seniority": "vp"}))
    (matched,) = await router.said(LeadMatched)
    (scored,) = await router.said(LeadScored)
    (qualified,) = await router.said(LeadQualified)
    (assigned,) = await router.said(LeadAssigned)
    assert matched.matched_by == "new"
    assert (scored.score, scored.fit, scored.engagement) == (25, 25, 0)
    assert [(one.name, one.points, one.because) for one in scored.contributions] == [
        ("decides", 25, "seniority is vp")
    ]
    assert qualified.because == "intent: demo_request"
    assert (assigned.rep_id, assigned.pool, assigned.rule, assigned.hop) == ("ana", "dach", "DACH", 1)
    assert assigned.lead.stage == "mql"
    assert await router.owner_of("jo@globex.example") == "ana"


async def test_the_explanation_names_each_rule_tried_and_each_candidate_passed_over(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await add_absence(
            tx, "ana", TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=2), now=TUESDAY_MORNING
        )
    await router.hear(captured("jo@globex.example"))
    (assigned,) = await router.said(LeadAssigned)
    rules = {rule["rule"]: rule for rule in assigned.explanation["rules"]}
    assert list(rules) == ["account owner first", "DACH"]
    assert rules["account owner first"]["holds"] is False
    assert rules["account owner first"]["seen"] == [
        {"field": "account.owner", "expected": "present", "found": "absent", "holds": False}
    ]
    assert rules["DACH"]["seen"] == [
        {"field": "country", "expected": "one of DE, AT, CH", "found": "DE", "holds": True}
    ]
    (pool,) = assigned.explanation["pools"]
    assert {one["rep"]: one["outcome"] for one in pool["candidates"]} == {
        "ben": "chosen",
        "cem": "waits",
        "ana": "passed over",
    }
    assert pool["candidates"][-1]["because"] == "away until Thu 2026-03-05 09:00 (UTC)"
    assert assigned.explanation == await router.value("SELECT explanation FROM assignment")
    assert assigned.pact_version == await router.value("SELECT pact_version FROM assignment") == 1


async def test_who_posts_again_keeps_the_owner_and_adds_a_touch(router: Router) -> None:
    await router.hear(captured("jo@globex.example", draft={"job_title": "Engineer", "products": ["pump"]}))
    await router.hear(
        captured("jo@globex.example", draft={"country": None, "job_title": "CTO", "products": ["valve"]})
    )
    assert [one.matched_by for one in await router.said(LeadMatched)] == ["new", "email"]
    assert len(await router.said(LeadAssigned)) == 1
    assert len(await router.rows("SELECT 1 FROM touch")) == 2
    draft = await router.value("SELECT draft FROM lead")
    assert (draft["job_title"], draft["products"], draft["country"]) == ("CTO", ["pump", "valve"], "DE")


async def test_a_double_click_in_one_batch_is_one_lead_with_two_touches_and_one_owner(router: Router) -> None:
    await router.hear(captured("jo@globex.example"), captured("jo@globex.example"))
    assert len(await router.rows("SELECT 1 FROM lead")) == 1
    assert len(await router.rows("SELECT 1 FROM touch")) == 2
    assert len(await router.said(LeadAssigned)) == 1


async def test_a_number_recognises_where_no_address_can(router: Router) -> None:
    phone = {"phone": "+49301234567"}
    await router.hear(captured(draft=phone))
    await router.hear(captured("jo@globex.example", draft=phone))
    assert [one.matched_by for one in await router.said(LeadMatched)] == ["new", "phone"]
    assert len(await router.rows("SELECT 1 FROM person")) == 1


async def test_colleagues_behind_one_switchboard_stay_two_people(router: Router) -> None:
    phone = {"phone": "+49301234567"}
    await router.hear(captured("jo@globex.example", draft=phone), captured("kit@globex.example", draft=phone))
    assert [one.matched_by for one in await router.said(LeadMatched)] == ["new", "new"]
    assert len(await router.rows("SELECT 1 FROM person")) == 2


async def test_a_lead_that_lacks_what_sales_needs_waits_with_the_reason_and_goes_out_when_it_is_known(
    router: Router,
) -> None:
    phone = {"phone": "+49301234567"}
    await router.hear(captured(draft=phone))
    assert await router.said(LeadAssigned) == []
    because = await router.value("SELECT unqualified_because FROM lead")
    assert because == "meets intent: demo_request, but email is not known"
    await router.hear(captured("jo@globex.example", draft=phone))
    (assigned,) = await router.said(LeadAssigned)
    assert assigned.lead.email == "jo@globex.example"


async def test_interest_that_grows_makes_a_lead_ready(router: Router) -> None:
    await router.hear(downloaded("jo@globex.example", draft={"seniority": "vp"}))
    (scored,) = await router.said(LeadScored)
    assert scored.score == 30  # 25 for the seniority and 5 for the download
    assert len(await router.said(LeadAssigned)) == 1


async def test_a_lead_of_little_interest_is_kept_back_and_says_why(router: Router) -> None:
    await router.hear(downloaded("jo@globex.example"))
    assert await router.said(LeadQualified) == []
    assert await router.said(LeadHeld) == []
    because = await router.value("SELECT unqualified_because FROM lead")
    assert because == "meets none of: intent: demo_request; score: >= 30"


async def test_activities_add_up_and_what_counts_once_counts_once(router: Router) -> None:
    await router.hear(downloaded("jo@globex.example"))
    await router.hear(did("webinar", "jo@globex.example"), did("webinar", "jo@globex.example"))
    assert [one.engagement for one in await router.said(LeadScored)] == [5, 20]
    await router.hear(did("pricing_page", "jo@globex.example"), did("pricing_page", "jo@globex.example"))
    assert (await router.said(LeadScored))[-1].engagement == 36
    assert len(await router.said(LeadAssigned)) == 1
    assert len(await router.rows("SELECT 1 FROM activity")) == 4


async def test_an_activity_of_an_unknown_person_changes_nothing(router: Router) -> None:
    await router.hear(did("webinar", "stranger@globex.example"))
    assert await router.rows("SELECT 1 FROM lead") == []
    assert await router.said(LeadScored) == []


async def test_a_lead_of_a_known_account_goes_to_the_account_owner_outside_the_turns(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_accounts(
            tx, [AccountEntry("Globex", "https://www.globex.example/", owner="cem@acme.example")], LATER
        )
    await router.hear(captured("jo@eu.globex.example", draft={"domain": "globex.example"}))
    (assigned,) = await router.said(LeadAssigned)
    assert (assigned.rep_id, assigned.pool, assigned.rule) == ("cem", None, "account owner first")
    assert assigned.lead.account_name == "Globex"
    assert await router.value("SELECT count(*) FROM turn WHERE assigned > 0") == 0


async def test_an_account_owner_on_leave_is_passed_by_with_the_reason(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_accounts(tx, [AccountEntry("Globex", "globex.example", owner="cem")], LATER)
        await add_absence(
            tx, "cem", TUESDAY_MORNING, TUESDAY_MORNING + timedelta(days=1), now=TUESDAY_MORNING
        )
    await router.hear(captured("jo@globex.example", draft={"domain": "globex.example"}))
    (assigned,) = await router.said(LeadAssigned)
    assert assigned.rep_id == "ana"
    passed_by = assigned.explanation["rules"][0]["passed_by"]
    assert passed_by == "cem: away until Wed 2026-03-04 09:00 (UTC)"


async def test_a_free_mail_domain_is_nobodys_account(router: Router) -> None:
    async with router.uow.transaction() as tx:
        await put_accounts(tx, [AccountEntry("Mail for all", "mail-for-all.example", owner="cem")], LATER)
    await router.hear(
        captured("jo@mail-for-all.example", draft={"domain": "mail-for-all.example", "flags": ["free_mail"]})
    )
    (assigned,) = await router.said(LeadAssigned)
    assert (assigned.rep_id, assigned.lead.account_name) == ("ana", None)


@pytest.mark.parametrize("forget", ["log_cursor", "log_cursor, inbox"])
async def test_what_is_delivered_again_is_applied_and_announced_once(router: Router, forget: str) -> None:
    """By the inbox; and by the receipts themselves, long after the inbox has forgotten."""
    await router.hear(captured("jo@globex.example"), downloaded("kit@globex.example"))
    await router.hear(did("pricing_page", "kit@globex.example"))
    before = await router.rows("SELECT id, score, owner FROM lead ORDER BY id")
    log_length = await router.value("SELECT count(*) FROM outbox")
    async with router.engine.begin() as connection:
        for table in forget.split(", "):
            await connection.exec_driver_sql(f"DELETE FROM {table}")
    await router.read()
    assert await router.rows("SELECT id, score, owner FROM lead ORDER BY id") == before
    assert await router.value("SELECT count(*) FROM outbox") == log_length


async def test_one_bad_event_does_not_sink_its_batch(router: Router) -> None:
    """PostgreSQL keeps no NUL in text, so this event can be announced and never be applied."""
    good = [captured(f"jo{i}@globex.example") for i in range(30)]
    await router.hear(*good[:17], captured("bad@globex.example", draft={"company": "Glo\x00bex"}), *good[17:])
    assert len(await router.said(LeadAssigned)) == 30
    assert len(await router.said(MessageDeadLettered)) == 1
    assert await router.value("SELECT count(*) FROM lead") == 30
    assert sorted(await router.rows("SELECT rep_id, open FROM rep_load WHERE open > 0")) == [
        ("ana", 10),
        ("ben", 10),
        ("cem", 10),
    ]


async def test_the_same_events_have_the_same_owners_however_they_are_batched(
    router: Router, second_router: Router
) -> None:
    events = [
        captured(f"jo{i % 23}@globex.example", draft={"country": "DE" if i % 3 else "AT"}) for i in range(60)
    ]
    async with router.uow.transaction() as tx:
        await router.take_in(tx, *events)
    for event in events:
        async with second_router.uow.transaction() as tx:
            await second_router.take_in(tx, event)
    owners = "SELECT email, owner FROM lead ORDER BY email"
    assert await router.rows(owners) == await second_router.rows(owners)


async def test_a_thousand_mixed_leads_have_one_owner_each_fair_turns_and_counters_that_equal_a_recount(
    router: Router,
) -> None:
    events = [
        captured(
            f"jo{i % 900}@globex{i % 50}.example",
            draft={"country": ["DE", "AT", "CH", "US"][i % 4]},
            **({} if i % 5 else {"source": "whitepaper", "intent": "content_download"}),
        )
        for i in range(1000)
    ]
    await router.announce(*events)
    await router.read()
    people = {event.lead.email for event in events}
    assert await router.value("SELECT count(*) FROM lead") == len(people)
    assert await router.value("SELECT count(*) FROM touch") == 1000
    given = len(await router.said(LeadAssigned))
    held = len(await router.said(LeadHeld))
    waiting = "SELECT count(*) FROM lead WHERE held_since IS NOT NULL"
    assert held == await router.value(waiting) > 0  # the rest of the world has one rep, with two leads a day
    assert given == await router.value("SELECT count(*) FROM assignment WHERE ended_at IS NULL")
    assert given + held == await router.value("SELECT count(*) FROM lead WHERE qualified_at IS NOT NULL")
    recount = """
        SELECT r.id, count(*) FILTER (WHERE ended_at IS NULL AND contacted_at IS NULL), count(a.id)
        FROM rep r LEFT JOIN assignment a ON a.rep_id = r.id GROUP BY r.id ORDER BY r.id
    """
    loads = "SELECT rep_id, open, today FROM rep_load ORDER BY rep_id"
    assert await router.rows(recount) == await router.rows(loads)
    turns = [row.assigned for row in await router.rows("SELECT assigned FROM turn WHERE pool = 'dach'")]
    assert max(turns) - min(turns) <= 1
    assert sum(turns) + 2 == given


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(router: Router) -> None:
    await router.hear(captured("first@globex.example"))  # everybody is seated by now
    statements: list[str] = []
    listen_for(router.engine.sync_engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    counts = []
    for number, size in enumerate((1, 10, 300)):
        events = [
            captured(f"jo{i}@{number}.example", draft={"phone": f"+49{number}{i}"}) for i in range(size)
        ]
        statements.clear()
        async with router.uow.transaction() as tx:
            await router.take_in(tx, *events)
        counts.append(len(statements))
    assert len(set(counts)) == 1
    assert counts[0] <= 20


async def test_until_it_is_ready_for_sales_each_time_the_person_asks_begins_the_request_anew(
    router: Router,
) -> None:
    """Who signed up for a white paper in February and wants a demo in March waits since March."""
    long_ago = TUESDAY_MORNING - timedelta(days=20)
    await router.hear(downloaded("jo@globex.example", at=long_ago))
    assert await router.value("SELECT received_at FROM lead") == long_ago
    await router.hear(captured("jo@globex.example"))
    (assigned,) = await router.said(LeadAssigned)
    assert assigned.lead.received_at == TUESDAY_MORNING
    assert assigned.lead.qualified_at == router.clock.now()
    later = router.clock.advance(timedelta(hours=1))
    await router.hear(captured("jo@globex.example", at=later))
    assert await router.value("SELECT received_at FROM lead") == TUESDAY_MORNING


async def test_a_bought_list_and_a_touch_that_comes_late_begin_nothing_anew(router: Router) -> None:
    later = TUESDAY_MORNING + timedelta(hours=1)
    await router.hear(downloaded("jo@globex.example"))
    await router.hear(
        downloaded("jo@globex.example", at=later, source="vendor", source_kind="syndication"),
        downloaded("jo@globex.example", at=TUESDAY_MORNING - timedelta(hours=1)),
    )
    assert await router.value("SELECT received_at FROM lead") == TUESDAY_MORNING


async def test_an_assignment_tells_the_leads_zone_and_the_absences_ahead_of_its_owner(router: Router) -> None:
    days = [TUESDAY_MORNING + timedelta(days=day) for day in range(-3, 10)]
    async with router.uow.transaction() as tx:
        for first, last in ((0, 1), (5, 6), (11, 12)):
            await add_absence(tx, "ana", days[first], days[last], now=TUESDAY_MORNING)
        await add_absence(tx, "ben", days[8], days[9], now=TUESDAY_MORNING)
    await router.hear(captured("jo@globex.example", draft={"phone": "+12125551234"}))
    (assigned,) = await router.said(LeadAssigned)
    assert assigned.rep_id == "ana"
    assert [(one.starts_at, one.ends_at) for one in assigned.rep_away] == [
        (days[5], days[6]),
        (days[11], days[12]),
    ]
    assert assigned.rep_away_revision == 3
    assert assigned.lead.timezone == "America/New_York"

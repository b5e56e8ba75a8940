"""Batches are handed out by handler without bringing one message of a key before an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from leadpact.bus.carrier import Delivery
from leadpact.bus.consume import Handler, Received, _Item, waves
from leadpact.events import SlaBreached, SlaCancelled, SlaWarned
from leadpact.events.base import Event, Message
from leadpact.ids import EventId, new_id
from leadpact.storage.unit_of_work import Transaction
from tests.support.fake_clock import TUESDAY_MORNING

KINDS = (SlaBreached, SlaCancelled, SlaWarned)


def handler() -> Handler:
    """One that nobody calls."""

    async def handle(_: Transaction, __: Sequence[Received]) -> None:
        raise AssertionError

    return handle


EACH_ITS_OWN: dict[type[Event], Handler] = {kind: handler() for kind in KINDS}
ONE_FOR_ALL: dict[type[Event], Handler] = dict.fromkeys(KINDS, handler())


def item(kind: type[Event], key: int) -> _Item:
    event = kind.model_construct(occurred_at=TUESDAY_MORNING, lead_id=UUID(int=key))
    message = Message(EventId(new_id()), kind.TYPE, "/test", kind.TOPIC, str(key), TUESDAY_MORNING, "{}")
    return _Item(Delivery(kind.TOPIC, "0", message), Received(message, event))


def test_different_leads_share_one_wave_per_kind() -> None:
    items = [item(KINDS[number % 2], key=number) for number in range(100)]
    assert [len(wave) for wave in waves(items, EACH_ITS_OWN)] == [50, 50]


def test_kinds_that_share_a_handler_share_a_wave_in_the_order_of_the_log() -> None:
    items = [item(KINDS[number % 3], key=number % 2) for number in range(100)]
    assert waves(items, ONE_FOR_ALL) == [items]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), max_size=40))
def test_every_item_is_handed_out_once_in_waves_of_one_kind_and_in_its_keys_order(
    drawn: list[tuple[type[Event], int]],
) -> None:
    items = [item(kind, key) for kind, key in drawn]
    handed_out = [one for wave in waves(items, EACH_ITS_OWN) for one in wave]

    assert sorted(id(one) for one in handed_out) == sorted(id(one) for one in items)
    assert all(len({type(one.received.event) for one in wave}) == 1 for wave in waves(items, EACH_ITS_OWN))
    for key in range(4):
        of_key = [one for one in items if one.received.message.key == str(key)]
        assert [one for one in handed_out if one.received.message.key == str(key)] == of_key

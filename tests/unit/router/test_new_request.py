"""When a raised hand is owed an answer of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from leadpact_router.new_request import is_owed_an_answer
from leadpact_router.owner import Owner
from tests.support.fake_clock import TUESDAY_MORNING
from tests.support.routing import captured

ASKED_AT = TUESDAY_MORNING
BEFORE, SINCE = ASKED_AT - timedelta(hours=1), ASKED_AT + timedelta(hours=1)


def owner(**did: Any) -> Owner:
    return Owner(uuid4(), "ana", 1, **did)


@pytest.mark.parametrize(
    ("waits_already", "earlier", "present", "owed"),
    [
        (False, [], [owner()], True),
        (True, [], [owner()], False),  # waits with the first
        (True, [], [owner(accepted_at=BEFORE, tried_at=BEFORE)], False),  # which is no answer yet
        (True, [], [owner(contacted_at=BEFORE)], True),
        (True, [], [owner(meeting_agreed_at=BEFORE)], True),
        (True, [], [owner(contacted_at=BEFORE), owner()], True),  # a second owner, who need not answer either
        (True, [owner(contacted_at=BEFORE)], [owner()], False),  # that was the answer to something else
        (False, [], [owner(contacted_at=SINCE)], False),
        (False, [owner(contacted_at=SINCE)], [owner()], False),
        (False, [owner(ended_at=SINCE, ended_as="rejected")], [owner()], False),
        (False, [owner(ended_at=SINCE, ended_as="closed")], [owner()], False),
        (False, [owner(ended_at=SINCE, ended_as="reassigned")], [owner()], True),
        (False, [], [owner(contacted_at=ASKED_AT)], False),
    ],
)
def test_a_hand_that_is_raised_again_is_owed_an_answer_if_there_was_none_and_none_is_on_its_way(
    waits_already: bool, earlier: list[Owner], present: list[Owner], owed: bool
) -> None:
    ever = (*earlier, *present)
    found = is_owed_an_answer(
        captured("jo@globex.example", at=ASKED_AT),
        waits_already=waits_already,
        present=tuple(present),
        ever=ever,
    )
    assert found is owed

"""What the demo understands of the example receiver's log."""

from __future__ import annotations

from leadpact.demo.receiver import Receiver


def test_what_it_accepted_and_what_it_refused_is_told_apart() -> None:
    receiver = Receiver()
    receiver.hear("127.0.0.1 - - [26/May/2026 11:05:03] lead.reassigned -> Emil Sørensen")
    receiver.hear('127.0.0.1 - - [26/May/2026 11:05:03] "POST / HTTP/1.1" 204 -')
    receiver.hear('127.0.0.1 - - [26/May/2026 11:05:04] "POST / HTTP/1.1" 401 -')
    assert receiver.accepted == [("lead.reassigned", "Emil Sørensen")]
    assert receiver.refused == 1

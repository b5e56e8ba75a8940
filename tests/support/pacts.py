"""A small pact that is right, and the means to break it at one place."""

from __future__ import annotations

SMALL_PACT = """\
pact: small
calendars:
  dach:
    timezone: Europe/Berlin
    hours: {mon-fri: "09:00-17:00"}
sources:
  website-demo: {kind: form, intent: demo_request}
  fair: {kind: event_scan, ends: 2026-04-24T18:00 Europe/Berlin, upload_within: 24 business hours, calendar: dach}
  vendor: {kind: syndication, accept: {country: [DE, AT]}, cap: 500 per month, cost_per_lead: 45 EUR}
scoring:
  fit: [{when: {seniority: [vp, c_level]}, points: 25}]
  engagement: {half_life: 14 days, cap: 50, points: {pricing_page: 8, webinar: {points: 15, once: true}}}
  bands: {hot: ">= 80", warm: ">= 50", cold: else}
qualification:
  mql: {any: [{intent: demo_request}, {did: [pricing_page, webinar]}], needs: [email]}
routing:
  pools:
    dach-ae: {members: [ana, {rep: ben, weight: 0.5}], calendar: dach, when_nobody: {widen: triage}}
    triage: {members: [cem], calendar: dach}
  rules:
    - {name: owner, when: {account.owner: present}, to: account.owner}
    - {name: DACH, when: {country: [DE, AT, CH]}, to: dach-ae}
  fallback: triage
sla:
  first-touch:
    applies: {intent: demo_request}
    first_touch_within: 2 business hours
    warn_at: [50%, 80%]
    on_breach: {reassign: {at_most: 3}, then: {escalate: boss}}
rejection_reasons:
  bad_data: {outcome: disqualify, note: required}
"""


def pact_with(written: str, instead: str) -> str:
    """The small pact, with ``instead`` in the one place where ``written`` stands."""
    assert SMALL_PACT.count(written) == 1, (
        f"{written!r} stands {SMALL_PACT.count(written)} times in the small pact"
    )
    return SMALL_PACT.replace(written, instead)

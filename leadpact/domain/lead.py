"""The canonical lead: one shape for whatever a form, a badge scan or a vendor's list said about a person.

A draft is a value. It says what the sender said, normalised where machines compare (e-mail, phone, country,
company key, domain) and as written where people read (names, company, message). Nothing is thrown away:
what no field here names is in `extras`. It is the body of `lead.captured` and is dumped without its
defaults, so that a lead with four answers is four answers long on the bus.
"""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue


class LeadDraft(BaseModel):
    """One person's answers, not yet known to be anybody: the router decides who it is.

    Text fields are None when the sender said nothing or a placeholder such as `n/a`.
    Unknown fields are ignored on reading, so that an older consumer survives a newer producer.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    email: str | None = None
    """Key form: NFKC, lower case, punycode domain. Plus tags and dots are part of the address and stay."""
    email_as_written: str | None = None
    """Present when the sender's spelling differs from `email` or could not be read."""
    phone: str | None = None
    """E.164, without extension."""
    phone_as_written: str | None = None
    """Present when the sender's spelling differs from `phone` or could not be read."""

    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    """The whole name in the order in which it was written; the parts may be a guess, this never is."""

    company: str | None = None
    company_key: str | None = None
    """For matching only: case, accents, punctuation and the legal form folded away."""
    domain: str | None = None
    """Registrable domain of the work address or website; None for free mail."""
    website: str | None = None
    industry: str | None = None
    employees: int | None = None
    """Head count; of a range, its lower bound, which is what "at least N" may rely on."""
    employee_range: str | None = None
    """The range as written, such as `201-500`."""

    job_title: str | None = None
    seniority: str | None = None
    """One of `c_level`, `vp`, `director`, `manager`, `senior`, `entry`."""

    country: str | None = None
    """ISO 3166-1 alpha-2."""
    state: str | None = None
    city: str | None = None
    postal_code: str | None = None

    message: str | None = None
    """What the person wrote to us."""
    notes: str | None = None
    """What somebody of ours, or the vendor, wrote about the person."""
    asset: str | None = None
    products: tuple[str, ...] = ()
    campaign: str | None = None
    rating: str | None = None
    captured_by: str | None = None
    """Who or what scanned the badge."""
    event_at: AwareDatetime | None = None
    """When the person acted, in UTC. None means not stated: the time of receipt stands in for it."""
    external_id: str | None = None
    """The sender's own id of this submission."""

    consent: bool | None = None
    """None means that nobody asked, or that the answer could not be read as yes or no."""
    opted_out: bool = False

    utm: dict[str, str] = {}
    """`utm_*` parameters, verbatim."""
    click_ids: dict[str, str] = {}
    """Advertising click ids by parameter name, verbatim: they are case-sensitive."""
    page_url: str | None = None
    referrer: str | None = None

    flags: tuple[str, ...] = ()
    """Facts worth weighing: `free_mail`, `role_address`, `disposable`, `test`, `email_unreadable`, `repaired.email`, …"""
    repairs: tuple[str, ...] = ()
    """What was changed on the way, one sentence each, without the values themselves."""
    extras: dict[str, JsonValue] = {}
    """Everything else: recognised fields without a place above by their canonical name, the rest by the sender's."""

    @property
    def identity_key(self) -> str | None:
        """What keeps one person's events in order: the e-mail, else the phone, else None (use the receipt)."""
        return self.email or self.phone

    def to_json(self) -> dict[str, Any]:
        """The draft as JSON values, without what was not said; `LeadDraft.model_validate` reads it back."""
        return self.model_dump(mode="json", exclude_defaults=True)

"""Turn what a form or a row said into the canonical lead, or into the reasons why it cannot become one.

Pure: no clock, no database. A lead is usable when its person can be reached: one readable e-mail address or phone
number. Everything else is a help, so a country that nobody knows or a date that nobody can read costs a flag and not
the lead. Only what could not be stored or is no name at all (a NUL character, a name of 201 characters) refuses it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from leadpact.domain.company_domain import domain_of_website, registrable_domain
from leadpact.domain.country import country_code
from leadpact.domain.lead import LeadDraft
from leadpact.runtime.storable import is_storable
from leadpact_ingest.answers import Answer, Answers, unfold
from leadpact_ingest.headers import HeaderMap, map_headers, sort_answers
from leadpact_ingest.normalise.attribution import Attribution, parameter_name, read_attribution
from leadpact_ingest.normalise.company import company_key
from leadpact_ingest.normalise.email import Email, read_email
from leadpact_ingest.normalise.employees import HeadCount, read_employees
from leadpact_ingest.normalise.name import joined_name, split_name
from leadpact_ingest.normalise.phone import Phone, read_phone
from leadpact_ingest.normalise.seniority import seniority_of
from leadpact_ingest.normalise.text import clean
from leadpact_ingest.normalise.when import read_when
from leadpact_ingest.normalise.yes_no import yes_or_no
from leadpact_ingest.problem import FieldProblem

MAX_NAME_CHARACTERS = 200
MAX_VALUE_CHARACTERS = 16_384
CLOCK_SKEW = timedelta(minutes=5)
"""A time this far after the receipt is a clock that is a little off, not a mistake."""

_AS_WRITTEN = (
    "company", "industry", "job_title", "state", "city", "postal_code", "message", "notes", "asset", "campaign", "rating",
    "captured_by", "external_id", "website", "page_url", "referrer",
)  # fmt: skip
_TEST_LEAD = "<test lead:"  # what advertising platforms fill their own test submissions with


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why these answers cannot become a lead: at least one problem."""

    problems: tuple[FieldProblem, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What the source knows and its values do not say.

    `default_country` (ISO alpha-2) stands in for a missing country. `timezone` (IANA) is assumed for times without a
    zone. `day_first` settles `03/04/2026` where the values do not; None leaves such a date unread.
    """

    received_at: datetime
    default_country: str | None = None
    timezone: str = "UTC"
    day_first: bool | None = None


def canonicalise(
    fields: Mapping[str, JsonValue],
    *,
    received_at: datetime,
    default_country: str | None = None,
    timezone: str = "UTC",
    day_first: bool | None = None,
) -> LeadDraft | Unusable:
    """The lead that a form's fields describe, whatever the fields are called.

    Nested objects unfold (`company.name`) and lists are several answers. An unrecognised field is kept in `extras`
    under its own name; a lone value that reads as an e-mail address is the e-mail address.
    """
    answers = unfold(dict(fields))
    columns = map_headers([answer.name for answer in answers], [[answer.value for answer in answers]])
    context = Context(received_at, default_country, timezone, day_first)
    return _unstorable(answers) or _lead(sort_answers(columns, answers), context)


def canonicalise_row(columns: HeaderMap, cells: Sequence[str], context: Context) -> LeadDraft | Unusable:
    """The lead in one row of a table whose columns are understood; what their values settled of dates goes first."""
    if columns.day_first is not None:
        context = replace(context, day_first=columns.day_first)
    return _unstorable(columns.named(cells)) or _lead(columns.answers(cells), context)


def _unstorable(answers: Sequence[Answer]) -> Unusable | None:
    """What could not be stored is refused before it is accepted."""
    problems = tuple(
        FieldProblem(
            clean(answer.name.encode("utf-8", "ignore").decode().replace("\0", "")) or "field",
            "It contains a NUL character or half of a character.",
            "Remove it: a faulty export left it there. Save the data as UTF-8 and send it again.",
        )
        for answer in answers
        if not (is_storable(answer.name) and is_storable(answer.value))
    )
    return Unusable(problems) if problems else None


@dataclass(slots=True)
class _Notes:
    """What was noticed on the way to the lead. Flags are a dict for its order and uniqueness."""

    flags: dict[str, None] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)
    extras: dict[str, JsonValue] = field(default_factory=dict)
    problems: list[FieldProblem] = field(default_factory=list)
    unreadable: list[FieldProblem] = field(default_factory=list)
    """Ways to reach the person that could not be read; forgiven when another one could."""

    def flag(self, *names: str) -> None:
        self.flags.update(dict.fromkeys(names))

    def repaired(self, what: str, sentence: str) -> None:
        self.flag(f"repaired.{what}")
        self.repairs.append(sentence)

    def keep(self, name: str, value: str) -> None:
        """Keep a value that no field takes; several of one name become a list."""
        before = self.extras.get(name)
        if before is None:
            self.extras[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            self.extras[name] = [before, value]

    def within_length(self, answer: Answer) -> str:
        if len(answer.value) > MAX_VALUE_CHARACTERS:
            self.repaired("length", f'"{answer.name[:60]}" was cut to {MAX_VALUE_CHARACTERS} characters.')
        return answer.value[:MAX_VALUE_CHARACTERS]


def _lead(answers: Answers, context: Context) -> LeadDraft | Unusable:
    notes = _Notes()
    country = _country(answers, context, notes)
    email = _email(answers, notes)
    phone = _phone(answers, country, notes)
    names = _names(answers, notes)
    size = _size(answers, notes)
    texts = {name: notes.within_length(answer) for name in _AS_WRITTEN if (answer := answers.take(name))}
    consent, opted_out = _consent(answers, notes)
    origin = _attribution(answers, texts, notes)
    draft = {
        **texts,
        **email.fields,
        **phone.fields,
        **names,
        "country": country,
        "company_key": company_key(texts["company"]) if "company" in texts else None,
        "domain": _domain(email.domain, texts.get("website"), answers),
        "employees": size.at_least if size else None,
        "employee_range": size.as_range if size else None,
        "seniority": _seniority(answers, texts.get("job_title"), notes),
        "products": tuple(dict.fromkeys(_products(answers))),
        "event_at": _event_at(answers, context, notes),
        "consent": consent,
        "opted_out": opted_out,
        "utm": origin.utm,
        "click_ids": origin.click_ids,
    }
    _keep_the_rest(answers, notes)
    _require_a_way_to_reach_the_person(email, phone, notes)
    _flag_tests(draft, notes)
    if notes.problems:
        return Unusable(tuple(notes.problems))
    return LeadDraft.model_validate(
        draft | {"flags": tuple(notes.flags), "repairs": tuple(notes.repairs), "extras": notes.extras}
    )


def _country(answers: Answers, context: Context, notes: _Notes) -> str | None:
    """The stated country, else the source's own; a word that names none is kept and flagged."""
    stated = answers.take("country")
    if stated is None:
        if context.default_country:
            notes.repaired("country", "Country not stated; the source's own was taken.")
        return context.default_country
    code = country_code(stated.value)
    if code is None:
        notes.flag("country_unknown")
        notes.keep("country", stated.value)
    return code


class _Way(NamedTuple):
    """A way to reach the person: the draft's fields for it, and of an e-mail address the domain if it is an employer's."""

    fields: dict[str, str]
    domain: str | None = None


def _email(answers: Answers, notes: _Notes) -> _Way:
    """The first readable address, a work address before any other; further ones are kept."""
    found: Email | None = None
    fields: dict[str, str] = {}
    for answer in answers.take_all("work_email", "email", "secondary_email"):
        address = read_email(answer.value)
        if not isinstance(address, Email):
            fields.setdefault("email_as_written", notes.within_length(answer))
            _unreadable("email", answer, f"is not an e-mail address: {address.reason}", notes)
        elif found is None:
            found = address
            fields["email"] = address.key
            fields["email_as_written"] = answer.value
        elif address.key != found.key:
            notes.keep("secondary_emails", address.key)
    if found is None:
        return _Way(fields)
    if fields["email_as_written"] == found.key:
        del fields["email_as_written"]
    notes.flag(*found.flags)
    if found.repaired:
        notes.repaired("email", "E-mail address taken out of the characters around it.")
    return _Way(fields, None if {"free_mail", "disposable"} & set(found.flags) else found.domain)


def _phone(answers: Answers, country: str | None, notes: _Notes) -> _Way:
    """The first possible number, a mobile before a desk; further ones are kept."""
    fields: dict[str, str] = {}
    for answer in answers.take_all("mobile_phone", "phone"):
        number = read_phone(answer.value, country)
        if not isinstance(number, Phone):
            fields.setdefault("phone_as_written", notes.within_length(answer))
            _unreadable("phone", answer, f"is not a phone number: {number.reason}", notes)
        elif "phone" not in fields:
            fields |= {"phone": number.e164, "phone_as_written": answer.value}
            _note_phone(number, notes)
        elif number.e164 != fields["phone"]:
            notes.keep("other_phones", number.e164)
    if "phone" in fields and fields["phone_as_written"] == fields["phone"]:
        del fields["phone_as_written"]
    return _Way(fields)


def _note_phone(number: Phone, notes: _Notes) -> None:
    if number.extension:
        notes.keep("phone_ext", number.extension)
    if number.repaired:
        notes.repaired("phone", "Phone number freed of what a spreadsheet or an export had added.")


def _unreadable(way: str, answer: Answer, message: str, notes: _Notes) -> None:
    notes.flag(f"{way}_unreadable")
    fix = "Correct it, or leave it empty and give {other}."
    other = "a phone number" if way == "email" else "an e-mail address"
    notes.unreadable.append(FieldProblem(way, f'"{answer.name}" {message}.', fix.format(other=other)))


def _require_a_way_to_reach_the_person(email: _Way, phone: _Way, notes: _Notes) -> None:
    """One readable address or number forgives the unreadable ones."""
    if "email" in email.fields or "phone" in phone.fields:
        return
    nothing = FieldProblem(
        "email",
        "There is neither an e-mail address nor a phone number.",
        "Fill in one of them: a lead that nobody can reach is not taken.",
    )
    notes.problems.extend(notes.unreadable or [nothing])


def _names(answers: Answers, notes: _Notes) -> dict[str, str | None]:
    """The whole name from its parts or the parts from the whole; what was written is never replaced."""
    taken = {name: answers.take(name) for name in ("first_name", "last_name", "full_name")}
    for name, answer in taken.items():
        if answer and len(answer.value) > MAX_NAME_CHARACTERS:
            message = f'"{answer.name}" has {len(answer.value)} characters; a name has at most {MAX_NAME_CHARACTERS}.'
            notes.problems.append(
                FieldProblem(name, message, "Put only the name there, the rest into the notes.")
            )
    names = {name: answer.value[:MAX_NAME_CHARACTERS] if answer else None for name, answer in taken.items()}
    first, last, whole = names.values()
    if whole and not first and not last:
        first, last = split_name(whole)
    return {"first_name": first, "last_name": last, "full_name": whole or joined_name(first, last)}


def _size(answers: Answers, notes: _Notes) -> HeadCount | None:
    """The first head count that can be read; text that states none is kept."""
    size = None
    for answer in answers.take_all("employees", "employee_range"):
        count = read_employees(answer.value)
        size = size or count
        if count is None:
            notes.keep("employees", answer.value)
    return size


def _domain(mail_domain: str | None, website: str | None, answers: Answers) -> str | None:
    """The employer's domain: of a work address, else of the website, else as stated."""
    stated = answers.take("domain")
    if mail_domain:
        return registrable_domain(mail_domain)
    return domain_of_website(website or (stated.value if stated else ""))


def _seniority(answers: Answers, job_title: str | None, notes: _Notes) -> str | None:
    """The stated level if it is one that we know, else what the job title states."""
    stated = answers.take("seniority")
    level = seniority_of(stated.value) if stated else None
    if stated and level is None:
        notes.keep("seniority", stated.value)
    return level or (seniority_of(job_title) if job_title else None)


def _products(answers: Answers) -> Iterator[str]:
    """Each product named: one per list item, or separated by commas, semicolons, bars or lines."""
    for answer in answers.take_all("products"):
        for separator in ";|\n":
            answer = Answer(answer.name, answer.value.replace(separator, ","))
        yield from filter(None, (part.strip() for part in answer.value.split(",")))


def _event_at(answers: Answers, context: Context, notes: _Notes) -> datetime | None:
    """When the person acted, as stated. A bare date is noon, whenever it is posted: a repeat says the same."""
    stated = answers.take_all("event_time")
    values = [answer.value for answer in stated]
    when = read_when(values, zone=context.timezone, day_first=context.day_first)
    if when is None:
        for answer in stated:
            notes.flag("event_time_unreadable")
            notes.keep(answer.name, notes.within_length(answer))
        return None
    if when.precision == "date":
        notes.flag("event_date_only")
        return when.at
    if when.at > context.received_at + CLOCK_SKEW:
        notes.flag("event_time_in_future")
    if when.assumed_zone:
        notes.repairs.append(f"Time read as {when.assumed_zone}.")
    return when.at


def _consent(answers: Answers, notes: _Notes) -> tuple[bool | None, bool]:
    """Consent and opt-out. An answer that is neither yes nor no is kept word for word."""
    given, out = answers.take("opted_in"), answers.take("opted_out")
    consent = yes_or_no(given.value) if given else None
    opted_out = yes_or_no(out.value) if out else False
    if given and consent is None:
        notes.keep("consent_as_written", notes.within_length(given))
    if out and opted_out is None:
        notes.keep("opt_out_as_written", notes.within_length(out))
    return consent, bool(opted_out)


def _attribution(answers: Answers, texts: Mapping[str, str], notes: _Notes) -> Attribution:
    """`utm_*` and click ids from the fields, else the page's address, else the referrer's."""
    names = [name for name in answers.fields() if parameter_name(name)]
    body = {name: answer.value for name in names if (answer := answers.take(name))}
    found = read_attribution(body, texts.get("page_url"), texts.get("referrer"))
    if isinstance(found, FieldProblem):
        notes.problems.append(found)
        return Attribution({}, {}, None)
    if found.found_in not in {None, "body"}:
        notes.keep("utm_found_in", found.found_in)
    return found


def _keep_the_rest(answers: Answers, notes: _Notes) -> None:
    """The first recognised answer without a field of its own by its canonical name, everything else by the sender's."""
    placed = LeadDraft.model_fields.keys() | notes.extras.keys()
    for recognised, answer in answers.rest():
        name = recognised if recognised and recognised not in placed else clean(answer.name) or "field"
        notes.keep(name, notes.within_length(answer))
        placed |= {name}


def _flag_tests(draft: Mapping[str, object], notes: _Notes) -> None:
    if any(_TEST_LEAD in str(value) for value in (*draft.values(), *notes.extras.values())):
        notes.flag("test")

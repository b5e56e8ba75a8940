"""Recognise what a column or a form field holds from its name, its neighbours and, where both fall short, its values.

Names are compared without case, accents, separators, camel case and form builders' ornaments (`your-email`,
`interest[]`, `tel-414`, `traits.email`). A name that means two things (`Nom`, `Title`, `CEP`) is settled by the columns
beside it or by its values; the rules stand in `_settled`, one function each. What is not recognised keeps its own
name: nothing is dropped.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from leadpact.domain.clean_text import folded
from leadpact_ingest.answers import Answer, Answers
from leadpact_ingest.normalise.attribution import parameter_name
from leadpact_ingest.normalise.text import said
from leadpact_ingest.normalise.when import day_first_of
from leadpact_ingest.problem import FieldProblem

MAX_HEADER_CHARACTERS = 200
OWN_COLUMNS = ("leadpact_error", "leadpact_fix")
"""What an error file adds; a corrected one may come back with them still in it."""

_SUGGEST_FROM = 0.92  # Jaro-Winkler; below it suggestions are more often wrong than right
_EVIDENCE_FROM = 0.6  # share of a column's values that have to agree
_REQUIRED_MARK = re.compile(
    r"[\s(\[]*(?:\*|required|pflichtfeld|obligatoire|optional)[\s)\]*]*$", re.IGNORECASE
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\W_]+")
_HIDDEN = {ord(character): None for character in "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"}
_FORM_SERIAL = re.compile(r"(?:-\d+|\[\d*\])$")
_FORM_KIND = re.compile(
    r"^(?:text|tel|menu|select|radio|checkbox|textarea|field|input)[-_](?=\D)", re.IGNORECASE
)
_CONTAINER_WORDS = """
your contact person lead user traits fields data payload attributes customer visitor address profile properties
context submission attendee registrant participant delegate business work home mailing
"""
"""First words that say whose or where a field is, not what it is. `form` and `event` are missing: a form's name is no person's."""
_CONTAINERS = frozenset(_CONTAINER_WORDS.split())

_EMAIL_LIKE = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}")
_PHONE_LIKE = re.compile(r"(?:\+|00)[\d\s()./\-]{7,24}")
_SALUTATIONS = "mr mrs ms miss mx dr prof sir madam herr frau monsieur madame mme mlle m sr sra srta sig signor signora dhr mevr pan pani"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name as written and the canonical field it fills, if any.

    `suggestion` is a field whose name is nearly the same: worth asking about, never applied.
    """

    header: str
    field: str | None
    suggestion: str | None = None


@dataclass(frozen=True)
class HeaderMap:
    """How a table's columns fill a lead. `day_first` is what the time columns' values say about `03/04/2026`."""

    columns: tuple[Column, ...]
    day_first: bool | None = None
    _names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", _distinct_names([column.header for column in self.columns]))

    @property
    def fields(self) -> frozenset[str]:
        """The canonical fields that some column fills."""
        return frozenset(column.field for column in self.columns if column.field)

    @property
    def problem(self) -> FieldProblem | None:
        """Why no row of this table can become a lead; None if one can."""
        if self.fields & {"email", "work_email", "secondary_email", "phone", "mobile_phone"}:
            return None
        names = ", ".join(f'"{name}"' for name in self._names[:12])
        return FieldProblem(
            "header",
            f"No column holds an e-mail address or a phone number. The columns are {names}.",
            'Name the column with the address "Email", or the one with the number "Phone".',
        )

    def answers(self, cells: Sequence[str]) -> Answers:
        """A row's cells by field. Several columns of one field keep the table's order."""
        return sort_answers(self, self.named(cells))

    def named(self, cells: Sequence[str]) -> list[Answer]:
        """A row's cells under names that tell same-named columns apart."""
        return [Answer(name, value) for name, value in zip(self._names, cells, strict=False)]


_IGNORED = "ignored"


def sort_answers(columns: HeaderMap, answers: Sequence[Answer]) -> Answers:
    """Answers by the fields of the columns that they stand in."""
    known: dict[str, list[Answer]] = defaultdict(list)
    unknown = []
    for column, answer in zip(columns.columns, answers, strict=False):
        if column.field is None:
            unknown.append(answer)
        elif column.field != _IGNORED:
            known[column.field].append(answer)
    return Answers(known, unknown)


def map_headers(headers: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> HeaderMap:
    """The meaning of each header; `rows` are sample rows whose values settle what names leave open."""
    table = _Table(headers, rows)
    fields = _settled(table)
    columns = (
        Column(header, chosen, None if chosen else _suggestion(header))
        for header, chosen in zip(headers, fields, strict=True)
    )
    times = (
        value
        for position, chosen in enumerate(fields)
        if chosen == "event_time"
        for value in table.values(position)
    )
    return HeaderMap(tuple(columns), day_first_of(times))


def recognise(header: str) -> tuple[str, ...]:
    """The canonical fields that `header` may mean, most often one; empty when it is not known."""
    return _recognised(header) if len(header) <= MAX_HEADER_CHARACTERS else ()


def normalise_header(header: str) -> str:
    """Lower-case words with single spaces: `LinkedInURL*` → `linked in url`, `Order #` → `order number`."""
    text = unicodedata.normalize("NFKC", header).translate(_HIDDEN)
    text = _REQUIRED_MARK.sub("", text).replace("#", " number ")
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", text)).strip().casefold()


@lru_cache(maxsize=4_096)
def _recognised(header: str) -> tuple[str, ...]:
    if normalise_header(header).replace(" ", "_") in OWN_COLUMNS:
        return (_IGNORED,)
    parameter = parameter_name(header)
    if parameter:
        return (parameter,)
    bare = _FORM_SERIAL.sub("", header.strip())
    spellings = (header, bare, _FORM_KIND.sub("", bare), header.partition("(")[0])
    words = dict.fromkeys(normalise_header(spelling) for spelling in spellings)
    return next((fields for text in words for fields in [_looked_up(text)] if fields), ())


def _looked_up(words: str) -> tuple[str, ...]:
    """A normalised name in the table: as it is, without spaces, without accents, without its container."""
    table = _synonyms()
    for spelling in (words, words.replace(" ", ""), folded(words)):
        if spelling in table:
            return table[spelling]
    container, _, rest = words.partition(" ")
    return _looked_up(rest) if rest and container in _CONTAINERS else ()


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    """Every spelling → the fields it may mean. Exact spellings win over those without spaces or accents."""
    lines = (
        resources.files("leadpact_ingest.data")
        .joinpath("header_synonyms.tsv")
        .read_text("utf-8")
        .splitlines()
    )
    exact: dict[str, dict[str, None]] = defaultdict(dict)
    loose: dict[str, dict[str, None]] = defaultdict(dict)
    for line in lines[1:]:
        canonical, synonym, _ = line.split("\t")
        for spelling in (normalise_header(synonym), normalise_header(canonical)):
            exact[spelling][canonical] = None
            loose[spelling.replace(" ", "")][canonical] = None
        loose[folded(synonym)][canonical] = None
    return {spelling: tuple(fields) for spelling, fields in (loose | exact).items()}


def _suggestion(header: str) -> str | None:
    """The field whose name is nearly this one; None for names too short to be nearly anything."""
    words = normalise_header(header)[:MAX_HEADER_CHARACTERS]
    if len(words) < 4:
        return None
    best = process.extractOne(
        words, _synonyms().keys(), scorer=JaroWinkler.similarity, score_cutoff=_SUGGEST_FROM
    )
    return _synonyms()[best[0]][0] if best else None


class _Table:
    """Headers with their candidates, and the sample values below them."""

    def __init__(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.words = [normalise_header(header) for header in headers]
        self.candidates = [recognise(header) for header in headers]
        self._rows = rows

    def values(self, position: int) -> list[str]:
        """What was said in one column's samples."""
        cells = (row[position] for row in self._rows if position < len(row))
        return [value for cell in cells if (value := said(cell))]

    def has(self, *fields: str, besides: int) -> bool:
        """Whether a column other than `besides` means one of `fields` and nothing else."""
        return any(
            len(candidates) == 1 and candidates[0] in fields
            for position, candidates in enumerate(self.candidates)
            if position != besides and self.words[position] not in _NAME_WORDS
        )

    def most(self, position: int, looks_right: re.Pattern[str]) -> bool:
        """Whether the column has values and enough of them match as a whole."""
        values = self.values(position)
        return bool(values) and sum(
            bool(looks_right.fullmatch(value)) for value in values
        ) >= _EVIDENCE_FROM * len(values)


_NAME_WORDS = frozenset({"name", "nom", "nome", "nombre", "naam", "namn", "navn", "名字"})
"""Words for the whole name that beside a column for one half of it mean the other half."""
_DIGITS = re.compile(r"[\d\-]+")
_BRAZILIAN_CEP = re.compile(r"\d{5}-?\d{3}")
_FRENCH_DEPARTEMENT = re.compile(r"\d{2,3}|2[AB]|.+\((?:\d{2,3}|2[AB])\)")
_SALUTATION = re.compile(rf"(?:{_SALUTATIONS.replace(' ', '|')})\.?(?:\s(?:dr|prof)\.?)*", re.IGNORECASE)


def _settled(table: _Table) -> list[str | None]:
    """One field per column, or None."""
    fields = [_settle(table, position) for position in range(len(table.candidates))]
    _set_ad_accounts_aside(table, fields)
    _believe_values(table, fields)
    return fields


def _settle(table: _Table, position: int) -> str | None:
    candidates, words = table.candidates[position], table.words[position]
    if not candidates:
        return None
    if words in _NAME_WORDS:
        return _name_part(table, position)
    if words == "attendee":  # a person, or a number in ticketing exports
        return "external_id" if table.most(position, _DIGITS) else "full_name"
    if words == "cep":  # Brazilian postal code, Turkish mobile phone
        values_say_phone = table.values(position) and not table.most(position, _BRAZILIAN_CEP)
        return "mobile_phone" if values_say_phone else "postal_code"
    if words == "département":  # part of a company, or of France
        return "state" if table.most(position, _FRENCH_DEPARTEMENT) else "job_function"
    if candidates[0] == "job_title" and table.most(position, _SALUTATION):  # Cvent's `title` is `Mr.`
        return "salutation"
    return candidates[0]


def _name_part(table: _Table, position: int) -> str:
    """`Name` beside `Vorname` is the last name, `Nome` beside `Cognome` the first, alone it is the whole."""
    has_first = table.has("first_name", besides=position)
    has_last = table.has("last_name", besides=position)
    if has_first == has_last:
        return "full_name"
    return "last_name" if has_first else "first_name"


def _set_ad_accounts_aside(table: _Table, fields: list[str | None]) -> None:
    """In advertising exports `Account Name` is the advertiser's own account; the lead's company has its own column."""
    accounts = [
        position for position, words in enumerate(table.words) if words in {"account", "account name"}
    ]
    others = [
        position for position, chosen in enumerate(fields) if chosen == "company" and position not in accounts
    ]
    if others:
        for position in accounts:
            fields[position] = None


def _believe_values(table: _Table, fields: list[str | None]) -> None:
    """Without a column named for it, the one unrecognised column full of addresses (or numbers) is the one."""
    for chosen, named, looks_right in (
        ("email", {"email", "work_email", "secondary_email"}, _EMAIL_LIKE),
        ("phone", {"phone", "mobile_phone"}, _PHONE_LIKE),
    ):
        if not named & set(fields):
            unknown = (position for position, found in enumerate(fields) if found is None)
            matching = [position for position in unknown if table.most(position, looks_right)]
            if len(matching) == 1:
                fields[matching[0]] = chosen


def _distinct_names(headers: Iterable[str]) -> tuple[str, ...]:
    """Names under which values may be kept side by side: `Notes`, `Notes (2)`, `column 7`."""
    seen: dict[str, int] = defaultdict(int)
    names = []
    for position, header in enumerate(headers, start=1):
        name = said(header) or f"column {position}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)

"""Each kind of value has one normal form, reached from however people and programs write it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadpact.domain.clean_text import clean, folded
from leadpact.domain.company_domain import domain_of_website, registrable_domain
from leadpact.domain.country import country_code
from leadpact_ingest.normalise.attribution import Attribution, parameter_name, read_attribution
from leadpact_ingest.normalise.company import company_key
from leadpact_ingest.normalise.email import Email, is_disposable, is_free_mail, read_email
from leadpact_ingest.normalise.employees import read_employees
from leadpact_ingest.normalise.name import joined_name, split_name
from leadpact_ingest.normalise.phone import Phone, read_phone
from leadpact_ingest.normalise.seniority import LEVELS, seniority_of
from leadpact_ingest.normalise.text import said
from leadpact_ingest.normalise.when import day_first_of, read_when
from leadpact_ingest.normalise.yes_no import yes_or_no
from leadpact_ingest.problem import FieldProblem


@settings(deadline=None)  # the first example loads the lists
@given(st.text(max_size=200))
def test_no_text_whatever_crashes_a_normaliser(text: str) -> None:
    clean(text), said(text), folded(text), read_email(text), read_phone(text, "DE"), read_phone(text)
    country_code(text), company_key(text), read_employees(text), seniority_of(text), yes_or_no(text)
    read_when([text], zone="Europe/Berlin", day_first=True), day_first_of([text]), domain_of_website(text)
    split_name(text), parameter_name(text), registrable_domain(text)


# --- e-mail -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Ana@Acme.Example", "ana@acme.example"),
        ("  ana@acme.example\u00a0", "ana@acme.example"),
        ("ana@acme.example.", "ana@acme.example"),
        ("<ana@acme.example>;", "ana@acme.example"),
        ("mailto:ana@acme.example?subject=Hi", "ana@acme.example"),
        ("Ana Berger <ana@acme.example>", "ana@acme.example"),
        ("\u200bana\u200d@acme.example\ufeff", "ana@acme.example"),
        ("ana＠acme．example", "ana@acme.example"),
        ("ＡＮＡ@acme.example", "ana@acme.example"),
        ("ana@acme.example; bob@acme.example", "ana@acme.example"),
        ("ana@acme.example/bob@acme.example", "ana@acme.example"),
        ("'ana@acme.example'", "ana@acme.example"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("用户@例え.jp", "用户@xn--r8jz45g.jp"),
        ("ana+fair@acme.example", "ana+fair@acme.example"),
        ("a.n.a@gmail.com", "a.n.a@gmail.com"),
        ("strauß@acme.example", "strauß@acme.example"),
    ],
)
def test_an_address_is_read_out_of_whatever_surrounds_it(written: str, key: str) -> None:
    address = read_email(written)
    assert isinstance(address, Email)
    assert address.key == key


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ana(at)acme.example", "there is no @"),
        ("a@b", "period"),
        ("a@@b.example", "@"),
        (" a @b.c", ""),
        ("a@b..c", "period"),
        ("ana@acme.test", "special-use"),
        ("ana@localhost", ""),
        ("x" * 65 + "@acme.example", "too long"),
        ("a@" + "b." * 130 + "example", "at most 254"),
        ("ana@[127.0.0.1]", ""),
    ],
)
def test_what_is_no_address_says_why(written: str, reason: str) -> None:
    answer = read_email(written)
    assert not isinstance(answer, Email)
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("address", "flags"),
    [
        ("ana@acme.example", ()),
        ("ana@gmail.com", ("free_mail",)),
        ("ana@mail.yahoo.co.uk", ("free_mail",)),
        ("ana@freemail.example", ("free_mail",)),
        ("x@mailinator.com", ("disposable",)),
        ("info@acme.example", ("role_address",)),
        ("sales+dach@acme.example", ("role_address",)),
        ("ana@\u0430cme.example", ("mixed_script",)),
    ],
)
def test_an_address_says_what_kind_it_is(address: str, flags: tuple[str, ...]) -> None:
    found = read_email(address)
    assert isinstance(found, Email)
    assert found.flags == flags


def test_a_lookalike_domain_is_another_person() -> None:
    latin, cyrillic = read_email("ana@acme.example"), read_email("ana@\u0430cme.example")
    assert isinstance(latin, Email)
    assert isinstance(cyrillic, Email)
    assert latin.key != cyrillic.key


def test_no_domain_is_both_free_mail_and_disposable() -> None:
    assert not is_disposable("gmail.com")
    assert not is_free_mail("mailinator.com")
    assert not is_free_mail("notgmail.com")


# --- phone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "country", "e164"),
    [
        ("+49 30 23125 117", None, "+493023125117"),
        ("030 23125 117", "DE", "+493023125117"),
        ("0049 30 23125117", "US", "+493023125117"),
        ("+49 (0)30 23125117", "DE", "+493023125117"),
        ("493023125117", None, "+493023125117"),
        ("493023125117.0", "DE", "+493023125117"),
        ("4.93023125117E+11", "DE", "+493023125117"),
        ("4,93023125117E+11", "DE", "+493023125117"),
        ("p:+493023125117", None, "+493023125117"),
        ('="+493023125117"', None, "+493023125117"),
        ("'+493023125117", None, "+493023125117"),
        ("tel: 030/23125-117", "DE", "+493023125117"),
        ("０３０　２３１２５ １１７", "DE", "+493023125117"),
        ("07700 900123", "GB", "+447700900123"),
        ("(212) 555-0123", "US", "+12125550123"),
    ],
)
def test_a_number_is_read_as_somebody_in_its_country_would_dial_it(
    written: str, country: str | None, e164: str
) -> None:
    number = read_phone(written, country)
    assert isinstance(number, Phone)
    assert number.e164 == e164


def test_an_extension_is_kept_apart() -> None:
    assert read_phone("+1 (415) 555-0100 x9", None) == Phone("+14155550100", "9", repaired=False)


@pytest.mark.parametrize(
    ("written", "country", "reason"),
    [
        ("4.93E+11", "DE", "rounded"),
        ("555-0123", "US", "not a possible"),
        ("030 23125117", None, "country"),
        ("call me", "DE", "no digits"),
        ("12", "DE", "too short"),
        ("1" * 41, "DE", "at most 40"),
        ("=1+1", "DE", "too short"),
    ],
)
def test_what_is_no_number_says_why(written: str, country: str | None, reason: str) -> None:
    answer = read_phone(written, country)
    assert not isinstance(answer, Phone)
    assert reason in answer.reason


# --- company, domain, country -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Müller & Söhne GmbH & Co. KG", "muller and sohne"),
        ("MÜLLER UND SÖHNE", "muller und sohne"),
        ("Müller and Söhne", "muller and sohne"),
        ("株式会社山田製作所", "山田製作所"),
        ("山田製作所㈱", "山田製作所"),
        ("ООО Ромашка", "ромашка"),
        ("北京科技有限公司", "北京科技"),
        ("The Boring Company", "boring company"),
        ("Boring Company, Inc.", "boring"),
        ("Acme S.p.A.", "acme"),
        ("Acme, L.L.C.", "acme"),
        ("Acme Sp. z o.o.", "acme"),
        ("Acme B.V.", "acme"),
        ("Société Générale S.A.", "societe generale"),
        ("AS Roma", "as roma"),
        ("AG", "ag"),
        ("The Company", "the company"),
        ("株式会社", "株式会社"),
        ("---", None),
    ],
)
def test_one_companys_spellings_meet_in_one_key_and_a_name_is_never_lost(name: str, key: str | None) -> None:
    assert company_key(name) == key


@given(st.text(min_size=1, max_size=60))
def test_a_company_key_is_stable(name: str) -> None:
    key = company_key(name)
    assert key is None or key == company_key(name)
    assert key is None or key == key.strip() != ""


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("shop.acme.co.uk", "acme.co.uk"),
        ("mail.acme.example", "acme.example"),
        ("www.bücher.example", "xn--bcher-kva.example"),
        ("co.uk", None),
        ("localhost", None),
        ("10.0.0.1", None),
        ("ac me.example", None),
        ("acme!.example", None),
    ],
)
def test_the_registrable_domain_is_what_a_company_owns(host: str, domain: str | None) -> None:
    assert registrable_domain(host) == domain


def test_a_website_is_read_with_and_without_a_scheme() -> None:
    for written in (
        "https://www.acme.example/de?x=1",
        "www.acme.example",
        "acme.example/about",
        "//acme.example:8080",
        "https://jo:secret@acme.example",
        "acme.example#about",
        "acme.example/@team",
    ):
        assert domain_of_website(written) == "acme.example"
    for written in ("", "our website", "http://[broken", "jo@acme.example"):
        assert domain_of_website(written) is None


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("DE", "DE"), ("de", "DE"), ("DEU", "DE"), ("Deutschland", "DE"), ("Allemagne", "DE"), ("UK", "GB"), ("usa", "US"),
        ("U.S.A.", "US"), ("日本", "JP"), ("Česko", "CZ"), ("CESKO", "CZ"), ("Magyarország", "HU"), ("Côte d’Ivoire", "CI"),
        ("Cote d'Ivoire", "CI"), ("Germany (DE)", "DE"), ("Россия", "RU"), ("Holland", "NL"), ("Türkiye", "TR"),
        ("Korea, Republic of", "KR"), ("XX", None), ("Europe", None), ("EU", None), ("", None), ("Berlin", None),
    ],
)  # fmt: skip
def test_a_country_is_known_by_any_of_its_names(written: str, code: str | None) -> None:
    assert country_code(written) == code


# --- smaller ones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "at_least", "as_range"),
    [
        ("250", 250, None), ("1,234", 1234, None), ("1.234", 1234, None), ("1 234", 1234, None), ("201-500", 201, "201-500"),
        ("51 to 200", 51, "51 to 200"), ("10,001+", 10001, "10,001+"), ("500+", 500, "500+"), ("10k", 10000, None),
        ("1-5k", 1, "1-5k"), ("< 50", 1, "< 50"), ("bis 49", 1, "bis 49"), ("1.000 - 4.999", 1000, "1.000 - 4.999"),
        ("self-employed", 1, "self-employed"),
    ],
)  # fmt: skip
def test_a_head_count_is_its_lower_bound(written: str, at_least: int, as_range: str | None) -> None:
    count = read_employees(written)
    assert count is not None
    assert (count.at_least, count.as_range) == (at_least, as_range)


@pytest.mark.parametrize("written", ["many", "", "493023125117"])
def test_what_is_no_head_count_is_none(written: str) -> None:
    assert read_employees(written) is None


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("CEO", "c_level"), ("Chief Technology Officer", "c_level"), ("Geschäftsführer", "c_level"), ("Owner", "c_level"),
        ("Product Owner", None), ("Co-Founder & CEO", "c_level"), ("VP Engineering", "vp"), ("Vice President, Sales", "vp"),
        ("Head of Operations", "director"), ("Leiter Einkauf", "director"), ("Vertriebsleiterin", "director"),
        ("Teamleiter", "manager"), ("IT Manager", "manager"), ("Assistant to the CEO", "entry"), ("Senior Engineer", "senior"),
        ("Werkstudent", "entry"), ("代表取締役社長", "c_level"), ("Engineer", None), ("C-Level", "c_level"), ("Director", "director"),
    ],
)  # fmt: skip
def test_a_title_states_a_level_or_none(title: str, level: str | None) -> None:
    assert seniority_of(title) == level
    assert level is None or level in LEVELS


@pytest.mark.parametrize(
    ("whole", "first", "last"),
    [
        ("Dr. Jan van der Berg", "Jan", "van der Berg"),
        ("van der Berg, Jan", "Jan", "van der Berg"),
        ("山田 太郎", "太郎", "山田"),
        ("Madonna", "Madonna", None),
        ("O'BRIEN, SEÁN", "SEÁN", "O'BRIEN"),
    ],
)
def test_a_whole_name_is_split_where_nothing_else_is_given(whole: str, first: str, last: str | None) -> None:
    assert split_name(whole) == (first, last)


def test_parts_join_in_the_order_of_their_script() -> None:
    assert joined_name("Ana", "Berger") == "Ana Berger"
    assert joined_name("太郎", "山田") == "山田 太郎"
    assert joined_name(None, "Berger") == "Berger"
    assert joined_name(None, None) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [("yes", True), ("On", True), ("Ja", True), ("1", True), ("TRUE", True), ("✓", True), ("I agree to the terms", True),
     ("no", False), ("FALSE", False), ("Nein", False), ("0", False), ("unsubscribed", False), ("maybe", None), ("", None)],
)  # fmt: skip
def test_yes_and_no_are_read_and_anything_else_is_neither(text: str, answer: bool | None) -> None:
    assert yes_or_no(text) is answer


@pytest.mark.parametrize(
    "text", ["n/a", "N/A", "-", "--", "none", "k.A.", "なし", "#N/A", " ", "\u200b", "NULL", "…?"[1]]
)
def test_a_placeholder_is_nothing_said(text: str) -> None:
    assert said(text) is None


@pytest.mark.parametrize("text", ["Null", "Na", "0", "O'Brien", "🙂", "X"])
def test_a_short_or_odd_value_is_still_a_value(text: str) -> None:
    assert said(text) == text


def test_hidden_marks_go_and_joiners_that_scripts_need_stay() -> None:
    assert clean("\u202eAna\u200b \u00a0 Berger\r\nx\x07") == "Ana Berger\nx"
    assert clean("می\u200cخواهم") == "می\u200cخواهم"


# --- time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-04-24T18:00:00+02:00", "2026-04-24T16:00:00"),
        ("2026-04-24T18:00:00.123Z", "2026-04-24T18:00:00"),
        ("2026-04-24 18:00", "2026-04-24T16:00:00"),
        ("2026-01-24 18:00", "2026-01-24T17:00:00"),
        ("24.04.2026, 14:05 Uhr", "2026-04-24T12:05:00"),
        ("04/24/2026 2:05 PM", "2026-04-24T12:05:00"),
        ("11/29/24 22:28", "2024-11-29T21:28:00"),
        ("Mar 22, 2025 19:13:27", "2025-03-22T18:13:27"),
        ("09/19/2026 12:00:00 AM", "2026-09-18T22:00:00"),
        ("24 avril 2026 14h05", "2026-04-24T12:05:00"),
        ("2026-04-24 14:05:00 EDT", "2026-04-24T18:05:00"),
        ("Fri, 24 Apr 2026 14:05:00 +0200", "2026-04-24T12:05:00"),
        ("2026年4月24日 14:05", "2026-04-24T12:05:00"),
        ("20260424T140500Z", "2026-04-24T14:05:00"),
        ("1777000000", "2026-04-24T03:06:40"),
        ("1777000000123", "2026-04-24T03:06:40.123"),
        ("46136.5", "2026-04-24T10:00:00"),
        ("2025-03-22T19:13:27+0000", "2025-03-22T19:13:27"),
    ],
)
def test_a_time_is_read_as_exports_write_it_in_berlin_unless_it_says_otherwise(
    written: str, utc: str
) -> None:
    when = read_when([written], zone="Europe/Berlin")
    assert when is not None
    assert when.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["yesterday", "0001-01-01", "9999-12-31", "-5", "10000", "2026-02-30", "2026-04-24 25:00", "13:05", ""],
)
def test_what_is_no_time_is_none(written: str) -> None:
    assert read_when([written], zone="UTC") is None


def test_an_ambiguous_date_is_read_only_when_something_settles_it() -> None:
    assert read_when(["03/04/2026"], zone="UTC") is None
    for day_first, month in ((True, 4), (False, 3)):
        when = read_when(["03/04/2026"], zone="UTC", day_first=day_first)
        assert when is not None
        assert when.at.month == month


def test_a_column_settles_its_own_order_unless_it_contradicts_itself() -> None:
    assert day_first_of(["03/04/2026", "25/11/2026"]) is True
    assert day_first_of(["03/04/2026", "11/25/2026"]) is False
    assert day_first_of(["03/04/2026"]) is None
    assert day_first_of(["25/11/2026", "11/25/2026"]) is None


@pytest.mark.parametrize("date_cell", ["24.04.2026", "2026-04-24 00:00:00"])
def test_a_date_and_a_time_in_two_cells_are_one_instant(date_cell: str) -> None:
    when = read_when([date_cell, "14:05"], zone="Europe/Berlin")
    assert when is not None
    assert (when.at, when.precision) == (datetime(2026, 4, 24, 12, 5, tzinfo=UTC), "minute")


def test_a_bare_date_is_noon_so_that_no_zone_moves_its_day() -> None:
    when = read_when(["2026-04-24"], zone="Asia/Tokyo")
    assert when is not None
    assert (when.at, when.precision) == (datetime(2026, 4, 24, 3, tzinfo=UTC), "date")


@given(st.integers(631_238_400, 3_786_912_000), st.integers(-56, 56))
def test_every_iso_instant_is_read_exactly_to_the_second(
    epoch_seconds: int, quarters_of_an_hour: int
) -> None:
    at = datetime.fromtimestamp(epoch_seconds, timezone(timedelta(minutes=15 * quarters_of_an_hour)))
    when = read_when([at.isoformat()], zone="Pacific/Apia")
    assert when is not None
    assert when.at == at


# --- attribution --------------------------------------------------------------------------------------------------


def test_the_body_is_believed_before_the_page_and_the_page_before_the_referrer() -> None:
    page, referrer = (
        "https://a.example/?utm_source=page&utm_medium=cpc",
        "https://b.example/?utm_source=referrer",
    )
    assert read_attribution({"utm_source": "body"}, page, referrer) == Attribution(
        {"utm_source": "body"}, {}, "body"
    )
    assert read_attribution({}, page, referrer) == Attribution(
        {"utm_source": "page", "utm_medium": "cpc"}, {}, "page_url"
    )
    assert read_attribution({}, None, referrer) == Attribution({"utm_source": "referrer"}, {}, "referrer")
    assert read_attribution({}, "http://[broken", None) == Attribution({}, {}, None)


def test_click_ids_are_kept_letter_by_letter_under_the_platforms_own_spelling() -> None:
    found = read_attribution({"GCL ID": "CjwK-AbC_x"}, "https://a.example/?ScCid=Xy&li_fat_id=Z", None)
    assert isinstance(found, Attribution)
    assert found.click_ids == {"gclid": "CjwK-AbC_x", "ScCid": "Xy", "li_fat_id": "Z"}


@pytest.mark.parametrize(
    "body", [{f"utm_x{chr(97 + n)}": "v" for n in range(21)}, {"utm_source": "v" * 2_048}]
)
def test_more_parameters_than_any_campaign_has_are_a_problem(body: dict[str, str]) -> None:
    assert isinstance(read_attribution(body, None, None), FieldProblem)

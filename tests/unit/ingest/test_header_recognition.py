"""A column or form field is known by its name; where a name means two things, its neighbours and values decide."""

import pytest

from leadpact_ingest.headers import map_headers, normalise_header, recognise


def fields(*headers: str, rows: list[list[str]] | None = None) -> list[str | None]:
    return [column.field for column in map_headers(headers, rows or []).columns]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("LinkedInURL", "linked in url"),
        ("  E-Mail\u200b* ", "e mail"),
        ("Order #", "order number"),
        ("first_name", "first name"),
        ("Company (required)", "company"),
        ("ＥＭＡＩＬ", "email"),
        ("TÉLÉPHONE", "téléphone"),
    ],
)
def test_names_are_compared_as_plain_words(header: str, words: str) -> None:
    assert normalise_header(header) == words


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("E-Mail-Adresse", "email"), ("EmailAddress", "email"), ("Email *", "email"), ("your-email", "email"),
        ("メールアドレス", "email"), ("Courriel", "email"), ("Business Email", "work_email"), ("traits.email", "email"),
        ("contact.name.first", "first_name"), ("firstName", "first_name"), ("prenom", "first_name"), ("Prénom", "first_name"),
        ("Nachname", "last_name"), ("tel-414", "phone"), ("menu-country", "country"), ("interest[]", "products"),
        ("LinkedInURL", "linkedin_url"), ("Company (as on badge)", "company"), ("company.name", "company"),
        ("Organization", "company"), ("役職", "job_title"), ("Scan-Zeitpunkt", "event_time"), ("Country/Region Name", "country"),
        ("UTM Source", "utm_source"), ("utm_source", "utm_source"), ("gcl_id", "gclid"), ("lpurl", "page_url"),
        ("Erfasst von", "captured_by"), ("leadpact_error", "ignored"), ("address.city", "city"), ("Order #", "external_id"),
    ],
)  # fmt: skip
def test_a_name_in_any_usual_language_and_spelling_is_recognised(header: str, field: str) -> None:
    assert recognise(header)[:1] == (field,)


@pytest.mark.parametrize(
    "header", ["Favourite colour", "form.name", "x", "", "Q1: How many lines?", "e" * 5_000]
)
def test_a_name_that_nobody_knows_is_left_alone(header: str) -> None:
    assert recognise(header) == ()


def test_a_near_miss_is_suggested_and_never_applied() -> None:
    column = map_headers(["Compnay name"]).columns[0]
    assert (column.field, column.suggestion) == (None, "company")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("Prénom", "Nom"), ["first_name", "last_name"]),
        (("Nom", "E-mail"), ["full_name", "email"]),
        (("Nome", "Cognome"), ["first_name", "last_name"]),
        (("Nome", "Email"), ["full_name", "email"]),
        (("Vorname", "Name"), ["first_name", "last_name"]),
        (("Name", "Surname"), ["first_name", "last_name"]),
        (("Name", "First name", "Last name"), ["full_name", "first_name", "last_name"]),
        (("Nombre", "Apellidos"), ["first_name", "last_name"]),
        (("Name", "Company"), ["full_name", "company"]),
    ],
)
def test_a_word_for_the_name_means_the_half_that_its_neighbours_leave(
    headers: tuple[str, ...], expected: list[str]
) -> None:
    assert fields(*headers) == expected


def test_a_title_whose_values_are_mr_and_dr_is_a_salutation() -> None:
    rows = [["Mr.", "a@b.example"], ["Dr", "b@b.example"], ["Ms", ""]]
    assert fields("title", "email", rows=rows) == ["salutation", "email"]
    assert fields("title", "email", rows=[["CEO", "a@b.example"]]) == ["job_title", "email"]


def test_an_attendee_is_a_person_unless_the_values_are_numbers() -> None:
    assert fields("Attendee", rows=[["Ana Berger"]]) == ["full_name"]
    assert fields("Attendee", rows=[["10023"], ["10024"]]) == ["external_id"]


def test_cep_is_a_postal_code_in_brazil_and_a_phone_in_turkey() -> None:
    assert fields("CEP", rows=[["01310-100"]]) == ["postal_code"]
    assert fields("Cep", rows=[["0532 123 45 67"]]) == ["mobile_phone"]
    assert fields("CEP") == ["postal_code"]


def test_a_departement_is_a_region_when_its_values_are() -> None:
    assert fields("Département", rows=[["75"], ["2A"], ["Rhône (69)"]]) == ["state"]
    assert fields("Département", rows=[["Achats"]]) == ["job_function"]


def test_an_ad_account_is_not_the_leads_company() -> None:
    assert fields("Account Name", "Company Name") == [None, "company"]
    assert fields("Account Name", "Email") == ["company", "email"]


def test_values_name_a_column_that_its_header_does_not() -> None:
    rows = [["ana@a.example", "+49 30 23125 117"], ["bob@b.example", ""]]
    assert fields("Kontaktweg A", "Kontaktweg B", rows=rows) == ["email", "phone"]
    assert fields("Kontaktweg A", "Email", rows=[["x@a.example", "ana@a.example"]]) == [None, "email"]


def test_two_unknown_columns_of_addresses_are_not_guessed_between() -> None:
    assert fields("A1", "A2", rows=[["ana@a.example", "boss@a.example"]]) == [None, None]


def test_a_table_without_a_way_to_reach_people_says_which_columns_it_has() -> None:
    problem = map_headers(["Company", "Colour"]).problem
    assert problem is not None
    assert '"Company", "Colour"' in problem.message
    assert map_headers(["Company", "Tel"]).problem is None


def test_the_samples_settle_the_order_of_day_and_month() -> None:
    assert (
        map_headers(["Email", "Scan time"], [["", "03/04/2026 10:00"], ["", "25/04/2026 10:00"]]).day_first
        is True
    )
    assert map_headers(["Email", "Scan time"], [["", "03/04/2026 10:00"]]).day_first is None


def test_same_named_columns_are_kept_apart_and_the_first_filled_one_counts() -> None:
    columns = map_headers(["Email", "Notes", "Notes", "", "Colour", "Colour"])
    answers = columns.answers(["a@b.example", "", "second", "loose", "red", "blue"])
    taken = answers.take("notes")
    assert taken is not None
    assert (taken.name, taken.value) == ("Notes (2)", "second")
    rest = {answer.name: answer.value for _, answer in answers.rest() if answer.name != "Email"}
    assert rest == {"column 4": "loose", "Colour": "red", "Colour (2)": "blue"}

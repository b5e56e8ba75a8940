"""Any file ends in rows or in one sentence that says why not; one bad row costs that row alone."""

import random
import zipfile
from collections.abc import Sequence
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadpact_ingest.files.limits import MAX_CELL_CHARACTERS, FileRefused
from leadpact_ingest.files.read import FileTable, read_rows
from leadpact_ingest.files.table import BadRow, FileRow, Row, SkippedRow
from leadpact_ingest.headers import map_headers
from tests.support.bad_inputs import (
    BAD_FILES,
    HEADER,
    PEOPLE_SHEET,
    BadFile,
    people,
    with_sheet_xml,
    workbook,
)


def read(content: str | bytes, name: str = "leads.csv", encoding: str | None = None) -> FileTable:
    return read_rows(content.encode() if isinstance(content, str) else content, name, encoding)


def good(rows: Sequence[FileRow]) -> list[tuple[str, ...]]:
    return [row.cells for row in rows if isinstance(row, Row)]


def bad(rows: Sequence[FileRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def skipped(rows: Sequence[FileRow]) -> list[SkippedRow]:
    return [row for row in rows if isinstance(row, SkippedRow)]


@pytest.mark.parametrize("bad_file", BAD_FILES, ids=lambda bad_file: bad_file.name)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason_and_a_way_out(bad_file: BadFile) -> None:
    with pytest.raises(FileRefused) as refused:
        list(read(bad_file.content()).rows)
    assert refused.value.refusal == bad_file.refusal
    assert bad_file.says in refused.value.what
    assert refused.value.fix.endswith(".")
    assert len(refused.value.what) < 300


def rows_or_refusal(content: bytes) -> list[FileRow] | FileRefused:
    try:
        return list(read(content).rows)
    except FileRefused as refused:
        return refused


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=600) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_end_in_rows_or_in_a_refusal(content: bytes) -> None:
    answer = rows_or_refusal(content)
    if isinstance(answer, FileRefused):
        assert answer.what
        assert answer.fix
    else:
        facts = read(content).facts
        assert {len(cells) for cells in good(answer)} <= {len(facts.columns)}
        assert len(map_headers(facts.columns, facts.samples).columns) == len(facts.columns)


def test_a_sheet_that_turns_out_damaged_when_it_is_unpacked_again_is_refused() -> None:
    content = bytearray(workbook(("Leads", PEOPLE_SHEET)))
    with zipfile.ZipFile(BytesIO(content)) as archive:
        last_byte = (
            archive.getinfo("xl/workbook.xml").header_offset - 1
        )  # of the sheet, which stands before it
    content[last_byte] ^= 1  # the archive's check lets it pass: all the bytes are there without it
    with pytest.raises(FileRefused, match="damaged"):
        list(read(bytes(content)).rows)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(min_value=0, max_value=8_000))
def test_a_workbook_with_any_bytes_in_its_middle_ends_in_rows_or_in_a_refusal(
    noise: bytes, position: int
) -> None:
    content = bytearray(workbook(("Leads", PEOPLE_SHEET)))
    content[position : position + len(noise)] = noise
    answer = rows_or_refusal(bytes(content))
    # Noise at the very beginning makes a text of it, of which no row may be good.
    assert answer.what if isinstance(answer, FileRefused) else good(answer) or position < 4


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet='ab@,";\n\r', max_size=30), min_size=1, max_size=20))
def test_whatever_the_quoting_every_line_with_a_readable_person_after_a_broken_one_is_still_read(
    lines: list[str],
) -> None:
    """The resynchronising promise: garbage before a well-formed tail does not swallow more than one row's limit of it."""
    tail = [f"p{number}@acme.example,P,Number {number},Acme" for number in range(250)]
    text = HEADER + "\n".join(lines) + "\n" + "\n".join(tail) + "\n"
    assert tuple(tail[-1].split(",")) in good(list(read(text).rows))


# --- dialects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_usual_delimiter_and_line_end_is_recognised(delimiter: str, line_end: str) -> None:
    table = read(people(3).replace(",", delimiter).replace("\n", line_end))
    assert table.facts.delimiter == delimiter
    assert len(good(list(table.rows))) == 3


def test_mixed_line_ends_are_read_as_the_lines_they_are() -> None:
    assert len(good(list(read("Email,Name\r\na@b.example,A\rb@b.example,B\nc@b.example,C").rows))) == 3


def test_the_header_decides_the_delimiter_even_when_values_hold_more_of_another() -> None:
    table = read("Email;Notes\na@b.example;one, two, three, four, five\n")
    assert table.facts.delimiter == ";"
    assert good(list(table.rows)) == [("a@b.example", "one, two, three, four, five")]


def test_a_sep_line_declares_the_delimiter_and_is_no_row() -> None:
    table = read("sep=^\nEmail^Name\na@b.example^Ana\n")
    assert (table.facts.delimiter, table.facts.header_row) == ("^", 1)
    assert good(list(table.rows)) == [("a@b.example", "Ana")]


WESTERN = "E-Mail;Vorname;Nachname;Firma\njm@a.example;Jörg;Müller;Süßwaren GmbH\nhl@b.example;Hélène;Lefèvre;Société\n"
POLISH = "E-mail;Imię;Nazwisko;Firma\np@a.example;Paweł;Wiśniewski;Żabka\nj@b.example;Jiří;Dvořák;Škoda\n"
RUSSIAN = "E-mail;Имя;Фамилия;Компания\ni@a.example;Иван;Петров;ООО Ромашка\n"
JAPANESE = (
    "メールアドレス,氏名,会社名\ny@a.example,山田太郎,株式会社山田製作所\ns@b.example,鈴木花子,テスト工業\n"
)


@pytest.mark.parametrize(
    ("text", "encoding", "guessed"),
    [
        (WESTERN, "utf-8", False),
        (WESTERN, "utf-8-sig", False),
        (WESTERN, "utf-16", False),
        (WESTERN, "utf-32", False),
        (WESTERN, "utf-16-le", True),
        (WESTERN, "utf-16-be", True),
        (WESTERN, "cp1252", True),
        (POLISH, "cp1250", True),
        (RUSSIAN, "cp1251", True),
        (JAPANESE, "cp932", True),
        (JAPANESE, "utf-16", False),
    ],
)
def test_accents_survive_every_usual_encoding_and_a_guess_is_said(
    text: str, encoding: str, guessed: bool
) -> None:
    table = read(text.encode(encoding))
    assert table.facts.encoding_guessed == guessed
    assert bool(table.facts.notes) == guessed
    delimiter = table.facts.delimiter or ""
    assert good(list(table.rows)) == [tuple(line.split(delimiter)) for line in text.splitlines()[1:]]


@pytest.mark.parametrize("encoding", [None, "cp1252"])
def test_what_is_no_text_is_refused_without_a_word_of_it(encoding: str | None) -> None:
    bytes_of_cp1252 = bytes(byte for byte in range(256) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    garbage = bytes(random.Random(1).choices(bytes_of_cp1252, k=5_000))
    with pytest.raises(FileRefused) as refused:
        read_rows(garbage, "leads.xlsx", encoding)
    assert (refused.value.what + refused.value.fix).isascii()
    assert "neither text nor a workbook" in refused.value.what


def test_a_stray_control_character_makes_no_text_unreadable() -> None:
    assert len(good(list(read("Email,Name\na@b.example,Ana\x07\x1f\nb@b.example,Ben\n").rows))) == 2


def test_a_declared_encoding_is_used_and_is_no_guess() -> None:
    table = read(JAPANESE.encode("cp932"), encoding="shift_jis")
    assert not table.facts.encoding_guessed
    assert good(list(table.rows))[0][1] == "山田太郎"


@pytest.mark.parametrize("encoding", ["utf-8", "no-such-code", "zlib", "idna"])
def test_a_declared_encoding_that_does_not_fit_is_refused(encoding: str) -> None:
    with pytest.raises(FileRefused, match="cannot be read as"):
        read(WESTERN.encode("cp1252"), encoding=encoding)


def test_a_few_old_lines_in_a_utf8_file_are_read_as_windows_1252_and_said() -> None:
    utf8 = "Email,Last name\n" + "".join(f"p{number}@a.example,Müller\n" for number in range(30))
    table = read(utf8.encode() + "old@a.example,Süß\n".encode("cp1252"))
    assert table.facts.encoding_guessed
    assert "1 of its lines" in table.facts.notes[0]
    assert {cells[1] for cells in good(list(table.rows))} == {"Müller", "Süß"}


# --- broken rows --------------------------------------------------------------------------------------------------


def test_an_unclosed_quotation_mark_costs_its_own_row_only() -> None:
    lines = people(1_000).splitlines()
    lines[7] = 'p7@acme.example,"P,Number 7,Acme GmbH'
    rows = list(read("\n".join(lines)).rows)
    assert [row.number for row in bad(rows)] == [8]
    assert "quotation mark" in bad(rows)[0].problem.message
    assert len(good(rows)) == 999


def test_an_unclosed_quotation_mark_is_found_when_a_later_row_closes_it() -> None:
    text = HEADER + 'a@b.example,"Ana,A,X\nb@b.example,Bob,B,"Beta, Inc"\nc@b.example,Cem,C,Z\n'
    rows = list(read(text).rows)
    assert [row.number for row in bad(rows)] == [2]
    assert [cells[0] for cells in good(rows)] == ["b@b.example", "c@b.example"]


def test_an_unclosed_quotation_mark_is_found_by_the_wrong_number_of_cells_it_leads_to() -> None:
    rows = list(read(HEADER + 'a@b.example,"Ana,A,X\nb@b.example,Bob,B,Y"\nc@b.example,Cem,C,Z\n').rows)
    assert [row.number for row in bad(rows)] == [2]
    assert [cells[0] for cells in good(rows)] == ["b@b.example", "c@b.example"]


def test_a_quotation_mark_that_closes_hundreds_of_rows_later_is_one_that_nobody_closed() -> None:
    between = "".join(f"p{number}@b.example,P,Q,R\n" for number in range(300))
    rows = list(read(HEADER + 'a@b.example,"Ana\n' + between + 'z@b.example,Zoe",Z,Z\n').rows)
    assert [row.number for row in bad(rows)] == [2]
    assert len(good(rows)) == 301


def test_a_quoted_cell_may_hold_delimiters_quotes_and_lines() -> None:
    rows = list(read('Email,Notes\na@b.example,"one, ""two""\nthree"\nb@b.example,x\n').rows)
    assert good(rows) == [("a@b.example", 'one, "two"\nthree'), ("b@b.example", "x")]


def test_a_row_with_too_few_or_too_many_cells_is_reported_and_not_padded() -> None:
    rows = list(read(HEADER + "a@b.example,Ana,A\nb@b.example,Bob,B,Y,extra\nc@b.example,Cem,C,Z,,\n").rows)
    assert [(row.number, row.problem.message) for row in bad(rows)] == [
        (2, "The row has 3 cells where the header has 4."),
        (3, "The row has 5 cells where the header has 4."),
    ]
    assert good(rows) == [("c@b.example", "Cem", "C", "Z")]


def test_a_row_with_nul_characters_is_reported() -> None:
    rows = list(read(HEADER + "a@b.example,A\0na,A,X\nb@b.example,Bob,B,Y\n").rows)
    assert [row.number for row in bad(rows)] == [2]
    assert "NUL" in bad(rows)[0].problem.message


@pytest.mark.parametrize("length", [MAX_CELL_CHARACTERS + 1, 131_073, 1024 * 1024 + 1, 3 * 1024 * 1024])
@pytest.mark.parametrize("quote", ["", '"'])
def test_an_overlong_cell_costs_its_row_and_not_the_file(length: int, quote: str) -> None:
    rows = list(read(HEADER + f"a@b.example,{quote}{'x' * length}{quote},A,X\nb@b.example,Bob,B,Y\n").rows)
    assert [row.number for row in bad(rows)] == [2]
    assert [cells[0] for cells in good(rows)] == ["b@b.example"]


# --- what surrounds a table ---------------------------------------------------------------------------------------


def test_titles_blank_lines_totals_and_repeated_headers_are_skipped_and_counted() -> None:
    text = (
        "Lead report 2026\n\n" + people(2) + ",,,\n" + HEADER + "c@b.example,C,C,C\nTotal,3,,\nConfidential\n"
    )
    table = read(text)
    rows = list(table.rows)
    assert table.facts.header_row == 3
    assert len(good(rows)) == 3
    assert [row.reason for row in skipped(rows)] == [
        "It is blank.",
        "It repeats the header.",
        "It is a total.",
        "It is a single line of text outside of the table.",
    ]
    assert bad(rows) == []


def test_of_several_tables_the_one_with_the_people_is_read() -> None:
    text = (
        "Attendee Report\nTopic,Webinar ID,Actual Start Time\nRobots,123,2025-03-22\n"
        "Host Details\nAttended,User Name,Email,Join Time\nYes,Host,host@acme.example,10:00\n"
        "Attendee Details\nAttended,User Name (Original Name),First Name,Last Name,Email,Country/Region Name\n"
        "Yes,Ana B,Ana,Berger,ana@a.example,Germany\nNo,Bob,Bob,--,bob@b.example,--\n"
        "Other Attended\nUser Name\nPhone caller\n"
    )
    table = read(text)
    rows = list(table.rows)
    assert table.facts.columns[-2:] == ("Email", "Country/Region Name")
    assert [cells[4] for cells in good(rows)] == ["ana@a.example", "bob@b.example"]
    assert len(skipped(rows)) == 3


@pytest.mark.parametrize(
    "company", ["Total Energies", "Summerhall", "Counting House", "Gesamtverband Textil"]
)
def test_a_company_whose_name_begins_like_a_total_is_a_row(company: str) -> None:
    rows = list(
        read(
            f"Company,Name,Phone,City\n{company},Ana,+49 30 23125117,Berlin\nTotal,1,,\nGrand total leads: 1,,,\n"
        ).rows
    )
    assert [cells[0] for cells in good(rows)] == [company]
    assert [row.reason for row in skipped(rows)] == ["It is a total.", "It is a total."]


def test_a_person_of_whom_only_the_number_was_scanned_is_a_row() -> None:
    assert len(good(list(read("Phone,Name,Company\n030 23125 117,,\n+49 30 23125118,,\n").rows))) == 2


def test_a_repeated_header_ends_another_table() -> None:
    text = "Name,Phone,Company\nAna,030 1,A\nCountry,City,Industry\nGermany,Berlin,Food\nName,Phone,Company\nBob,030 2,B\n"
    rows = list(read(text).rows)
    assert [cells[0] for cells in good(rows)] == ["Ana", "Bob"]
    assert [row.number for row in skipped(rows)] == [3, 4, 5]


def test_a_group_row_above_the_header_tells_its_twins_apart() -> None:
    table = read("Person,,Company,\nName,Email,Name,Country\nAna,ana@a.example,Acme,DE\n")
    assert table.facts.columns == ("Person › Name", "Email", "Company › Name", "Country")
    assert [column.field for column in map_headers(table.facts.columns).columns] == [
        "full_name",
        "email",
        "company",
        "country",
    ]


def test_formulas_are_read_as_the_text_they_are() -> None:
    rows = list(read("Email,Notes\na@b.example,=cmd|'/c calc'!A0\nb@b.example,-2+3\n").rows)
    assert [cells[1] for cells in good(rows)] == ["=cmd|'/c calc'!A0", "-2+3"]


# --- workbooks ----------------------------------------------------------------------------------------------------


def test_the_first_visible_sheet_is_read_and_the_others_are_named() -> None:
    content = workbook(
        ("Old", [["Email"], ["no@a.example"]]), ("Leads", PEOPLE_SHEET), ("Notes", [["x"]]), hidden=("Old",)
    )
    table = read(content, "leads.xlsx")
    assert (table.facts.sheet, table.facts.other_sheets) == ("Leads", ("Notes",))
    assert '"Notes" stayed unread' in table.facts.notes[0]
    assert good(list(table.rows)) == [("ana@acme.example", "Ana")]


def test_whole_numbers_and_dates_come_as_people_see_them() -> None:
    cells = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c><c r="B1" t="inlineStr"><is><t>Phone</t></is></c>'
        '<c r="C1" t="inlineStr"><is><t>Score</t></is></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>a@b.example</t></is></c><c r="B2"><v>493023125117</v></c>'
        '<c r="C2"><f>1+1</f><v>2.5</v></c></row>'
    )
    assert good(list(read(with_sheet_xml(cells), "a.xlsx").rows)) == [("a@b.example", "493023125117", "2.5")]


def test_an_error_cell_is_empty_and_a_formula_gives_its_last_result() -> None:
    cells = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c><c r="B1" t="inlineStr"><is><t>Name</t></is></c>'
        '<c r="C1" t="inlineStr"><is><t>City</t></is></c></row>'
        '<row r="2"><c r="A2" t="str"><f>B1</f><v>a@b.example</v></c><c r="B2" t="e"><v>#REF!</v></c>'
        '<c r="C2" t="str"><f>HYPERLINK("http://evil.example")</f><v>Berlin</v></c></row>'
    )
    assert good(list(read(with_sheet_xml(cells), "a.xlsx").rows)) == [("a@b.example", "", "Berlin")]


def test_styled_empty_cells_far_outside_do_not_refuse_a_sheet() -> None:
    cells = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Email</t></is></c><c r="XFD1" s="1"/></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>a@b.example</t></is></c></row>'
    )
    assert [cells[0] for cells in good(list(read(with_sheet_xml(cells), "a.xlsx").rows))] == ["a@b.example"]


def test_what_a_file_is_called_changes_nothing_but_a_note() -> None:
    assert read(people(1), "leads.xlsx").facts.notes == (
        "The file is named like a workbook but is delimited text; it was read as that.",
    )
    assert read(workbook(("Leads", PEOPLE_SHEET)), "leads.csv").facts.kind == "xlsx"

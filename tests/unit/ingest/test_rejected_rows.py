"""Rows that were not taken come back as a file to correct: nothing missing, nothing that runs, nothing twice."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadpact_ingest.files.read import read_rows
from leadpact_ingest.files.table import Row
from leadpact_ingest.normalise.text import clean
from leadpact_ingest.problem import FieldProblem
from leadpact_ingest.rejects import Reject, neutralised, rejects_csv

PROBLEM = FieldProblem("email", '"E-Mail" is not an e-mail address: there is no @ in it.', "Correct it.")


def written(columns: list[str], *rejects: Reject) -> bytes:
    return b"".join(rejects_csv(columns, rejects))


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_original_columns_keep_their_order_and_gain_a_reason_and_a_fix() -> None:
    rows = parsed(written(["Name", "E-Mail"], Reject(["Zoë", "zoe(at)a.example"], [PROBLEM, PROBLEM])))
    assert rows == [
        ["Name", "E-Mail", "leadpact_error", "leadpact_fix"],
        ["Zoë", "zoe(at)a.example", f"{PROBLEM.message} {PROBLEM.message}", "Correct it."],
    ]


def test_the_file_has_a_byte_order_mark_and_crlf() -> None:
    content = written(["Email"], Reject(["x"], [PROBLEM]))
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == 2


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "=cmd|'/c calc'!A0"]
)
def test_no_cell_starts_a_formula(cell: str) -> None:
    assert neutralised(cell) == "'" + cell
    row = parsed(written(["Email"], Reject([cell], [PROBLEM])))[1]
    assert row[0] == "'" + cell


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        min_size=2,
        max_size=2,
    )
)
def test_no_cell_whatever_starts_a_formula_and_reading_it_back_gives_its_text(cells: list[str]) -> None:
    content = written(
        ["Email", "Notes"],
        Reject(["a@b.example", cells[0]], [PROBLEM]),
        Reject(["c@d.example", cells[1]], [PROBLEM]),
    )
    rows = parsed(content)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in rows for cell in row)
    read_back = [row.cells[1] for row in read_rows(content, "rejects.csv").rows if isinstance(row, Row)]
    assert [clean(cell) for cell in read_back] == [clean(neutralised(cell)) for cell in cells]


def test_columns_of_an_earlier_error_file_are_replaced() -> None:
    rows = parsed(
        written(["Email", "leadpact_error", "leadpact_fix"], Reject(["x", "old", "old"], [PROBLEM]))
    )
    assert rows == [["Email", "leadpact_error", "leadpact_fix"], ["x", PROBLEM.message, PROBLEM.fix]]


def test_a_short_row_is_filled_up_so_that_the_reason_stands_in_its_column() -> None:
    assert parsed(written(["Email", "Name"], Reject(["x"], [PROBLEM])))[1] == [
        "x",
        "",
        PROBLEM.message,
        PROBLEM.fix,
    ]

"""A table of customers as spreadsheets write it: encodings, delimiters, quirks, and what is no table at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.errors import InvalidInput
from registry.i18n import has_sentence
from registry.readers.customer_table import LONGEST_FILE, MOST_ROWS, read_customer_table

ROWS = "key;name;contacts\nacme;Acmé GmbH;dpo@acme.example\n"


def refusal_of(data: bytes) -> tuple[str, int | None]:
    with pytest.raises(InvalidInput) as refused:
        read_customer_table(data)
    (problem,) = refused.value.problems
    assert problem.field == "file"
    assert has_sentence(problem.code)
    return problem.code, problem.line


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (ROWS.encode(), "UTF-8"),
        (b"\xef\xbb\xbf" + ROWS.encode(), "UTF-8"),
        (ROWS.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + ROWS.encode("utf-16-be"), "UTF-16"),
        (ROWS.encode("cp1252"), "Windows-1252"),
    ],
)
def test_the_encodings_of_spreadsheets_are_read_and_told(data: bytes, encoding: str) -> None:
    table = read_customer_table(data)
    assert (table.encoding, table.delimiter) == (encoding, "semicolon")
    assert table.rows[0].cells == {"key": "acme", "name": "Acmé GmbH", "contacts": "dpo@acme.example"}


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolon"), (",", "comma"), ("\t", "tab")])
def test_the_delimiter_is_found_by_the_headings_that_are_known(delimiter: str, word: str) -> None:
    text = delimiter.join(["Key", "Name", "Notice days"]) + "\r\n" + delimiter.join(["acme", '"Acme; Co, Ltd"', "45"])
    table = read_customer_table(text.encode())
    assert (table.delimiter, table.columns) == (word, ("key", "name", "notice_days"))
    assert table.rows[0].cells["name"] == "Acme; Co, Ltd"


def test_what_excel_adds_is_taken_off_and_a_name_with_an_apostrophe_stays() -> None:
    data = b"sep=;\r\nkey;name;language;holidays\r\n'007;'s Gravenhage BV;'=1+1;''\r\n"
    (row,) = read_customer_table(data).rows
    assert row.line == 3
    assert row.cells == {"key": "007", "name": "'s Gravenhage BV", "language": "=1+1", "holidays": "''"}


def test_a_row_is_named_by_the_line_where_it_begins() -> None:
    data = b'key;contacts\n\na;"x@a.example\ny@a.example"\n;\nb;\n'
    assert [(row.line, row.cells["key"]) for row in read_customer_table(data).rows] == [(3, "a"), (6, "b")]


def test_columns_of_no_use_are_told_and_other_names_of_a_column_are_known() -> None:
    table = read_customer_table(b"Customer key,E-mail,Turnover\nacme,a@b.example,12\n")
    assert (table.columns, table.ignored) == (("key", "contacts"), ("Turnover",))


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "table-empty", None),
        (b" \n\n", "table-empty", None),
        (b"key;name\n", "table-empty", None),
        (b",", "table-empty", None),
        (b";;;\r\n;;\r\n", "table-empty", None),
        (b"sep=;\r\n", "table-empty", None),
        (b"key;na\0me\nacme;A\n", "table-not-text", None),
        (b"PK\x03\x04\x81\x8d\x8f\x90", "table-not-text", None),
        (ROWS.encode("utf-16")[:-1], "table-not-text", None),
        (b"name;days\nAcme;3\n", "table-without-keys", 1),
        (b"key;name;KEY\na;b;c\n", "table-repeated-column", 1),
        (b"key;days;notice days\na;1;2\n", "table-repeated-column", 1),
        (b"key;name\na;b;c\n", "table-row-too-wide", 2),
        (b"key;name\na;" + b"x" * 5_001 + b"\n", "too-long", 2),
        (b"key;name\na;" + b"x" * 200_000 + b"\n", "table-broken", 2),
        (b"x" * (LONGEST_FILE + 1), "file-too-large", None),
        (b"key\n" + b"a\n" * (MOST_ROWS + 1), "table-too-long", None),
    ],
)
def test_what_is_no_such_table_is_refused_with_its_line(data: bytes, code: str, line: int | None) -> None:
    assert refusal_of(data) == (code, line)


@given(
    st.binary(max_size=400) | st.text(max_size=400).map(lambda text: ("key;name\n" + text).encode("utf-8", "replace"))
)
def test_nothing_but_a_refusal_comes_of_anything(data: bytes) -> None:
    refused: list[str] = []
    try:
        table = read_customer_table(data)
    except InvalidInput as error:
        refused = [problem.code for problem in error.problems]
    else:
        assert all(set(row.cells) == set(table.columns) for row in table.rows)
    assert all(has_sentence(code) for code in refused)

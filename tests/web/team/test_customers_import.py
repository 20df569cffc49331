"""Customers by table in the workbench: previewed, applied whole, exported; and files that mean harm."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from registry.queries.customers import shown_address
from registry.readers.customer_table import COLUMNS, read_customer_table
from registry.steps.lookup import get_publisher
from registry.tables import Address, Customer, Event
from tests.web.colleagues import ARNO, EDDA, VERA, ZOE, Colleague, Team
from tests.web.site import words_of

IMPORT = "/team/antopsis/customers/import"
EXPORT = "/team/antopsis/customers/export"
TABLE = (
    "key;name;contract_until;contacts\nbremen;Bremen Medien;;\noslo;Oslo AS;31.12.2026;dpo@oslo.example\nhanoi;;soon;\n"
)


def upload(somebody: Colleague, data: bytes | str) -> Any:
    # By hand, since the test client keeps what is longer in a file that it does not close.
    body = data.encode() if isinstance(data, str) else data
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n' + somebody.csrf_token.encode(),
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="customers.csv"\r\n\r\n' + body,
        b"--x--\r\n",
    ]
    kind = "multipart/form-data; boundary=x"
    return somebody.client.post(
        f"{IMPORT}/preview",
        base_url=somebody.base_url,
        data=b"\r\n".join(parts),
        content_type=kind,
        buffered=True,
    )


def form_of(page: str) -> dict[str, str]:
    return {name: page.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("table", "digest")}


def keys_of(team: Team) -> set[str]:
    with team.site.world.reading() as session:
        return set(session.scalars(select(Customer.key)))


def test_a_table_is_shown_first_and_then_taken_as_it_was_shown(team: Team) -> None:
    edda = team.sign_in(EDDA)
    before = team.site.snapshot()
    shown = upload(edda, TABLE)
    assert shown.status_code == 200
    assert team.site.snapshot()["customers"] == before["customers"]
    seen = words_of(shown.text)
    assert "new 1 changed 1 as on record 0 refused 1" in seen
    assert "name: Bremen Media GmbH → Bremen Medien" in seen
    assert "contract_until: “soon” is no date" in seen
    refused = edda.post(f"{IMPORT}/apply", form_of(shown.text))
    assert refused.status_code == 409
    assert "1 of the rows cannot be taken" in refused.text
    assert keys_of(team) == {"bremen", "hanoi"}
    taken = edda.post(f"{IMPORT}/apply", form_of(shown.text) | {"without_refused": "1"})
    assert taken.status_code == 303
    assert keys_of(team) == {"bremen", "hanoi", "oslo"}
    again = edda.post(f"{IMPORT}/apply", form_of(shown.text) | {"without_refused": "1"})
    assert again.status_code == 409
    assert "Something changed since this was shown" in again.text


def test_rows_can_be_pasted(light_team: Team) -> None:
    answer = light_team.sign_in(EDDA).post(f"{IMPORT}/preview", {"pasted": "key\tname\noslo\tOslo AS\n"})
    assert "parted by tab" in answer.text
    assert "Oslo AS" in answer.text


def test_the_encoding_is_told_where_it_was_guessed(light_team: Team) -> None:
    answer = upload(light_team.sign_in(EDDA), "key;name\noslo;Größe\n".encode("cp1252"))
    assert "Look at names with accents" in answer.text
    assert "Größe" in answer.text


def test_the_template_holds_the_columns(light_team: Team) -> None:
    answer = light_team.sign_in(EDDA).get(f"{IMPORT}/template.csv")
    assert answer.data.decode("utf-8-sig").strip().split(";") == list(COLUMNS)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="customers.csv"'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 300,
        b"\xff\xfe\x00",
        b"\xff\xfe" + b"\xd8\x00" * 40,
        b"key;name\n\xff\xfe\x81;x\n",
        b"key;name;key\na;b;c\n",
        b"key;name\na;" + b"x" * 300_000 + b"\n",
        b'key;name\na;"' + b"x" * 300_000,
        b"key;name\n" + b"a;b;c;d\n" * 5,
        b"key\n" + b"".join(b"k-%d\n" % n for n in range(6_000)),
        b"x" * (2 * 1024 * 1024 + 1),
        b"\n" * 100_000,
        b"PK\x03\x04" + bytes(range(256)) * 50,
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_beside_its_field(light_team: Team, data: bytes) -> None:
    answer = upload(light_team.sign_in(EDDA), data)
    assert answer.status_code == 400
    assert 'id="file-error"' in answer.text


@pytest.mark.parametrize(
    "row",
    [
        "=cmd|' /C calc'!A0;=1+1;;",
        "<script>alert(1)</script>;<img src=x>;;",
        "a;\u202eevil;;",
        "a;A;;'=HYPERLINK(1)@b.example",
        "a;" + "x" * 4_999 + ";;",
        "a;A;99999999999999999999;",
        "a;A;٢٠٢٦-٠١-٠١;",
        "a;A;;" + ";".join(["x@y.example"] * 2).replace(";", ","),
        "../../etc;A;;",
        "a;" + '"line\nbreak";;',
        "a;A;;" + "@" * 200,
    ],
)
def test_cells_that_mean_harm_are_refused_or_shown_as_text(light_team: Team, row: str) -> None:
    answer = upload(light_team.sign_in(EDDA), f"key;name;contract_until;contacts\n{row}\n")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    assert "refused 1" in words_of(answer.text)


def test_a_body_beyond_its_limit_is_refused(light_team: Team) -> None:
    assert upload(light_team.sign_in(EDDA), b"x" * (3 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize("table", ["", "nonsense", "WyJrZXkiXQ.aaaa.bbbb", "x" * 1000])
def test_what_was_not_shown_is_not_taken(light_team: Team, table: str) -> None:
    edda = light_team.sign_in(EDDA)
    answer = edda.post(f"{IMPORT}/apply", {"table": table, "digest": "x"})
    assert answer.status_code == 400
    assert keys_of(light_team) == {"bremen", "hanoi"}


def test_what_was_shown_to_another_publisher_is_not_taken(two_teams: Team) -> None:
    shown = upload(two_teams.sign_in(EDDA), "key;name\noslo;Oslo AS\n")
    fields = form_of(shown.text)
    answer = two_teams.sign_in(ZOE).post("/team/streams/customers/import/apply", fields)
    assert answer.status_code == 400
    assert "oslo" not in keys_of(two_teams)


def test_five_thousand_rows_are_shown_a_page_at_a_time_and_taken(light_team: Team) -> None:
    edda = light_team.sign_in(EDDA)
    rows = "".join(f"c-{n};Company number {n} GmbH;45;privacy@company-{n}.example\n" for n in range(5_000))
    shown = upload(edda, "key;name;notice_days;contacts\n" + rows)
    assert shown.status_code == 200
    assert len(shown.data) < 600_000
    assert shown.text.count("<tr>") == 101
    further = edda.post(f"{IMPORT}/preview", form_of(shown.text) | {"page": "2"})
    assert "c-100<" in further.text
    assert "c-99<" not in further.text
    last = edda.post(f"{IMPORT}/preview", form_of(shown.text) | {"page": "9" * 5})
    assert "c-4999<" in last.text
    assert edda.post(f"{IMPORT}/apply", form_of(further.text)).status_code == 303
    with light_team.site.world.reading() as session:
        assert session.scalar(select(func.count()).select_from(Customer)) == 5_002


def test_the_export_can_be_imported_again_and_changes_nothing(team: Team) -> None:
    arno = team.sign_in(ARNO)
    edda = team.sign_in(EDDA)
    edda.post("/team/antopsis/customers/new", {"name": "=cmd()", "key": "formula", "contacts.0.email": "a@b.example"})
    answer = arno.post(EXPORT, {"what": "customers"})
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.data.decode("utf-8-sig")
    assert "formula;'=cmd();" in text
    assert len(read_customer_table(answer.data).rows) == 3
    again = upload(edda, answer.data)
    assert "new 0 changed 0 as on record 3 refused 0" in words_of(again.text)
    with team.site.world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "customers.exported")).one()
        assert event.payload == {"what": "customers", "rows": 3}


def test_contacts_are_exported_one_a_row_for_approvers_who_proved_it_lately(light_team: Team) -> None:
    assert light_team.sign_in(EDDA).post(EXPORT, {"what": "contacts"}).status_code == 403
    stale = light_team.sign_in(ARNO, is_fresh=False)
    assert stale.post(EXPORT, {"what": "contacts"}).status_code != 200
    assert stale.get(EXPORT).status_code != 200
    text = light_team.sign_in(ARNO).post(EXPORT, {"what": "contacts"}).data.decode("utf-8-sig")
    assert "bremen;Bremen Media GmbH;email;dpo@bremen.example;;en;no;works" in text
    assert light_team.sign_in(ARNO).post(EXPORT, {"what": "secrets"}).status_code == 400
    assert light_team.sign_in(VERA).get(EXPORT).status_code == 403


def test_an_address_is_shown_as_somebody_may_see_it() -> None:
    assert shown_address("email", "dpo@bremen.example", in_full=False) == "d…@bremen.example"
    assert shown_address("email", None, in_full=True) == "erased"
    assert shown_address("slack", "https://hooks.slack.com/services/T/B/x", in_full=True) == "hooks.slack.com/…"
    assert shown_address("webhook", "https://a.example/b", in_full=True) == "https://a.example/b"
    assert shown_address("webhook", "https://a.example/b", in_full=False) == "a.example/…"


def test_an_erased_contact_gets_its_address_back_when_a_table_names_it(light_team: Team) -> None:
    world = light_team.site.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        address = session.scalars(
            select(Address).where(Address.publisher_id == publisher.id, Address.value == "dpo@bremen.example")
        ).one()
        address.value = None
    edda = light_team.sign_in(EDDA)
    shown = upload(edda, "key;name;contacts\noslo;Oslo AS;dpo@bremen.example\n")
    assert edda.post(f"{IMPORT}/apply", form_of(shown.text)).status_code == 303
    with world.reading() as session:
        assert "dpo@bremen.example" in set(session.scalars(select(Address.value)))

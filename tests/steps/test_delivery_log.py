"""What the log says of letters: which ones ended how, about which notice, and no address."""

from __future__ import annotations

import json
import logging

import pytest
from sqlalchemy import select

from registry.log_lines import JsonLines
from registry.tables import Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import DPO, announce_to, send
from tests.world import World

FOLLOWERS = ["a@one.example", "b@two.example", "c@three.example"]
REFUSED = "b@two.example"


def test_the_log_tells_of_each_letter_once_with_its_notice_and_without_an_address(
    world: World, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    number = announce_to(world, *FOLLOWERS)
    mail_server.script(REFUSED, 550, "5.1.1 no such mailbox")
    with caplog.at_level(logging.INFO, logger="registry.delivery"):
        send(world)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = [(delivery, line["state"], line["code"]) for line in lines for delivery in line["deliveries"]]
    with world.reading() as session:
        kept = [(row.id, row.state, 550 if row.state == "failed" else 250) for row in session.scalars(select(Delivery))]
    assert [state for _, state, _ in kept].count("failed") == 1
    assert sorted(told) == sorted(kept)
    assert {line["notice"] for line in lines} == {number}
    assert {line["channel"] for line in lines} == {"email"}
    assert not any(address in json.dumps(lines) for address in (*FOLLOWERS, DPO, "@"))

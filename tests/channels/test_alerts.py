"""The operators' road: what arrives, what counts as heard, and that no other side can hold it up or learn a secret."""

from __future__ import annotations

import time

import pytest

from registry.channels.alerts import AlertRoad, NotHeard
from tests.alert_receiver import DRIPS, TELLS_NOTHING, AlertReceiver, deaf_address
from tests.channels.conftest import Authority


def test_an_alert_arrives_as_json_whose_text_a_chat_room_shows() -> None:
    with AlertReceiver() as receiver:
        AlertRoad(alert_url=f"{receiver.url}/services/T0/hush").alert({"text": "Hanoi wurde nicht erreicht – 2 Tage"})
    (arrived,) = receiver.arrived
    assert (arrived.method, arrived.path) == ("POST", "/services/T0/hush")
    assert arrived.headers["Content-Type"] == "application/json"
    assert arrived.document == {"text": "Hanoi wurde nicht erreicht – 2 Tage"}


def test_a_ping_is_a_get_without_a_body() -> None:
    with AlertReceiver() as receiver:
        AlertRoad(ping_url=f"{receiver.url}/ping/hush").ping()
    (arrived,) = receiver.arrived
    assert (arrived.method, arrived.path, arrived.body) == ("GET", "/ping/hush", b"")


@pytest.mark.parametrize("status", [301, 404, 410, 429, 500])
def test_only_an_answer_of_2xx_counts_and_a_redirect_is_not_followed(status: int) -> None:
    with AlertReceiver([status]) as receiver:
        with pytest.raises(NotHeard, match=f"answered with {status}"):
            AlertRoad(alert_url=f"{receiver.url}/hush").alert({"text": "x"})
        assert len(receiver.arrived) == 1


@pytest.mark.parametrize("manner", [TELLS_NOTHING, DRIPS])
def test_a_server_that_hangs_or_drips_is_cut_off_in_time(manner: int) -> None:
    with AlertReceiver([manner]) as receiver:
        began = time.monotonic()
        with pytest.raises(NotHeard, match="no answer in the time allowed"):
            AlertRoad(ping_url=f"{receiver.url}/hush", total_seconds=0.5).ping()
        assert time.monotonic() - began < 5


def test_what_went_wrong_is_said_without_the_address_whose_path_is_a_password() -> None:
    for url in (f"{deaf_address()}/hush", "http://127.0.0.1:1/hush", "https://[::1/hush"):
        with pytest.raises(NotHeard) as missed:
            AlertRoad(alert_url=url).alert({"text": "x"})
        assert "hush" not in str(missed.value)
        assert missed.value.__cause__ is None
    assert "hush" not in repr(AlertRoad("https://hooks.example/hush", "https://ping.example/hush"))


def test_a_certificate_that_nobody_trusts_is_not_heard(authority: Authority) -> None:
    with AlertReceiver(tls=authority.server_context("IP:127.0.0.1")) as receiver:
        with pytest.raises(NotHeard, match="certificate is not trusted"):
            AlertRoad(ping_url=f"{receiver.url}/hush", total_seconds=3).ping()
        assert receiver.arrived == []


def test_an_encrypted_server_that_hangs_is_cut_off_too(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.channels.timed_http.DEFAULT_CA_BUNDLE_PATH", str(authority.certificate))
    with AlertReceiver([200, TELLS_NOTHING], tls=authority.server_context("IP:127.0.0.1")) as receiver:
        road = AlertRoad(ping_url=receiver.url, total_seconds=1)
        road.ping()
        began = time.monotonic()
        with pytest.raises(NotHeard, match="no answer in the time allowed"):
            road.ping()
        assert time.monotonic() - began < 5
        assert len(receiver.arrived) == 2


def test_where_no_address_is_set_nothing_is_heard() -> None:
    with pytest.raises(NotHeard, match="alerts"):
        AlertRoad().alert({})
    with pytest.raises(NotHeard, match="pings"):
        AlertRoad().ping()

"""Which channels an installation opens, by where its mail goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.channels.base import Channel
from registry.channels.chat import ChatChannel
from registry.channels.outbox import OutboxChannel
from registry.channels.resend import ResendChannel
from registry.channels.smtp import SmtpChannel
from registry.channels.webhook import WebhookChannel
from registry.domain.vocabulary import ChannelKind
from registry.settings import BadSettings
from registry.steps.lanes import ManyConnections
from registry.wiring import Wiring, wire
from tests.world import settings_for, utc

KINDS = {kind.value for kind in ChannelKind}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "instance"


def channels_of(folder: Path, mail_url: str, **more: str) -> dict[str, Channel]:
    wiring: Wiring = wire(settings_for(f"sqlite:///{folder.parent}/registry.db", folder, mail_url, **more))
    wiring.engine.dispose()
    channels = wiring.make_channels(lambda: utc("2026-09-30 08:00"))
    for channel in channels.values():
        channel.close()
    return channels


@pytest.mark.parametrize(
    ("mail_url", "more", "mail"),
    [
        ("smtp://127.0.0.1:2525", {}, SmtpChannel),
        ("resend://127.0.0.1:8025", {"REGISTRY_RESEND_API_KEY": "re_tests_only_1234"}, ResendChannel),
    ],
)
def test_where_mail_is_really_sent_the_web_is_posted_to(
    folder: Path, mail_url: str, more: dict[str, str], mail: type
) -> None:
    channels = channels_of(folder, mail_url, **more)
    assert set(channels) == KINDS
    assert {kind: type(channel) for kind, channel in channels.items()} == {
        "email": mail,
        "webhook": WebhookChannel,
        "slack": ChatChannel,
        "teams": ChatChannel,
    }
    assert {kind: channel.kind for kind, channel in channels.items()} == {kind: kind for kind in KINDS}
    assert all(channel.is_real for channel in channels.values())
    for kind in ("webhook", "slack", "teams"):
        assert isinstance(channels[kind], ManyConnections)


def test_where_mail_goes_to_the_outbox_everything_does(folder: Path) -> None:
    channels = channels_of(folder, "outbox:")
    assert set(channels) == KINDS
    assert {type(channel) for channel in channels.values()} == {OutboxChannel}
    assert {kind: channel.kind for kind, channel in channels.items()} == {kind: kind for kind in KINDS}
    assert not any(channel.is_real for channel in channels.values())


@pytest.mark.parametrize(
    ("mail_url", "cause"),
    [
        ("smtp://mail.example:587?starttls=maybe", "starttls in the mail URL is required, when-offered or off"),
        ("smtp://registry:hush@mail.example?colour=red", "option that is not known"),
        ("smtp://registry:hush@mail.example?starttls=off", "a password must not go to mail.example in clear"),
        ("smtps://registry:hush@mail.example?ca=/nowhere/relay.pem", "there is no such file"),
    ],
)
def test_a_mail_url_that_cannot_be_used_is_refused_before_anything_begins(
    folder: Path, mail_url: str, cause: str
) -> None:
    with pytest.raises(BadSettings, match=f"REGISTRY_MAIL_URL is .*{cause}") as refused:
        channels_of(folder, mail_url)
    assert "hush" not in str(refused.value)


def test_an_authority_that_is_no_certificate_is_told_as_a_setting(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "relay.pem").write_text("not a certificate", encoding="utf-8")
    with pytest.raises(BadSettings, match="is no readable PEM file"):
        channels_of(folder, f"smtps://registry:hush@mail.example?ca={tmp_path}/relay.pem")

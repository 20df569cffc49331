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

"""How mail leaves: the server or Resend, its key and secrets, and the sender."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.settings import BadSettings, Settings
from tests.settings.environments import SERVER, refused


def test_a_mail_server_needs_a_sender(embedded: dict[str, str]) -> None:
    (problem,) = refused({**embedded, "REGISTRY_MAIL_URL": "smtp://127.0.0.1:2525"})
    assert problem.startswith("REGISTRY_MAIL_FROM is not set")


WHSEC_OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHSEC_NEW = "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNo"


def test_resend_needs_its_key_and_a_sender(embedded: dict[str, str]) -> None:
    problems = refused({**embedded, "REGISTRY_MAIL_URL": "resend://"})
    assert [problem.split()[0] for problem in problems] == ["REGISTRY_MAIL_FROM", "REGISTRY_RESEND_API_KEY"]
    assert "Resend's dashboard" in problems[1]


def test_mail_by_resend_is_taken_with_its_key_from_a_file_and_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("re_hushhush\n")
    settings = Settings.from_env(
        {
            **SERVER,
            "REGISTRY_MAIL_URL": "resend://",
            "REGISTRY_RESEND_API_KEY_FILE": str(path),
            "REGISTRY_RESEND_WEBHOOK_SECRET": f"{WHSEC_NEW}, {WHSEC_OLD}",
            "REGISTRY_BOUNCE_ADDRESS": "bounces@antopsis.example",
        }
    )
    assert (settings.mail_url, settings.resend_api_key) == ("resend://", "re_hushhush")
    assert settings.resend_webhook_secrets == (WHSEC_NEW, WHSEC_OLD)
    assert settings.bounce_address == "bounces@antopsis.example"
    assert settings.resend_base_url is None
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("mail_url", "base_url"),
    [
        ("resend://mail.internal", "https://mail.internal"),
        ("resend://mail.internal:8443", "https://mail.internal:8443"),
        ("resend://127.0.0.1:8025", "http://127.0.0.1:8025"),
        ("smtp://127.0.0.1:25", None),
    ],
)
def test_another_host_that_speaks_resends_language_may_be_named(
    mail_url: str, base_url: str | None, embedded: dict[str, str]
) -> None:
    environ = embedded | {"REGISTRY_MAIL_URL": mail_url, "REGISTRY_MAIL_FROM": "registry@example.com"}
    assert Settings.from_env(environ | {"REGISTRY_RESEND_API_KEY": "re_hushhush"}).resend_base_url == base_url


def test_a_sender_may_be_as_long_as_leaves_room_for_followers(embedded: dict[str, str]) -> None:
    sender = "n" * 56 + "@example.com"
    assert Settings.from_env({**embedded, "REGISTRY_MAIL_FROM": sender}).mail_from == sender


@pytest.mark.parametrize("sender", ["registry@ex..ämple.com", "régistry@example.com", "a@-x", "registry@example.com."])
def test_a_sender_that_no_letter_could_carry_is_refused(sender: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"REGISTRY_MAIL_FROM is .* no letter's From could hold it"):
        Settings.from_env(
            {
                "REGISTRY_INSTANCE": str(tmp_path),
                "REGISTRY_MAIL_URL": "smtp://relay.example",
                "REGISTRY_MAIL_FROM": sender,
            }
        )

"""The value of a setting: names that are known, what is refused, the form it is brought into, and how it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry.settings import Settings, masked
from registry.settings_reading import NAMES, WITH_FILE_TWIN
from tests.settings.environments import refused


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("REGISTRY_BASEURL", "REGISTRY_BASE_URL may be meant"),
        ("REGISTRY_DATABASE_UR", "REGISTRY_DATABASE_URL may be meant"),
        ("REGISTRY_XYZ", "those known are REGISTRY_ALERT_URL, "),
        ("REGISTRY_PORT", "is not a setting"),
    ],
)
def test_an_unknown_name_is_refused_and_a_near_one_named(name: str, meant: str, embedded: dict[str, str]) -> None:
    (problem,) = refused({**embedded, name: "9000"})
    assert problem.startswith(f"{name} is not a setting")
    assert meant in problem
    assert "9000" not in problem


def test_names_that_others_set_below_the_prefix_are_left_alone(embedded: dict[str, str]) -> None:
    others = {
        "REGISTRY_TEST_DATABASE_URL": "postgresql://127.0.0.1/test",
        "REGISTRY_SERVICE_HOST": "10.0.0.7",
        "REGISTRY_SERVICE_PORT_HTTP": "8000",
        "REGISTRY_PORT": "tcp://10.0.0.7:8000",
        "REGISTRY_PORT_8000_TCP_ADDR": "10.0.0.7",
        "OTHER_BASE_URL": "not for us",
    }
    assert Settings.from_env({**embedded, **others}) == Settings.from_env(embedded)


def test_an_empty_value_counts_as_not_set(embedded: dict[str, str]) -> None:
    assert Settings.from_env({**embedded, "REGISTRY_BASE_URL": " ", "REGISTRY_ALERT_URL": ""}) == Settings.from_env(
        embedded
    )


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("ENV", "prod", "development, production, test"),
        ("BASE_URL", "subprocessors.example", "not a web address"),
        ("BASE_URL", "ftp://subprocessors.example", "not a web address"),
        ("BASE_URL", "https://subprocessors.example:99999", "not a web address"),
        ("BASE_URL", "https://[::1", "not a web address"),
        ("BASE_URL", "https://example.com/subprocessors", "root of its host"),
        ("BASE_URL", "https://example.com?x=1", "root of its host"),
        ("BASE_URL", "https://bü..example", "no name that links can lead to"),
        ("BASE_URL", "https://a,b.example", "no name that links can lead to"),
        ("MAIL_URL", "resend://re_hush", "the key does not stand here"),
        ("MAIL_URL", "resend:", "the key does not stand here"),
        ("MAIL_URL", "smtp://", "not the address of a mail server"),
        ("MAIL_URL", "smtp://registry:hu#sh@mail.example", "not the address of a mail server"),
        ("MAIL_URL", "mail.example:25", "not the address of a mail server"),
        ("MAIL_FROM", "registry", "not one e-mail address"),
        ("MAIL_FROM", "a@example.com, b@example.com", "not one e-mail address"),
        ("MAIL_FROM", "Antopsis <a@example.com>", "only the bare address stands here; write a@example.com"),
        ("MAIL_FROM", "a@example.com\nBcc: b@example.com", "not one e-mail address"),
        ("MAIL_FROM", "n" * 57 + "@example.com", "+updates before the @"),
        ("MAIL_FROM", f"nnn@{'d.' * 119}example", "+updates before the @"),
        ("LIMITER_URL", "redis", "not the address of a store"),
        ("TRUSTED_PROXIES", "-1", "0 to 9"),
        ("TRUSTED_PROXIES", "²", "0 to 9"),
        ("MAIL_ONLY_TO", "me@example.com, bob", "'bob' names nobody"),
        ("MAIL_ONLY_TO", ",", "names nobody"),
        ("ALLOW_TIME_TRAVEL", "maybe", "use 1 or 0"),
        ("ALERT_URL", "hooks.example/hush", "not a web address"),
        ("PING_URL", "ftp://hooks.example/hush", "not a web address"),
        ("SENDER_DOMAINS", "antopsis.example, nobody", "'nobody' names no domain"),
        ("SENDER_DOMAINS", ",", "it names no domain"),
        ("BOUNCE_ADDRESS", "bounces", "not one bare e-mail address"),
        ("BOUNCE_ADDRESS", "b\u00fcnces@example.com", "not one bare e-mail address"),
        ("BOUNCE_ADDRESS", "Bounces <bounces@example.com>", "not one bare e-mail address"),
        ("BOUNCE_ADDRESS", "undeliverable-letters@example.com", "leave room for a letter's name"),
        ("RESEND_API_KEY", "re_ hush", "this is no key"),
        ("RESEND_WEBHOOK_SECRET", "whsec_hush", "no signing secret"),
        ("RESEND_WEBHOOK_SECRET", "aHVzaGh1c2hodXNoaHVzaGh1c2g=", "no signing secret"),
        ("RESEND_WEBHOOK_SECRET", ",", "no signing secret"),
        ("METRICS_TOKEN", "hush", "16 characters or more"),
        ("OIDC_ISSUER", "accounts.google.com", "not the address of an issuer"),
        ("OIDC_ISSUER", "http://id.example", "encrypted connection"),
        ("OIDC_ISSUER", "https://id.example/?tenant=1", "not the address of an issuer"),
        ("OIDC_NAME", "Antopsis ID", "no sign-in that it could name"),
        ("OIDC_NAME", "A" * 41, "room for 40 characters"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(name: str, value: str, cause: str, embedded: dict[str, str]) -> None:
    (problem,) = refused({**embedded, f"REGISTRY_{name}": value})
    assert problem.startswith(f"REGISTRY_{name} is ")
    assert cause in problem
    assert "hush" not in problem
    assert "hu#sh" not in problem


def test_all_that_is_wrong_is_said_at_once(embedded: dict[str, str]) -> None:
    problems = refused(
        {
            **embedded,
            "REGISTRY_ENV": "production",
            "REGISTRY_TRUSTED_PROXIES": "many",
            "REGISTRY_BASE": "https://x.example",
        }
    )
    assert [problem.split()[0].removeprefix("REGISTRY_") for problem in problems] == [
        "BASE",
        "TRUSTED_PROXIES",
        "SECRET_KEY",
        "BASE_URL",
        "MAIL_URL",
    ]


def test_values_are_brought_into_one_form(embedded: dict[str, str]) -> None:
    settings = Settings.from_env(
        {
            **embedded,
            "REGISTRY_BASE_URL": "https://Subprocessors.Example:8443/",
            "REGISTRY_MAIL_ONLY_TO": " Me@Example.com ,@example.org,@Bücher.example,",
            "REGISTRY_TRUSTED_PROXIES": "2",
            "REGISTRY_ALERT_URL": "https://hooks.example/T0/hush",
            "REGISTRY_PING_URL": "https://ping.example/hush",
            "REGISTRY_METRICS_TOKEN": "hush-hush-hush-hush",
        }
    )
    assert settings.base_url == "https://subprocessors.example:8443"
    assert settings.mail_only_to == ("me@example.com", "@example.org", "@xn--bcher-kva.example")
    assert settings.trusted_proxies == 2
    assert settings.alert_url == "https://hooks.example/T0/hush"
    assert settings.ping_url == "https://ping.example/hush"
    assert settings.metrics_token == "hush-hush-hush-hush"
    assert "hush" not in repr(settings)


def test_international_domains_are_brought_into_their_form_in_ascii(embedded: dict[str, str]) -> None:
    settings = Settings.from_env(
        {
            **embedded,
            "REGISTRY_BASE_URL": "https://B\u00fccher.example:8443",
            "REGISTRY_MAIL_FROM": "Notices@b\u00fccher.example",
            "REGISTRY_BOUNCE_ADDRESS": "bounces@b\u00fccher.example",
            "REGISTRY_SENDER_DOMAINS": "stra\u00dfe.example, xn--bcher-kva.example",
        }
    )
    assert settings.base_url == "https://xn--bcher-kva.example:8443"
    assert settings.mail_from == "Notices@xn--bcher-kva.example"
    assert settings.bounce_address == "bounces@xn--bcher-kva.example"
    assert settings.sender_domains == {"xn--strae-oqa.example", "xn--bcher-kva.example"}


@pytest.mark.parametrize(
    "url",
    [
        *("http://[::1]:8000", "http://127.0.0.1:8000", "http://localhost", "https://a_b.example"),
        # What the installation is bound to, letter for letter: dispatch pauses where it differs.
        *("https://example.com:", "https://example.com:0443", "https://xn--bcher-kva.example"),
    ],
)
def test_a_host_in_ascii_stays_as_it_is(url: str, embedded: dict[str, str]) -> None:
    assert Settings.from_env({**embedded, "REGISTRY_BASE_URL": url}).base_url == url


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DATABASE_URL", "postgresql://u:p@ss/w?rd@db.example/r?password=x", "'postgresql://***@db.example/r?***'"),
        ("DATABASE_URL", "u:p@db.example", "*** (length 14)"),
        ("MAIL_URL", "outbox:", "'outbox:'"),
        ("MAIL_URL", "smtp://127.0.0.1:25", "'smtp://127.0.0.1:25'"),
        ("MAIL_URL", "resend://re_key", "*** (length 15)"),
        ("MAIL_URL", "resend://", "'resend://'"),
        ("MAIL_URL", "resend://127.0.0.1:8025", "'resend://127.0.0.1:8025'"),
        ("PING_URL", "https://ping.example/B", "'https://ping.example/***'"),
        ("RESEND_API_KEY", "re_key", "*** (length 6)"),
        ("RESEND_WEBHOOK_SECRET", "whsec_x", "*** (length 7)"),
        ("METRICS_TOKEN", "abc", "*** (length 3)"),
        ("OIDC_CLIENT_SECRET", "abc", "*** (length 3)"),
        ("BOUNCE_ADDRESS", "bounces@example.com", "'bounces@example.com'"),
        ("SECRET_KEY", "abc", "*** (length 3)"),
        ("ALERT_URL", "https://u:p@hooks.example/T/B", "'https://hooks.example/***'"),
        ("BASE_URL", "https://u:p@example.com", "'https://***@example.com'"),
        ("ENV", "prod", "'prod'"),
    ],
)
def test_a_value_is_shown_without_what_may_be_secret(name: str, value: str, shown: str) -> None:
    assert masked(name, value) == shown


def test_every_setting_is_documented_and_no_other() -> None:
    document = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `REGISTRY_([A-Z_]+)` \|", document, re.MULTILINE))
    assert documented == {name for name in NAMES if not name.endswith("_FILE")}
    twins = set(re.findall(r"`([A-Z_]+)`", document.partition("`_FILE` twin")[2].partition("| Variable |")[0]))
    assert twins == set(WITH_FILE_TWIN)

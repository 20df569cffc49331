"""The settings: what is taken, what is refused, and that a refusal says what would do without telling a secret."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.settings import DEFAULT_INSTANCE, BadSettings, Settings, UnsafeSettings, masked
from registry.settings_reading import NAMES, WITH_FILE_TWIN

STRONG_KEY = "kN3vXw8_0pQzR5tYbL2mHc7JdFg4Se6A"
SERVER = {
    "REGISTRY_DATABASE_URL": "postgresql://registry:hush@db.example/registry",
    "REGISTRY_SECRET_KEY": STRONG_KEY,
    "REGISTRY_BASE_URL": "https://subprocessors.antopsis.example",
    "REGISTRY_MAIL_URL": "smtp://registry:hush@mail.example:587",
    "REGISTRY_MAIL_FROM": "privacy@antopsis.example",
}


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    """The environment of an instance on the embedded database."""
    return {"REGISTRY_INSTANCE": str(tmp_path / "instance")}


def refused(environ: dict[str, str], kind: type[BadSettings] = BadSettings) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        Settings.from_env(environ)
    assert type(caught.value) is kind
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def test_the_embedded_default_needs_nothing_but_a_folder(embedded: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_env(embedded)
    assert settings.instance == tmp_path / "instance"
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/registry.db"
    assert settings.uses_sqlite
    assert not settings.is_production
    assert (settings.environment, settings.base_url) == ("development", "http://127.0.0.1:8000")
    assert (settings.mail_url, settings.mail_from) == ("outbox:", "registry@localhost")
    assert (settings.limiter_url, settings.trusted_proxies, settings.mail_only_to) == ("memory://", 0, ())
    assert settings.allow_time_travel is False
    assert (settings.alert_url, settings.ping_url, settings.metrics_token) == (None, None, None)
    assert (settings.bounce_address, settings.resend_api_key, settings.resend_webhook_secrets) == (None, None, ())


def test_the_default_instance_is_the_folder_of_the_checkout() -> None:
    settings = Settings.from_env({"REGISTRY_SECRET_KEY": STRONG_KEY})
    assert settings.instance == DEFAULT_INSTANCE == Path(__file__).parent.parent / "instance"


def test_without_an_argument_the_environment_of_the_process_is_read(
    embedded: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**embedded, "REGISTRY_TRUSTED_PROXIES": "3"}.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_env().trusted_proxies == 3


def test_a_secret_key_is_made_once_and_only_its_owner_may_read_it(embedded: dict[str, str], tmp_path: Path) -> None:
    first, second = Settings.from_env(embedded), Settings.from_env(embedded)
    path = tmp_path / "instance" / "secret_key"
    assert first.secret_key == second.secret_key == path.read_text().strip()
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_together_agree_on_one_secret_key(embedded: dict[str, str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = {settings.secret_key for settings in pool.map(Settings.from_env, [embedded] * 64)}
    assert len(keys) == 1


def test_two_instances_have_two_secret_keys(tmp_path: Path) -> None:
    keys = {Settings.from_env({"REGISTRY_INSTANCE": str(tmp_path / name)}).secret_key for name in ("one", "two")}
    assert len(keys) == 2


def test_a_secret_key_cut_short_is_refused_and_not_overwritten(embedded: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret_key"
    path.parent.mkdir()
    path.write_text("short\n")
    (problem,) = refused(embedded)
    assert str(path) in problem
    assert "remove the file" in problem
    assert path.read_text() == "short\n"


def test_no_secret_key_is_made_where_the_settings_are_refused(embedded: dict[str, str], tmp_path: Path) -> None:
    refused({**embedded, "REGISTRY_TRUSTED_PROXIES": "many"})
    assert not (tmp_path / "instance").exists()


def test_an_instance_folder_that_cannot_be_made_is_a_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = refused({"REGISTRY_INSTANCE": str(tmp_path / "file")})
    assert "not a folder" in problem
    (problem,) = refused({"REGISTRY_INSTANCE": str(tmp_path / "file" / "instance")})
    assert "cannot be made or read" in problem
    assert "REGISTRY_SECRET_KEY" in problem


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_always_reached_by_psycopg_3(scheme: str) -> None:
    url = SERVER["REGISTRY_DATABASE_URL"].replace("postgresql", scheme, 1)
    settings = Settings.from_env({**SERVER, "REGISTRY_DATABASE_URL": url})
    assert settings.database_url == "postgresql+psycopg://registry:hush@db.example/registry"
    assert not settings.uses_sqlite


def test_a_relative_sqlite_file_lies_in_the_instance_folder(embedded: dict[str, str], tmp_path: Path) -> None:
    settings = Settings.from_env({**embedded, "REGISTRY_DATABASE_URL": "sqlite:///list.db"})
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/list.db"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://root:hush@db.example/registry", "PostgreSQL by psycopg 3"),
        ("postgresql+psycopg2://u:hush@db.example/registry", "PostgreSQL by psycopg 3"),
        ("postgresql://u:hush@db.example", "names no database"),
        ("postgresql://u:hush@db.example:x/registry", "not a database address"),
        ("hush", "not a database address"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused(url: str, cause: str) -> None:
    (problem,) = refused({**SERVER, "REGISTRY_DATABASE_URL": url})
    assert problem.startswith("REGISTRY_DATABASE_URL is ")
    assert cause in problem
    assert "hush" not in problem


def test_a_database_server_without_the_rest_refuses_to_start_and_says_how_to_mend_it() -> None:
    problems = refused({"REGISTRY_DATABASE_URL": SERVER["REGISTRY_DATABASE_URL"]}, UnsafeSettings)
    assert [problem.split()[0] for problem in problems] == [
        "REGISTRY_SECRET_KEY",
        "REGISTRY_BASE_URL",
        "REGISTRY_MAIL_URL",
    ]
    assert all("is not set: on a database server" in problem for problem in problems)
    assert "python3 -c" in problems[0]
    assert "https://" in problems[1]
    assert "smtp://" in problems[2]


def test_production_on_the_embedded_database_asks_for_the_same(embedded: dict[str, str], tmp_path: Path) -> None:
    problems = refused({**embedded, "REGISTRY_ENV": "production"}, UnsafeSettings)
    assert len(problems) == 3
    assert all("with REGISTRY_ENV=production" in problem for problem in problems)
    assert not (tmp_path / "instance").exists()


def test_a_server_with_everything_set_is_taken() -> None:
    settings = Settings.from_env({**SERVER, "REGISTRY_ENV": "production"})
    assert settings.is_production
    assert settings.secret_key == STRONG_KEY
    assert settings.mail_from == "privacy@antopsis.example"


@pytest.mark.parametrize("key", ["short", "ab" * 40, "change-me-0123456789-abcdefghijklmnop", STRONG_KEY[:31]])
def test_a_key_that_can_be_guessed_is_refused_on_a_server(key: str) -> None:
    (problem,) = refused({**SERVER, "REGISTRY_SECRET_KEY": key}, UnsafeSettings)
    assert problem.startswith("REGISTRY_SECRET_KEY is ***")
    assert "can be guessed" in problem
    assert key not in problem


def test_an_address_without_encryption_is_refused_on_a_server() -> None:
    (problem,) = refused({**SERVER, "REGISTRY_BASE_URL": "http://localhost:8000"}, UnsafeSettings)
    assert problem.startswith("REGISTRY_BASE_URL is 'http://localhost:8000'")


def test_an_outbox_is_refused_on_a_server_even_when_asked_for() -> None:
    (problem,) = refused({**SERVER, "REGISTRY_MAIL_URL": "outbox:"}, UnsafeSettings)
    assert problem.startswith("REGISTRY_MAIL_URL is 'outbox:'")


def test_the_test_environment_may_use_a_database_server_as_it_is(embedded: dict[str, str]) -> None:
    url = SERVER["REGISTRY_DATABASE_URL"]
    settings = Settings.from_env({**embedded, "REGISTRY_ENV": "test", "REGISTRY_DATABASE_URL": url})
    assert settings.environment == "test"
    assert settings.mail_url == "outbox:"


def test_time_travel_is_for_anywhere_but_production(embedded: dict[str, str]) -> None:
    assert Settings.from_env({**embedded, "REGISTRY_ALLOW_TIME_TRAVEL": "1"}).allow_time_travel is True
    environ = {**SERVER, "REGISTRY_ENV": "production", "REGISTRY_ALLOW_TIME_TRAVEL": "yes"}
    (problem,) = refused(environ, UnsafeSettings)
    assert "no evidence" in problem


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    environ = dict(SERVER)
    for name in ("REGISTRY_DATABASE_URL", "REGISTRY_SECRET_KEY", "REGISTRY_MAIL_URL"):
        path = tmp_path / name
        path.write_text(environ.pop(name) + "\n")
        environ[f"{name}_FILE"] = str(path)
    assert Settings.from_env(environ) == Settings.from_env(SERVER)


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(STRONG_KEY)
    (problem,) = refused({**SERVER, "REGISTRY_SECRET_KEY_FILE": str(path)})
    assert problem.startswith("REGISTRY_SECRET_KEY is ***")
    assert "REGISTRY_SECRET_KEY_FILE is set too" in problem


@pytest.mark.parametrize(("content", "cause"), [(None, "No such file"), (b" \n", "empty"), (b"\xff\xfe", "not text")])
def test_a_secret_file_that_cannot_be_used_is_refused(content: bytes | None, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    environ = {**SERVER, "REGISTRY_SECRET_KEY": "", "REGISTRY_SECRET_KEY_FILE": str(path)}
    (problem,) = refused(environ)
    assert problem.startswith(f"REGISTRY_SECRET_KEY_FILE is '{path}'")
    assert cause in problem


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


COMPANY = {
    "REGISTRY_OIDC_ISSUER": "https://accounts.google.com",
    "REGISTRY_OIDC_CLIENT_ID": "registry.apps.example",
    "REGISTRY_OIDC_CLIENT_SECRET": "hush-hush",
}


def test_the_sign_in_of_a_company_needs_issuer_client_id_and_secret(embedded: dict[str, str], tmp_path: Path) -> None:
    assert Settings.from_env(embedded).company_sign_in is None
    for name in COMPANY:
        alone = {**embedded, name: COMPANY[name]}
        missing = sorted(problem.split()[0] for problem in refused(alone))
        assert missing == sorted(other for other in COMPANY if other != name)
    path = tmp_path / "secret"
    path.write_text("hush-hush\n")
    in_file = {**COMPANY, "REGISTRY_OIDC_CLIENT_SECRET_FILE": str(path)}
    del in_file["REGISTRY_OIDC_CLIENT_SECRET"]
    settings = Settings.from_env({**embedded, **in_file})
    assert settings.company_sign_in == Settings.from_env({**embedded, **COMPANY}).company_sign_in
    assert settings.company_sign_in is not None
    assert settings.company_sign_in.client_secret == "hush-hush"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("issuer", "name", "shown", "asked"),
    [
        ("https://accounts.google.com", None, "Google", "https://accounts.google.com"),
        ("https://id.antopsis.example/", None, "id.antopsis.example", "https://id.antopsis.example"),
        ("https://id.example/t1/v2.0", "Antopsis ID", "Antopsis ID", "https://id.example/t1/v2.0"),
        ("https://id.example/.well-known/openid-configuration", None, "id.example", "https://id.example"),
        ("http://127.0.0.1:9000", None, "127.0.0.1", "http://127.0.0.1:9000"),
    ],
)
def test_an_issuer_is_named_as_people_know_it(
    issuer: str, name: str | None, shown: str, asked: str, embedded: dict[str, str]
) -> None:
    environ = {**embedded, **COMPANY, "REGISTRY_OIDC_ISSUER": issuer}
    company = Settings.from_env(environ | ({"REGISTRY_OIDC_NAME": name} if name else {})).company_sign_in
    assert company is not None
    assert company.name == shown
    assert company.discovery_url == f"{asked}/.well-known/openid-configuration"


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


def test_a_sender_may_be_as_long_as_leaves_room_for_followers(embedded: dict[str, str]) -> None:
    sender = "n" * 56 + "@example.com"
    assert Settings.from_env({**embedded, "REGISTRY_MAIL_FROM": sender}).mail_from == sender


def test_the_representation_of_settings_holds_no_secret() -> None:
    environ = {
        **SERVER,
        "REGISTRY_LIMITER_URL": "redis://:hush@cache.example",
        "REGISTRY_ALERT_URL": "https://hooks.example/hush",
    }
    settings = Settings.from_env(environ)
    assert "subprocessors.antopsis.example" in repr(settings)
    assert "hush" not in repr(settings)
    assert STRONG_KEY not in repr(settings)


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
    document = (Path(__file__).parent.parent / "docs" / "deploying.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `REGISTRY_([A-Z_]+)` \|", document, re.MULTILINE))
    assert documented == {name for name in NAMES if not name.endswith("_FILE")}
    twins = set(re.findall(r"`([A-Z_]+)`", document.partition("`_FILE` twin")[2].partition("| Variable |")[0]))
    assert twins == set(WITH_FILE_TWIN)


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

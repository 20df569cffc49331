"""The mail URL: what it may say, and the sentence for whoever wrote it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.channels.smtp import Security, SmtpAddress, SmtpChannel, parse_mail_url


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtp://mail.example", "mail.example", 587, Security.REQUIRED),
        ("smtp://mail.example:2525/", "mail.example", 2525, Security.REQUIRED),
        ("smtps://mail.example", "mail.example", 465, Security.FROM_THE_START),
        ("SMTPS://Mail.Example:8465", "mail.example", 8465, Security.FROM_THE_START),
        ("smtp://localhost:25", "localhost", 25, Security.WHEN_OFFERED),
        ("smtp://127.0.0.9:25", "127.0.0.9", 25, Security.WHEN_OFFERED),
        ("smtp://[::1]:25", "::1", 25, Security.WHEN_OFFERED),
        ("smtp://localhost?starttls=required", "localhost", 587, Security.REQUIRED),
        ("smtp://mail.example?starttls=when-offered", "mail.example", 587, Security.WHEN_OFFERED),
        ("smtp://mailpit:1025?starttls=off", "mailpit", 1025, Security.OFF),
        ("smtp://bücher.example", "xn--bcher-kva.example", 587, Security.REQUIRED),
        ("smtp://straße.example", "xn--strae-oqa.example", 587, Security.REQUIRED),
    ],
)
def test_a_mail_url_says_where_and_how(url: str, host: str, port: int, security: Security) -> None:
    assert parse_mail_url(url) == SmtpAddress(host, port, security)


def test_user_and_password_are_percent_decoded() -> None:
    address = parse_mail_url("smtp://notices%40antopsis.example:p%23%2F%3F%3A%40%25%C3%A4@mail.example:587")
    assert address.username == "notices@antopsis.example"
    assert address.password == "p#/?:@%ä"


def test_an_unescaped_at_sign_or_colon_in_the_password_is_understood() -> None:
    address = parse_mail_url("smtps://user:pa:ss@word@mail.example")
    assert (address.username, address.password, address.host) == ("user", "pa:ss@word", "mail.example")


def test_options_name_an_authority_and_the_greeting(tmp_path: Path) -> None:
    pem = tmp_path / "relay.pem"
    pem.write_text("")
    address = parse_mail_url(f"smtp://mail.example?ca={pem}&ehlo=registry.antopsis.example")
    assert address.certificate_authority == pem
    assert address.ehlo_name == "registry.antopsis.example"
    assert parse_mail_url("smtp://mail.example?ehlo=[192.0.2.1]").ehlo_name == "[192.0.2.1]"


def test_options_say_how_many_connections_and_letters_there_may_be() -> None:
    address = parse_mail_url("smtp://mail.example?connections=8&in-all=12&rate=12.5&letters=200&pipelining=off")
    assert (address.connections, address.connections_in_all, address.rate_per_second) == (8, 12, 12.5)
    assert (address.letters_per_connection, address.may_pipeline) == (200, False)
    assert parse_mail_url("smtps://mail.example?connections=50&rate=0.5").rate_per_second == 0.5
    assert parse_mail_url("smtp://mail.example?pipelining=when-offered").may_pipeline


def test_without_options_a_worker_has_one_connection_and_no_rate() -> None:
    address = parse_mail_url("smtp://mail.example")
    assert (address.connections, address.connections_in_all, address.rate_per_second) == (1, None, None)
    assert (address.letters_per_connection, address.may_pipeline) == (1_000, True)


def test_the_password_shows_in_no_text_of_the_address() -> None:
    address = parse_mail_url("smtp://user:hunter2@mail.example")
    assert "hunter2" not in repr(address)
    assert str(address) == "mail.example:587"
    assert str(parse_mail_url("smtp://[2001:db8::1]:25")) == "[2001:db8::1]:25"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("mail.example:587", "must begin with smtp:// "),
        ("outbox:", "must begin with smtp:// "),
        ("http://mail.example", "must begin with smtp:// "),
        ("smtp://", "names no host"),
        ("smtp://user:secret@", "names no host"),
        ("smtp://mail.example:port", "percent-encode"),
        ("smtp://mail.example:99999", "percent-encode"),
        ("smtp://mail.example:0", "write 587"),
        ("smtp://[::1", "percent-encode"),
        ("smtp://[::zz]", "percent-encode|no host name"),
        ("smtp://mail..example", "no host name"),
        ("smtp://mail example", "no host name"),
        (f"smtp://{'a' * 64}.example", "no host name"),
        ("smtp://user@mail.example", "half a sign-in"),
        ("smtp://user:@mail.example", "half a sign-in"),
        ("smtp://:secret@mail.example", "half a sign-in"),
        ("smtp://user:%ff@mail.example", "written %25"),
        ("smtp://user:a%00secret@mail.example", "zero byte"),
        ("smtp://user:12#secret@mail.example:587", "# as %23"),
        ("smtp://user:12/secret@mail.example:587", "/ as %2F"),
        ("smtp://user:se#secret@mail.example:587", "percent-encode"),
        ("smtp://user:12?secret@mail.example:587", "%3F"),
        ("smtp://mail.example/inbox", "must end after the port"),
        ("smtp://mail.example?tls=yes", "starttls, ca, ehlo"),
        ("smtp://mail.example?starttls=off&starttls=off", "starttls twice"),
        ("smtp://mail.example?starttls=maybe", "required, when-offered or off"),
        ("smtps://mail.example?starttls=off", "leave out starttls"),
        ("smtp://user:secret@mail.example?starttls=off", "leave out starttls=off or use smtps://"),
        ("smtp://mail.example?ca=relay.pem", "whole path"),
        ("smtp://mail.example?ca=/nowhere/relay.pem", "no such file"),
        ("smtp://mail.example?connections=0", "whole number from 1 to 50"),
        ("smtp://mail.example?in-all=0", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=51", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=-1", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=four", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=%D9%A4", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=", "whole number from 1 to 50"),
        ("smtp://mail.example?connections=2&connections=3", "connections twice"),
        ("smtp://mail.example?letters=100001", "whole number from 1 to 100000"),
        ("smtp://mail.example?rate=0", "more than 0"),
        ("smtp://mail.example?rate=-5", "more than 0"),
        ("smtp://mail.example?rate=nan", "more than 0"),
        ("smtp://mail.example?rate=1e9", "more than 0"),
        ("smtp://mail.example?rate=10/s", "more than 0"),
        ("smtp://mail.example?pipelining=on", "when-offered or off"),
        ("smtp://mail.example?ehlo=two%20words", "ehlo in the mail URL must be"),
        ("smtp://mail.example?ehlo=a%0D%0AMAIL", "ehlo in the mail URL must be"),
    ],
)
def test_a_mail_url_that_cannot_be_used_is_refused_with_the_remedy_and_without_the_password(
    url: str, remedy: str
) -> None:
    with pytest.raises(ValueError, match=remedy) as refusal:
        parse_mail_url(url)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_password_may_go_in_clear_to_this_machine_only() -> None:
    address = parse_mail_url("smtp://user:secret@127.0.0.1:25?starttls=off")
    assert (address.password, address.security) == ("secret", Security.OFF)


def test_an_authority_that_is_no_certificate_is_refused_when_the_channel_is_made(tmp_path: Path) -> None:
    pem = tmp_path / "relay.pem"
    pem.write_text("not a certificate")
    address = parse_mail_url(f"smtps://mail.example?ca={pem}")
    with pytest.raises(ValueError, match=r"relay\.pem is no readable PEM file"):
        SmtpChannel(address)

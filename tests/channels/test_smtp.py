"""The SMTP channel with a mail server that behaves: letters arrive as they were, encrypted, over one connection."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from registry.channels.base import Accepted, Channel, PermanentFailure, TemporaryFailure
from tests.channels.conftest import Authority, ChannelMaker, EnvelopeMaker
from tests.channels.smtp_server import MailServer, ReceivedMessage

# The test server asks for a password in clear on purpose, and smtps looks like clear to it: its TLS is outside of it.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


@pytest.fixture(params=[False, True], ids=["in-turn", "together"])
def pipelining(request: pytest.FixtureRequest) -> bool:
    """Whether the server takes several commands at once (RFC 2920)."""
    return bool(request.param)


CREDENTIALS = ("notices@antopsis.example", "pass wörd:/#?@%")


@pytest.mark.parametrize(
    "return_path",
    ["bounces+17@antopsis.example", "bounces+0f3a9c-privacy=customer.example@antopsis.example", ""],
    ids=["verp", "verp-with-the-recipient", "null"],
)
def test_a_letter_arrives_as_it_was_with_its_envelope(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, pipelining: bool, return_path: str
) -> None:
    envelope = make_envelope(return_path=return_path)
    with MailServer(pipelining=pipelining) as server:
        channel: Channel = open_channel(server.url)
        answer = channel.send(envelope)
    assert answer == Accepted(250, "2.0.0 OK: queued as TEST0001")
    assert channel.is_real
    assert server.messages == [ReceivedMessage(return_path, ("privacy@customer.example",), envelope.message)]


def test_leading_dots_and_stray_line_ends_arrive_right(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, pipelining: bool
) -> None:
    message = b"Subject: dots\r\n\r\n.\r\n..two\r\n.\n.\r.one\r\nlast, without an end"
    with MailServer(pipelining=pipelining) as server:
        channel = open_channel(server.url)
        assert isinstance(channel.send(make_envelope(message=message)), Accepted)
    assert [received.content for received in server.messages] == [
        b"Subject: dots\r\n\r\n.\r\n..two\r\n.\r\n.\r\n.one\r\nlast, without an end\r\n"
    ]


def test_a_letter_of_many_pieces_arrives_whole(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, pipelining: bool
) -> None:
    message = b"Subject: long\r\n\r\n" + b"".join(b".%08d\r\n" % number for number in range(60_000))
    with MailServer(pipelining=pipelining) as server:
        channel = open_channel(server.url)
        assert isinstance(channel.send(make_envelope(message=message)), Accepted)
    assert server.messages[0].content == message


def test_letters_share_a_connection_and_a_refused_one_does_not_end_it(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, pipelining: bool
) -> None:
    with MailServer(pipelining=pipelining) as server:
        server.script("gone@customer.example", 550, "5.1.1 No such user here")
        server.script("busy@customer.example", 451, "4.7.1 Greylisted, come back later", times=1)
        server.script("full@customer.example", 552, "5.3.4 Message too big", stage="DATA")
        channel = open_channel(server.url)
        recipients = ("privacy", "gone", "busy", "busy", "full", "legal")
        answers = [channel.send(make_envelope(recipient=f"{name}@customer.example")) for name in recipients]
    assert answers == [
        Accepted(250, "2.0.0 OK: queued as TEST0001"),
        PermanentFailure(550, "at RCPT TO: 5.1.1 No such user here"),
        TemporaryFailure(451, "at RCPT TO: 4.7.1 Greylisted, come back later"),
        Accepted(250, "2.0.0 OK: queued as TEST0002"),
        PermanentFailure(552, "at the final dot: 5.3.4 Message too big"),
        Accepted(250, "2.0.0 OK: queued as TEST0003"),
    ]
    assert len(server.peers) == 1


def test_a_connection_is_replaced_after_so_many_letters(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        for options, said in (("?letters=2", {}), ("", {"letters_per_connection": 2})):
            channel = open_channel(server.url + options, **said)
            assert all(isinstance(channel.send(make_envelope()), Accepted) for _ in range(5))
    assert len(server.messages) == 10
    assert len(server.peers) == 6


def test_a_connection_that_was_idle_too_long_is_replaced(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        channel = open_channel(server.url, idle_seconds=0)
        assert all(isinstance(channel.send(make_envelope()), Accepted) for _ in range(2))
    assert len(server.peers) == 2


def test_a_closed_channel_opens_again_for_the_next_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        channel = open_channel(server.url)
        for _ in range(2):
            assert isinstance(channel.send(make_envelope()), Accepted)
            channel.close()
            channel.close()
    assert len(server.peers) == 2


def test_a_server_that_was_restarted_gets_the_next_letter_on_a_new_connection(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        channel = open_channel(server.url)
        assert isinstance(channel.send(make_envelope()), Accepted)
    answer = channel.send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.answer == f"127.0.0.1:{server.port}, connecting: Connection refused"


def test_an_international_address_needs_a_server_that_takes_them(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    envelope = make_envelope(recipient="datenschützer@bücher.example")
    with MailServer() as server:
        channel = open_channel(server.url)
        assert isinstance(channel.send(envelope), Accepted)
    assert server.messages[0].rcpt_tos == ("datenschützer@xn--bcher-kva.example",)

    with MailServer(smtputf8=False) as server:
        channel = open_channel(server.url)
        refused = channel.send(envelope)
        assert isinstance(channel.send(make_envelope(recipient="privacy@bücher.example")), Accepted)
    assert isinstance(refused, PermanentFailure)
    assert "SMTPUTF8" in refused.answer
    assert [received.rcpt_tos for received in server.messages] == [("privacy@xn--bcher-kva.example",)]


def test_a_letter_too_large_for_the_server_is_refused_without_sending_it(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer(size_limit=1_000) as server:
        channel = open_channel(server.url)
        answer = channel.send(make_envelope(message=b"x" * 80 + b"\r\n" + b"y" * 1_000))
    assert answer == PermanentFailure(None, "the letter has 1084 bytes and the mail server takes at most 1000")
    assert server.messages == []


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "smtps"])
def test_letters_go_encrypted_and_signed_in(
    authority: Authority, make_envelope: EnvelopeMaker, open_channel: ChannelMaker, pipelining: bool, implicit: bool
) -> None:
    context = authority.server_context("IP:127.0.0.1")
    with MailServer(tls=context, implicit_tls=implicit, credentials=CREDENTIALS, pipelining=pipelining) as server:
        channel = open_channel(server.url + f"?ca={authority.certificate}")
        answers = [channel.send(make_envelope()) for _ in range(3)]
    assert [answer.code for answer in answers] == [250, 250, 250]
    assert (len(server.messages), len(server.peers)) == (3, 1)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "smtps"])
def test_a_certificate_for_another_host_is_refused_and_nothing_is_sent(
    authority: Authority, make_envelope: EnvelopeMaker, open_channel: ChannelMaker, implicit: bool
) -> None:
    context = authority.server_context("DNS:other.example")
    with MailServer(tls=context, implicit_tls=implicit, credentials=CREDENTIALS) as server:
        answer = open_channel(server.url + f"?ca={authority.certificate}").send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "certificate is not trusted" in answer.answer
    assert "127.0.0.1" in answer.answer
    assert server.messages == []


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "smtps"])
def test_a_certificate_of_an_unknown_authority_is_refused_with_the_remedy(
    authority: Authority, make_envelope: EnvelopeMaker, open_channel: ChannelMaker, implicit: bool
) -> None:
    with MailServer(tls=authority.server_context("IP:127.0.0.1"), implicit_tls=implicit) as server:
        answer = open_channel(server.url).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "?ca=" in answer.answer
    assert ("?starttls=off will do" in answer.answer) is not implicit
    assert server.messages == []


def test_a_server_without_encryption_gets_no_letter_where_encryption_is_required(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        answer = open_channel(server.url + "?starttls=required").send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "does not offer encryption" in answer.answer
    assert "smtps://" in answer.answer
    assert server.messages == []


def test_a_server_that_speaks_no_tls_at_all_is_a_temporary_failure(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer() as server:
        answer = open_channel(server.url.replace("smtp:", "smtps:")).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "encryption failed" in answer.answer


def test_a_wrong_password_is_the_deployments_fault_and_loses_no_letter(
    authority: Authority, make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer(tls=authority.server_context("IP:127.0.0.1"), credentials=CREDENTIALS) as server:
        url = server.url.replace(quote(CREDENTIALS[1], safe=""), "hunter2")
        answer = open_channel(f"{url}?ca={authority.certificate}").send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.code == 535
    assert "check the user name and password in the mail URL" in answer.answer
    assert "hunter2" not in answer.answer


def test_a_sign_in_the_server_wants_and_was_not_given_loses_no_letter(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker
) -> None:
    with MailServer(credentials=CREDENTIALS) as server:
        answer = open_channel(f"smtp://{server.host}:{server.port}").send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert answer.code == 530
    assert answer.answer.startswith("at MAIL FROM: 5.7.0 Authentication required")


def test_a_password_goes_in_clear_to_this_machine_only(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, hosts: dict[str, list[str]]
) -> None:
    hosts["mail.example"] = ["127.0.0.1"]
    with MailServer(credentials=CREDENTIALS) as server:
        channel = open_channel(server.url)
        assert isinstance(channel.send(make_envelope()), Accepted)
        elsewhere = server.url.replace("127.0.0.1", "mail.example") + "?starttls=when-offered"
        answer = open_channel(elsewhere).send(make_envelope())
    assert isinstance(answer, TemporaryFailure)
    assert "the password is not given to a server without encryption" in answer.answer
    assert len(server.messages) == 1


def test_the_certificate_must_name_the_host_of_the_mail_url(
    authority: Authority, make_envelope: EnvelopeMaker, open_channel: ChannelMaker, hosts: dict[str, list[str]]
) -> None:
    hosts["mail.example"] = hosts["mail.other.example"] = ["127.0.0.1"]
    with MailServer(tls=authority.server_context("DNS:mail.example")) as server:
        urls = [f"smtp://{host}:{server.port}?ca={authority.certificate}" for host in hosts]
        named, other = (open_channel(url).send(make_envelope()) for url in urls)
    assert isinstance(named, Accepted)
    assert isinstance(other, TemporaryFailure)
    assert "mail.other.example" in other.answer


def test_every_address_of_a_host_is_tried(
    make_envelope: EnvelopeMaker, open_channel: ChannelMaker, hosts: dict[str, list[str]]
) -> None:
    hosts["mail.example"] = ["127.0.0.2", "127.0.0.1"]
    with MailServer() as server:
        answer = open_channel(f"smtp://mail.example:{server.port}?starttls=off").send(make_envelope())
    assert isinstance(answer, Accepted)

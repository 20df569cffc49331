"""Incoming webhooks of Slack and Teams: what their answers mean, and whose host is whose."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest

from registry.channels.base import (
    Accepted,
    Ambiguous,
    Answer,
    Channel,
    Envelope,
    PermanentFailure,
    TemporaryFailure,
)
from registry.channels.chat import ChatChannel, ChatKind, refuse_foreign_host
from registry.channels.guarded_http import GuardedHttp, HttpTimeouts
from registry.channels.public_addresses import AddressProblem
from tests.channels.http_receiver import (
    BAD_GATEWAY,
    CUT,
    HANG,
    RESET,
    Behaviour,
    Drip,
    HttpReceiver,
    Reply,
    StopAfter,
    redirect,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BODY = json.dumps({"text": "Notice 2026-003: Hetzner joins the list"}).encode()
CREDENTIAL = "/services/T0INVENTED/B0INVENTED/inventedinventedinvented"
KINDS: list[ChatKind] = ["slack", "teams"]
JSON = {"Content-Type": "application/json; charset=utf-8"}
Sender = Callable[[ChatKind, Behaviour], Answer]


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


@pytest.fixture
def open_channel_of() -> Iterator[Callable[[ChatKind], ChatChannel]]:
    """Makes channels whose service lives at 127.0.0.1, and closes them when the test is over."""
    with ExitStack() as stack:

        def make(kind: ChatKind) -> ChatChannel:
            http = GuardedHttp(
                may_reach=lambda address: address.is_loopback,
                allow_http=True,
                timeouts=HttpTimeouts(connect=1, whole=1),
            )
            channel = ChatChannel(kind, http, lambda: NOW, hosts=("127.0.0.1",), allow_http=True)
            return stack.enter_context(closing(channel))

        yield make


@pytest.fixture
def send(receiver: HttpReceiver, open_channel_of: Callable[[ChatKind], ChatChannel]) -> Sender:
    """Sends one message to a service that behaves so, and returns what the channel makes of it."""

    def send_one(kind: ChatKind, behaviour: Behaviour) -> Answer:
        receiver.script(behaviour)
        return open_channel_of(kind).send(envelope(receiver))

    return send_one


def envelope(receiver: HttpReceiver) -> Envelope:
    return Envelope(receiver.url_at("127.0.0.1", CREDENTIAL), "", BODY, "<2026-003.17@antopsis.example>")


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_has_others_like_it_with_connections_of_their_own(
    open_channel_of: Callable[[ChatKind], ChatChannel], receiver: HttpReceiver, kind: ChatKind
) -> None:
    channel = open_channel_of(kind)
    with closing(channel.sibling()) as beside:
        assert (beside.kind, beside.connections) == (kind, 4)
        assert isinstance(channel.send(envelope(receiver)), Accepted)
        assert isinstance(beside.send(envelope(receiver)), Accepted)
    assert receiver.connections == 2


def error(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


def wrapped(status: int) -> Reply:
    """How a connector of Office 365 says that Teams refused."""
    return Reply(
        200,
        f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status}"
        " with ContextId tcid=0,server=msgapi-production,cv=invented.0..",
        {"Content-Type": "text/plain; charset=utf-8"},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_goes_as_it_is_and_is_accepted(
    receiver: HttpReceiver, send: Sender, open_channel_of: Callable[[ChatKind], ChatChannel], kind: ChatKind
) -> None:
    answer = send(kind, Reply(200, "ok"))
    assert answer == Accepted(200, "HTTP 200 OK: ok")
    (request,) = receiver.requests
    assert (request.path, request.body) == (CREDENTIAL, BODY)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "subprocessor-registry/1"
    as_channel: Channel = open_channel_of(kind)
    assert (as_channel.name, as_channel.kind, as_channel.is_real) == (kind, kind, True)


@pytest.mark.parametrize(
    "reply",
    [Reply(202), Reply(200, "1"), Reply(200), Reply(200, '{"status": "posted"}', JSON), Reply(204)],
)
def test_teams_accepts_with_any_2xx_that_tells_of_no_error(send: Sender, reply: Reply) -> None:
    assert isinstance(send("teams", reply), Accepted)


def test_a_workflow_of_slack_says_ok_in_json(send: Sender) -> None:
    assert isinstance(send("slack", Reply(200, '{"ok":true}', JSON)), Accepted)
    assert isinstance(send("slack", Reply(200, '{"ok":false,"error":"trigger_exception"}', JSON)), TemporaryFailure)


@pytest.mark.parametrize(
    "reply", [Reply(200), Reply(200, "<html><title>Sign in to the network</title>"), Reply(202, "queued")]
)
def test_slack_that_does_not_say_ok_is_not_believed(send: Sender, reply: Reply) -> None:
    answer = send("slack", reply)
    assert isinstance(answer, Ambiguous)
    assert answer.code == reply.status


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "invalid_payload"),
        (400, "no_text"),
        (400, "invalid_blocks"),
        (400, "too_many_attachments"),
        (400, "user_not_found"),
        (403, "action_prohibited"),
        (403, "posting_to_general_channel_denied"),
        (403, "invalid_token"),
        (403, "team_disabled"),
        (404, "no_service"),
        (404, "no_active_hooks"),
        (404, "no_team"),
        (404, "channel_not_found"),
    ],
)
def test_a_refusal_in_slacks_own_words_is_for_good(send: Sender, status: int, word: str) -> None:
    answer = send("slack", Reply(status, f"{word}\n", {"Content-Type": "text/html"}))
    assert isinstance(answer, PermanentFailure)
    assert (answer.code, answer.ends_address) == (status, False)
    assert answer.answer.endswith(f": {word}")


def test_an_archived_channel_ends_the_address(send: Sender) -> None:
    assert send("slack", Reply(410, "channel_is_archived")) == PermanentFailure(
        410, "HTTP 410 Gone: channel_is_archived", ends_address=True
    )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, error("TriggerInputSchemaMismatch", "The input body does not match the schema."), JSON),
        Reply(401, error("DirectApiAuthorizationRequired", "The request must be authenticated."), JSON),
        Reply(403, error("WorkflowSuspended", "The workflow is suspended."), JSON),
        Reply(404, error("WorkflowNotFound", "The workflow could not be found."), JSON),
        Reply(404, error("WorkflowTriggerIsNotEnabled", "The trigger is not enabled."), JSON),
        Reply(400, "Summary or Text is required."),
        Reply(413, error("RequestEntityTooLarge", "The request is too large."), JSON),
    ],
)
def test_a_refusal_in_the_words_of_teams_is_for_good(send: Sender, reply: Reply) -> None:
    answer = send("teams", reply)
    assert isinstance(answer, PermanentFailure)
    assert (answer.code, answer.ends_address) == (reply.status, False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, TemporaryFailure),
        (412, TemporaryFailure),
        (408, TemporaryFailure),
        (500, TemporaryFailure),
        (503, TemporaryFailure),
        (400, PermanentFailure),
        (403, PermanentFailure),
        (404, PermanentFailure),
        (413, PermanentFailure),
    ],
)
def test_a_connector_of_teams_that_answers_200_and_tells_of_an_error_has_failed(
    send: Sender, status: int, kind: type[TemporaryFailure | PermanentFailure]
) -> None:
    answer = send("teams", wrapped(status))
    assert type(answer) is kind
    assert answer.code == status
    assert f"HTTP error {status}" in answer.answer


def test_a_connector_that_fails_without_a_number_has_failed_for_now(send: Sender) -> None:
    assert isinstance(
        send("teams", Reply(200, "Webhook message delivery failed with error: timeout")), TemporaryFailure
    )


def test_a_connector_whose_answer_was_cut_may_have_told_of_an_error(send: Sender) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nWebhook mess"
    assert isinstance(send("teams", StopAfter(head)), Ambiguous)
    assert isinstance(send("teams", StopAfter(head.replace(b"200 OK", b"202 Accepted"))), Accepted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("asked", "wait"), [(None, None), ("30", timedelta(seconds=30)), ("later", None)])
def test_too_fast_is_for_now(send: Sender, kind: ChatKind, asked: str | None, wait: timedelta | None) -> None:
    answer = send(kind, Reply(429, "rate_limited", {} if asked is None else {"Retry-After": asked}))
    assert isinstance(answer, TemporaryFailure)
    assert (answer.code, answer.retry_after) == (429, wait)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "reply",
    [
        BAD_GATEWAY,
        Reply(500, "rollup_error"),
        Reply(503),
        Reply(504, "upstream timed out"),
        Reply(408, "timeout"),
        Reply(403, "<html><head><title>Blocked by the firewall</title>", {"Content-Type": "text/html"}),
        Reply(404),
        redirect("https://elsewhere.example/"),
    ],
)
def test_trouble_within_the_service_and_on_the_way_to_it_is_for_now(send: Sender, kind: ChatKind, reply: Reply) -> None:
    answer = send(kind, reply)
    assert isinstance(answer, TemporaryFailure)
    assert answer.code == reply.status


def test_words_that_are_not_slacks_are_no_refusal_by_slack(send: Sender) -> None:
    assert isinstance(send("slack", Reply(403, "Access from this network is denied")), TemporaryFailure)
    assert isinstance(send("slack", Reply(400, "internal_error")), TemporaryFailure)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behaviour", [HANG, CUT, RESET, b"garbage\r\n\r\n", Drip(Reply(200, "ok").as_bytes(), 0.1)])
def test_what_breaks_after_the_message_was_written_is_ambiguous(
    send: Sender, kind: ChatKind, behaviour: Behaviour
) -> None:
    assert isinstance(send(kind, behaviour), Ambiguous)


@pytest.mark.parametrize("kind", KINDS)
def test_the_address_is_a_credential_and_stands_in_no_answer(send: Sender, kind: ChatKind) -> None:
    said = f"no such hook: https://hooks.slack.com{CREDENTIAL} ({CREDENTIAL.rpartition('/')[2]})"
    for reply in (Reply(500, said), redirect(f"https://elsewhere.example{CREDENTIAL}"), Reply(200, said)):
        answer = send(kind, reply)
        assert "inventedinvented" not in answer.answer
        assert "…" in answer.answer


def test_a_message_for_another_host_is_not_sent(receiver: HttpReceiver) -> None:
    http = GuardedHttp(may_reach=lambda address: address.is_loopback, allow_http=True)
    with closing(ChatChannel("slack", http, lambda: NOW)) as channel:
        for url in (receiver.url, receiver.url.replace("http", "https"), "https://hooks.slack.com.evil.example/x"):
            answer = channel.send(Envelope(url, "", BODY, "<1@antopsis.example>"))
            assert isinstance(answer, PermanentFailure)
            assert answer.code is None
    assert receiver.connections == 0


def test_a_host_of_the_service_is_reached_only_where_it_is_public(hosts: dict[str, list[str]]) -> None:
    hosts["hooks.slack.com"] = ["10.0.0.1"]
    with closing(ChatChannel("slack", GuardedHttp(), lambda: NOW)) as channel:
        answer = channel.send(Envelope(f"https://hooks.slack.com{CREDENTIAL}", "", BODY, "<1@antopsis.example>"))
    assert answer == TemporaryFailure(None, "hooks.slack.com: the name leads to an address that is not public")


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("slack", f"https://hooks.slack.com{CREDENTIAL}"),
        ("slack", "https://HOOKS.slack.com./triggers/T0INVENTED/1/2"),
        ("slack", f"https://hooks.slack-gov.com{CREDENTIAL}"),
        ("teams", "https://antopsis.webhook.office.com/webhookb2/invented/IncomingWebhook/invented/invented"),
        (
            "teams",
            "https://prod-19.westeurope.logic.azure.com:443/workflows/invented/triggers/manual/paths/invoke?sig=x",
        ),
        (
            "teams",
            "https://default0invented.e1.environment.api.powerplatform.com:443/powerautomate/automations/direct"
            "/workflows/invented/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=x",
        ),
        ("teams", "https://default0invented.e.environment.api.gov.powerplatform.microsoft.us/powerautomate/x"),
    ],
)
def test_the_services_own_hosts_are_known(kind: ChatKind, url: str) -> None:
    assert refuse_foreign_host(kind, url) is None


@pytest.mark.parametrize(
    ("kind", "url", "problem"),
    [
        ("slack", "https://slack.com/x", AddressProblem.FOREIGN_HOST),
        ("slack", "https://evil.example/hooks.slack.com", AddressProblem.FOREIGN_HOST),
        ("slack", "https://hooks.slack.com.evil.example/", AddressProblem.FOREIGN_HOST),
        ("slack", "https://xhooks.slack.com/", AddressProblem.FOREIGN_HOST),
        ("slack", "https://a.hooks.slack.com/", AddressProblem.FOREIGN_HOST),
        ("slack", "https://a.webhook.office.com/", AddressProblem.FOREIGN_HOST),
        ("slack", "https://127.0.0.1/", AddressProblem.FOREIGN_HOST),
        ("slack", "https://hooks.slack.com@evil.example/", AddressProblem.HAS_SIGN_IN),
        ("slack", "https://evil.example\\.hooks.slack.com/", AddressProblem.NOT_A_URL),
        ("slack", "https://evil.example#.hooks.slack.com/", AddressProblem.FOREIGN_HOST),
        ("slack", "http://hooks.slack.com/", AddressProblem.NOT_HTTPS),
        ("teams", "https://webhook.office.com/", AddressProblem.FOREIGN_HOST),
        ("teams", "https://logic.azure.com/", AddressProblem.FOREIGN_HOST),
        ("teams", "https://evillogic.azure.com/", AddressProblem.FOREIGN_HOST),
        ("teams", "https://a.logic.azure.com.evil.example/", AddressProblem.FOREIGN_HOST),
        ("teams", "https://hooks.slack.com/", AddressProblem.FOREIGN_HOST),
        ("teams", "", AddressProblem.NOT_A_URL),
    ],
)
def test_every_other_host_is_foreign(kind: ChatKind, url: str, problem: AddressProblem) -> None:
    assert refuse_foreign_host(kind, url) is problem

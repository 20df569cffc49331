"""Notices as messages in a channel of Slack or Microsoft Teams, through incoming webhooks.

The address of an incoming webhook is a credential: whoever has it can post. No answer here holds it. Neither service
recognises a repeated message, and neither says whether anybody read one: chat never proves receipt (R12).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, TemporaryFailure
from registry.channels.guarded_http import GuardedHttp, HttpAnswer
from registry.channels.public_addresses import AddressProblem, WebAddress, describe_problem, read_web_address

ChatKind = Literal["slack", "teams"]

HOSTS: Mapping[ChatKind, tuple[str, ...]] = {
    "slack": ("hooks.slack.com", "hooks.slack-gov.com"),
    "teams": (
        # Where flows of Power Automate listen ("When a Teams webhook request is received"), by cloud.
        ".api.powerplatform.com",
        ".api.gov.powerplatform.microsoft.us",
        ".api.high.powerplatform.microsoft.us",
        ".api.appsplatform.us",
        ".api.powerplatform.partner.microsoftonline.cn",
        # Where they listened until the end of 2025, and Logic Apps do still.
        ".logic.azure.com",
        ".logic.azure.us",
        ".logic.azure.cn",
        # Connectors of Office 365, which Microsoft has retired.
        ".webhook.office.com",
    ),
}
"""Where incoming webhooks live. A name that begins with a dot stands for every host below it."""

CONNECTIONS = 4
"""All of a chat's rooms share its servers, which are quick, and ask for about one message a second and room."""

_HEADERS = {"Content-Type": "application/json", "Accept": "*/*"}
_GONE = 410
_SHORTEST_CREDENTIAL = 8
# 4xx that say nothing about the message or the address.
_FOR_NOW = frozenset({408, 409, 421, 423, 425, 429})
_SLACK_CODE = re.compile(r"[a-z][a-z0-9_]{1,79}")
_SLACK_CODES_FOR_NOW = frozenset({"rate_limited", "ratelimited", "timeout", "internal_error", "service_unavailable"})
# A connector answers 200 whatever became of the message, and writes into the body what Teams said.
_CONNECTOR_FAILURE = re.compile(r"message delivery failed|endpoint returned http error", re.IGNORECASE)
_CONNECTOR_STATUS = re.compile(r"http error (?P<status>[1-5][0-9]{2})\b", re.IGNORECASE)


def refuse_foreign_host(
    kind: ChatKind, url: str, hosts: tuple[str, ...] | None = None, *, allow_http: bool = False
) -> AddressProblem | None:
    """What is wrong with `url` as the address of an incoming webhook of this kind; None if nothing is.

    For the form in which somebody enters it, and before every message. `hosts` replaces HOSTS, for tests.
    """
    # Whether the address is public is for the guard to judge, who judges what the name leads to as well.
    address = read_web_address(url, allow_http=allow_http, may_reach=lambda _: True)
    if isinstance(address, AddressProblem):
        return address
    return None if _is_at_home(address, hosts or HOSTS[kind]) else AddressProblem.FOREIGN_HOST


class ChatChannel:
    """Posts each message to an incoming webhook. The message is finished: a body in the service's own JSON.

    One object belongs to one worker, as `http` does. `clock` gives an aware instant. `hosts` replaces the documented
    ones and `allow_http` takes addresses without encryption: both for tests.
    """

    is_real = True
    connections = CONNECTIONS

    def __init__(
        self,
        kind: ChatKind,
        http: GuardedHttp,
        clock: Callable[[], datetime],
        *,
        hosts: tuple[str, ...] | None = None,
        allow_http: bool = False,
    ) -> None:
        self._kind: ChatKind = kind
        self._http = http
        self._clock = clock
        self._hosts = hosts
        self._allow_http = allow_http

    @property
    def name(self) -> str:
        """`slack` or `teams`."""
        return self._kind

    @property
    def kind(self) -> str:
        """`slack` or `teams`."""
        return self._kind

    @property
    def longest_send(self) -> timedelta:
        """The longest one `send` can take. A lease must be longer."""
        return self._http.longest_post

    def sibling(self) -> ChatChannel:
        """Return another channel like this one, with connections of its own."""
        return ChatChannel(
            self._kind, self._http.sibling(), self._clock, hosts=self._hosts, allow_http=self._allow_http
        )

    def send(self, envelope: Envelope) -> Answer:
        """Post one message and say what the service made of it.

        A refusal in the service's own words is for good, so that a customer is told by another road at once and not
        after a week of tries: no such webhook, channel or workspace, a flow that is switched off, a message it cannot
        read. 410 ends the address besides. Too fast, trouble within the service, and error pages of whatever stands
        before it are for now. Nothing is sent to a host that is not the service's.
        """
        problem = refuse_foreign_host(self._kind, envelope.recipient, self._hosts, allow_http=self._allow_http)
        if problem is not None:
            return PermanentFailure(None, describe_problem(problem))
        outcome = self._http.post(envelope.recipient, envelope.message, _HEADERS)
        if not isinstance(outcome, HttpAnswer):
            return outcome.as_answer()
        answer = self._judge(outcome)
        return replace(answer, answer=_without_credential(answer.answer, envelope.recipient))

    def close(self) -> None:
        """Close the connections. The next message opens a new one."""
        self._http.close()

    def _judge(self, outcome: HttpAnswer) -> Answer:
        if 200 <= outcome.status <= 299:
            return self._slack_success(outcome) if self._kind == "slack" else self._teams_success(outcome)
        return self._failure(outcome)

    def _slack_success(self, answer: HttpAnswer) -> Answer:
        said = answer.text.strip()
        if answer.is_whole and (said == "ok" or _json_object(said).get("ok") is True):
            return Accepted(answer.status, answer.describe())
        if answer.is_whole and _json_object(said).get("ok") is False:
            return TemporaryFailure(answer.status, answer.describe(), retry_after=answer.retry_after(self._clock()))
        return Ambiguous(answer.status, f"Slack did not say ok: {answer.describe()}")

    def _teams_success(self, answer: HttpAnswer) -> Answer:
        if not _CONNECTOR_FAILURE.search(answer.text):
            if answer.is_whole or answer.status == 202:
                return Accepted(answer.status, answer.describe())
            return Ambiguous(answer.status, f"the answer was cut, and may have told of an error: {answer.describe()}")
        wrapped = _CONNECTOR_STATUS.search(answer.text)
        status = int(wrapped["status"]) if wrapped else answer.status
        if 400 <= status <= 499 and status not in _FOR_NOW | {412}:
            return PermanentFailure(status, answer.describe(), ends_address=status == _GONE)
        # Also 412, by which connectors said that too much came at once.
        return TemporaryFailure(status, answer.describe(), retry_after=answer.retry_after(self._clock()))

    def _failure(self, answer: HttpAnswer) -> Answer:
        if answer.status == _GONE:
            return PermanentFailure(answer.status, answer.describe(), ends_address=True)
        if 400 <= answer.status <= 499 and answer.status not in _FOR_NOW and self._is_own_word(answer):
            return PermanentFailure(answer.status, answer.describe())
        return answer.as_failure(self._clock())

    def _is_own_word(self, answer: HttpAnswer) -> bool:
        """Whether the service itself refused, and not something on the way to it."""
        said = answer.text.strip()
        if answer.is_page or not said:
            return False
        if self._kind == "teams":
            return True
        return bool(_SLACK_CODE.fullmatch(said)) and said not in _SLACK_CODES_FOR_NOW


def _is_at_home(address: WebAddress, hosts: tuple[str, ...]) -> bool:
    return any(address.host.endswith(host) if host.startswith(".") else address.host == host for host in hosts)


def _without_credential(said: str, url: str) -> str:
    """What the service said, without the parts of the address that let anybody post, should it repeat them."""
    parts = urlsplit(url)
    for secret in (parts.path, parts.query, parts.path.rpartition("/")[2]):
        if len(secret) >= _SHORTEST_CREDENTIAL:
            said = said.replace(secret, "…")
    return said


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

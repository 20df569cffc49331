"""What comes back by mail about a letter: it failed, waits, arrived or was complained of, or its reader is away.

    bytes ──▶ complaint?          a feedback report (RFC 5965)
              delivery status?    a report for machines (RFC 3464): failed, delayed, delivered
              a bounce in words?  what flufl.bounce recognises, and no person wrote
              away?               an automatic reply (RFC 3834), which says nothing about delivery
              anything else       unreadable, with its reason: for a person

Nothing here is proof: anybody can write a bounce. That it is about a letter of ours is for the caller to see, by the
signed return path among `delivered_to`. Whom it is about is for `narrow` to say, once the letter's address is known: a
report that comes to a letter's own return path may be about a mailbox that its reader forwards to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from typing import Final

from flufl.bounce import all_failures

from registry.readers.bounce_report import (
    AutoReply,
    BounceMessage,
    Complaint,
    Context,
    UnreadableBounce,
    UnreadableReason,
    say_statuses,
)
from registry.readers.delivery_status import (
    Action,
    RecipientStatus,
    find_class,
    find_status,
    find_worst,
    read_statuses,
)
from registry.readers.mail_message import (
    MessageTooNested,
    addresses_in,
    blocks_of,
    clean,
    find_addresses,
    find_message_id,
    header,
    instant_in,
    message_id_in,
    own_parts,
    read_headers,
    read_message,
    read_text,
    text_of,
    words_of,
)

LONGEST_MESSAGE: Final = 10_000_000
"""The most octets of a message that is read at all."""

_DELIVERED_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_RETURNED_TYPES = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/rfc822-headers",
        "message/global-headers",
        "text/rfc822-headers",
    }
)
# The types, of RFC 5965 and older, by which a person says "I do not want this". not-spam says the opposite, virus and
# auth-failure are machines talking, and other may be anything.
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list"})

_MAIL_SYSTEM = re.compile(r"mailer-?daemon|postmaster|mail[ -]delivery|microsoftexchange[0-9a-f]{20}", re.I)
_REPLY_SUBJECT = re.compile(r"\s*(?:re|aw|sv|fw|fwd|wg|antw|tr)\s*:", re.I)
_AWAY_SUBJECT = re.compile(
    r"\s*(?:automatic reply|auto[- ]?(?:reply|response)|out of (?:the )?office|automatische antwort|abwesenheit"
    r"|abwesend|réponse automatique|respuesta automática|risposta automatica|automatisch antwoord|resposta automática)",
    re.I,
)
_ID_IN_TEXT = re.compile(r"^[> \t]*Message-ID:\s{0,10}(<[^<>\s]{1,250}>)", re.I | re.M)
# Where a bounce in words ends, and the letter that it returns begins.
_COPY_FOLLOWS = re.compile(
    r"^.{0,40}(?:copy of (?:the|your)(?: original)? message|original message follows|message (?:text|headers?) follow"
    r"|--\s*(?:original|returned|forwarded) (?:message|mail))",
    re.I | re.M,
)
# Who passes a complaint on may hide who made it.
_HIDDEN = re.compile(r"redacted|removed|undisclosed|\.invalid$", re.I)
_TAG = re.compile(r"<[^>]*>")
_WORDS_READ = 8_000
"""How many characters of a part's text are looked at for what it says."""

# flufl.bounce looks for addresses in ways that take the square of a line's length, and it looks many times.
_LINES_GUESSED_AT = 1_000
_LINE_GUESSED_AT = 300


def read_bounce(message: bytes) -> BounceMessage:
    """Say what a message to the bounce address reports.

    Never raises, whatever the bytes are, and takes a few seconds at most: what cannot be read is an `UnreadableBounce`
    with its reason. A report may be about several recipients, where the one we wrote to forwards. Then the worst
    stands here: a permanent failure before a transient one, that before a delay, and a delivery last; `recipients` are
    those whom it befell. `narrow` finds what is about the one we wrote to.
    """
    if not message.strip(b" \t\r\n\0"):
        return UnreadableBounce(reason=UnreadableReason.EMPTY)
    text = read_text(message)
    outer = read_headers(text)
    context: Context = {
        "delivered_to": addresses_in(outer, *_DELIVERED_TO),
        "original_message_id": message_id_in(outer, "In-Reply-To"),
        "happened_at": instant_in(outer, "Date"),
    }
    if len(message) > LONGEST_MESSAGE:
        return UnreadableBounce(reason=UnreadableReason.TOO_LARGE, **context)
    if not outer.keys():
        return UnreadableBounce(reason=UnreadableReason.NO_HEADERS, **context)
    try:
        return _read(text, outer, context)
    except MessageTooNested:
        return UnreadableBounce(reason=UnreadableReason.TOO_NESTED, **context)
    except Exception as trouble:  # noqa: BLE001 - parsers raise anything for a stranger's bytes, and a person is told
        diagnostic = clean(f"{type(trouble).__name__}: {trouble}")
        return UnreadableBounce(reason=UnreadableReason.BROKEN, diagnostic=diagnostic, **context)


def _read(text: str, outer: Message, context: Context) -> BounceMessage:
    parts = list(own_parts(read_message(text)))
    returned = _returned_headers(parts)
    if returned is not None:
        context["original_message_id"] = message_id_in(returned, "Message-ID") or context["original_message_id"]
        context["delivered_to"] = _together(context["delivered_to"], addresses_in(returned, "Return-Path"))
    elif context["original_message_id"] is None:
        match = _ID_IN_TEXT.search(_plain_text(parts))
        context["original_message_id"] = find_message_id(match[1]) if match else None
    feedback = next((part for part in parts if part.get_content_type() == "message/feedback-report"), None)
    if feedback is not None:
        return _read_feedback(feedback, returned, context)
    statuses = read_statuses(parts, _words_before_copy(parts))
    if statuses:
        return say_statuses(find_worst(statuses), statuses, context)
    return _read_words(text, outer, parts, context)


def _returned_headers(parts: Sequence[Message]) -> Message | None:
    part = next((part for part in parts if part.get_content_type() in _RETURNED_TYPES), None)
    return None if part is None else next(blocks_of(part), None)


def _read_feedback(part: Message, returned: Message | None, context: Context) -> BounceMessage:
    fields = next(blocks_of(part), Message())
    feedback_type = clean(header(fields, "Feedback-Type")).lower()
    recipients = _not_hidden(addresses_in(fields, "Original-Rcpt-To", "Removal-Recipient"))
    if not recipients and returned is not None:
        recipients = _not_hidden(addresses_in(returned, "To"))
    context["delivered_to"] = _together(context["delivered_to"], addresses_in(fields, "Original-Mail-From"))
    if feedback_type not in _COMPLAINTS:
        return UnreadableBounce(
            reason=UnreadableReason.OTHER_FEEDBACK, recipients=recipients, diagnostic=feedback_type, **context
        )
    diagnostic = clean(header(fields, "User-Agent"))
    return Complaint(feedback_type=feedback_type, recipients=recipients, diagnostic=diagnostic, **context)


def _not_hidden(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(address for address in addresses if not _HIDDEN.search(address))


def _read_words(text: str, outer: Message, parts: Sequence[Message], context: Context) -> BounceMessage:
    says = _words_before_copy(parts)
    is_from_system = _is_from_mail_system(outer)
    is_automatic = _is_automatic(outer) and not is_from_system
    summary = clean(f"{words_of(outer, 'Subject')}: {says}")
    if not is_from_system and not is_automatic and _is_reply(outer):
        # People quote bounces when they write about them.
        return UnreadableBounce(reason=UnreadableReason.NO_REPORT, diagnostic=summary, **context)
    delayed, failed = _guess_recipients(text, outer)
    if is_automatic:
        if failed or delayed:
            return UnreadableBounce(reason=UnreadableReason.CONTRADICTORY, diagnostic=summary, **context)
        return AutoReply(diagnostic=summary, **context)
    if not failed and not delayed:
        is_machine = is_from_system or _has_null_path(outer)
        reason = UnreadableReason.NO_OUTCOME if is_machine else UnreadableReason.NO_REPORT
        return UnreadableBounce(reason=reason, diagnostic=summary, **context)
    is_permanent = bool(failed) and find_class(says) != "4"
    status, diagnostic = find_status(says), clean(says)
    statuses = [
        *(RecipientStatus(Action.FAILED, is_permanent, None, each, status, diagnostic, None) for each in failed),
        *(RecipientStatus(Action.DELAYED, False, None, each, status, diagnostic, None) for each in delayed),
    ]
    return say_statuses(find_worst(statuses), statuses, context)


def _is_from_mail_system(outer: Message) -> bool:
    return bool(
        header(outer, "X-Failed-Recipients")
        or outer.get_content_type() == "multipart/report"
        or _MAIL_SYSTEM.search(words_of(outer, "From"))
    )


def _is_automatic(outer: Message) -> bool:
    return bool(
        header(outer, "Auto-Submitted").strip().lower().startswith("auto-")
        or header(outer, "X-Autogenerated").strip().lower() == "reply"
        or header(outer, "Precedence").strip().lower() == "auto_reply"
        or any(header(outer, name).strip().lower() not in ("", "no") for name in ("X-Autoreply", "X-Autorespond"))
        or _AWAY_SUBJECT.match(words_of(outer, "Subject"))
    )


def _has_null_path(outer: Message) -> bool:
    return header(outer, "Return-Path").strip() == "<>"


def _is_reply(outer: Message) -> bool:
    return not _has_null_path(outer) and bool(
        header(outer, "In-Reply-To") or header(outer, "References") or _REPLY_SUBJECT.match(words_of(outer, "Subject"))
    )


def _plain_text(parts: Sequence[Message]) -> str:
    return next((text_of(part) for part in parts if part.get_content_type() == "text/plain"), "")


def _words_before_copy(parts: Sequence[Message]) -> str:
    return _COPY_FOLLOWS.split(_what_is_said(parts), maxsplit=1)[0]


def _what_is_said(parts: Sequence[Message]) -> str:
    plain = _plain_text(parts)[:_WORDS_READ]
    if plain.strip():
        return plain
    html = next((text_of(part) for part in parts if part.get_content_type() == "text/html"), "")
    return _TAG.sub(" ", html[:_WORDS_READ])


def _guess_recipients(text: str, outer: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return whose letter is delayed, and whose failed, by what flufl.bounce recognises."""
    lines = text.split("\n", _LINES_GUESSED_AT)[:_LINES_GUESSED_AT]
    message = read_message("\n".join(line[:_LINE_GUESSED_AT] for line in lines))
    # One of its detectors fails where no address can be read out of this header.
    del message["From"]
    message["From"] = next(iter(addresses_in(outer, "From")), "unknown@unknown.invalid")
    delayed, failed = all_failures(message)
    return _addresses(delayed), _addresses(failed)


def _addresses(found: frozenset[bytes]) -> tuple[str, ...]:
    return find_addresses(" ".join(sorted(address.decode("ascii", "replace") for address in found)))


def _together(*addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for each in addresses for address in each))

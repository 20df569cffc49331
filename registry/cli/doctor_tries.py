"""What `registry doctor` finds by writing letters: whether they may come from each sender, and where answers arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from sqlalchemy import select

from registry import clock
from registry.channels.base import Accepted, Answer, PermanentFailure, TemporaryFailure
from registry.cli.doctor_roads import is_nobodys
from registry.cli.doctor_senders import OwnSender
from registry.cli.findings import Finding, Grade
from registry.settings import OUTBOX, RESEND
from registry.steps.check_addresses import UNUSABLE, CheckedAddress, check_publisher
from registry.steps.check_senders import TriedSender, try_sender, try_sign_in_sender
from registry.steps.dispatch import Dispatch
from registry.steps.settle_delivery import ACCEPTED, PERMANENT, TEMPORARY
from registry.tables import Installation, Publisher
from registry.tables.engine import reading
from registry.wiring import Wiring

MEND_THE_ROAD: Final = (
    "Let your mail server send from it, or correct REGISTRY_MAIL_URL, REGISTRY_MAIL_FROM or `sender`."
)
_PASSING: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
_FIRST_OF_SERVER: Final = 500


def try_addresses(wiring: Wiring, own: Sequence[OwnSender]) -> Iterator[Finding]:
    """Write from each sender to its pair and back, and to the addresses that letters name for replies and objections.

    A letter that comes back later is a task.
    """
    with reading(wiring.engine) as session:
        publishers = session.execute(
            select(Publisher.id, Publisher.slug).where(Publisher.revision > 0).order_by(Publisher.slug)
        ).all()
        is_bound = session.scalar(select(Installation.id)) is not None
    if not publishers or not is_bound or wiring.mail_url == OUTBOX:
        return
    with_own = {each.publisher_id: each.address for each in own if each.address is not None}
    # Of REGISTRY_MAIL_FROM a letter that comes back is the task of one that writes from it; where none does, of any.
    from_shared = next((each.id for each in publishers if each.id not in with_own), None)
    shared = wiring.letterhead.mail_from
    senders = {address: publisher_id for publisher_id, address in with_own.items()}
    if from_shared is not None:
        senders = {shared: from_shared} | senders
    channels = wiring.make_channels()
    try:
        dispatch = wiring.make_sweeping(channels).dispatch
        tries = [partial(try_sender, publisher_id=number, sender=each) for each, number in senders.items()]
        if shared not in senders:
            # No notice comes from it, nor from its pair: the letters of the sign-in do.
            tries.insert(0, partial(try_sign_in_sender, publisher_id=publishers[0].id, sender=shared))
        yield from _try_senders(wiring, dispatch, tries)
        for publisher_id, slug in publishers:
            done = check_publisher(wiring.engine, clock.now, dispatch, publisher_id, even_today=True)
            if done is not None:
                yield _own_address(slug, done, by_resend=wiring.mail_url.startswith(RESEND))
    finally:
        for channel in channels.values():
            channel.close()


def _try_senders(
    wiring: Wiring, dispatch: Dispatch, tries: Sequence[partial[Iterator[TriedSender]]]
) -> Iterator[Finding]:
    by_resend = wiring.mail_url.startswith(RESEND)
    for try_one in tries:
        if is_nobodys(try_one.keywords["sender"]):
            continue
        for tried in try_one(wiring.engine, clock.now, dispatch):
            yield _sender(tried, by_resend=by_resend)
            if tried.answer.code is None:
                # Nobody is there, and each further letter would wait as long as this one.
                return


def _sender(tried: TriedSender, *, by_resend: bool) -> Finding:
    answer, about = tried.answer, "Senders"
    said = _said(answer.code, answer.answer)
    if isinstance(answer, Accepted):
        return Finding(about, Grade.OK, f"{tried.recipient} took a letter from {tried.sender} ({said}).")
    if isinstance(answer, PermanentFailure):
        says = f"{tried.recipient}, which people answer to, takes no mail ({said})."
        return Finding(about, Grade.WRONG, says, "Have your mail server take mail to it: somebody should read it.")
    if _is_refused(answer, by_resend=by_resend):
        return Finding(about, Grade.WRONG, f"no letter may come from {tried.sender}: {said}.", MEND_THE_ROAD)
    says = f"whether letters may come from {tried.sender}, and {tried.recipient} takes mail, is not known: {said}."
    return Finding(about, Grade.NOTE, says, "Run this again later.")


def _own_address(slug: str, done: CheckedAddress, *, by_resend: bool) -> Finding:
    about, said = "Objections", _said(done.code, done.answer)
    if done.answer_class == ACCEPTED:
        says = f"{done.address}, which letters of {slug} name for replies, took a letter ({said})."
        return Finding(about, Grade.OK, says)
    if done.answer_class in (PERMANENT, UNUSABLE):
        return Finding(
            about,
            Grade.WRONG,
            f"{done.address}, which letters of {slug} name for replies, takes no mail ({said}).",
            "Mend the mailbox, or correct `contact` in the registry file.",
        )
    if done.answer_class == TEMPORARY and _blames_us(done.code, by_resend=by_resend):
        says = f"{done.address}, which letters of {slug} name for replies, was not written to: {said}."
        return Finding(about, Grade.WRONG, says, MEND_THE_ROAD)
    says = f"whether {done.address} of {slug} takes mail is not known: {said}."
    return Finding(about, Grade.NOTE, says, "Run this again later.")


def _is_refused(answer: Answer, *, by_resend: bool) -> bool:
    return isinstance(answer, TemporaryFailure) and _blames_us(answer.code, by_resend=by_resend)


def _blames_us(code: int | None, *, by_resend: bool) -> bool:
    """Return whether an answer "for now" is one that no waiting changes: the sign-in or the sender is refused."""
    if code is None:
        return False
    if by_resend:
        return HTTPStatus.BAD_REQUEST <= code < _FIRST_OF_SERVER and code not in _PASSING
    return code >= _FIRST_OF_SERVER


def _said(code: int | None, answer: str) -> str:
    return " ".join(part for part in (str(code or ""), answer) if part)

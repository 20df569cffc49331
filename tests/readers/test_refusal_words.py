"""What a refusal without a telling code says of the letter, and of a mailbox that is full, in words alone."""

from __future__ import annotations

import pytest

from registry.readers.refusal_words import blames_letter, says_full


@pytest.mark.parametrize(
    "words",
    [
        "550 This message was classified as SPAM and may not be delivered",
        "554 Message rejected: looks like spam.",
        "550 5.0.350 Remote server returned message detected as spam",
        "554 Anti-spam filter says no",
        "554 Your message contains a virus",
        "550 Rejected by local policy",
        "552 Message size exceeds fixed limit",
        "552 message too large",
        "552 maximum message size exceeded",
        "554 Content rejected",
        "554 message refused because of its content",
    ],
)
def test_a_letter_is_blamed_for_what_it_is(words: str) -> None:
    assert blames_letter(words)
    assert not says_full(words)


@pytest.mark.parametrize(
    "words",
    [
        "552 Mailbox full",
        "550 The mailbox of this recipient is full",
        "550 user over quota",
        "552 overquota",
        "552 The email account that you tried to reach is over its quota",
        "554 Quota exceeded",
        "552 Requested mail action aborted: exceeded storage allocation",
        "552 Recipient exceeds its mail quota",
        "452 insufficient system storage",
        "550 not enough disk space",
    ],
)
def test_a_mailbox_is_full(words: str) -> None:
    assert says_full(words)
    assert not blames_letter(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "550 No such user here",
        "550 <spam@customer.example>: user unknown",
        "550 unknown, see https://help.example/policy/spam/mailbox-full",
        "550 No such user at spam.mx.customer.example [192.0.2.1]",
        "550 User unknown; give the full name of the user",
        "550 The account is disabled",
        "Unrouteable address",
        "This is a permanent error. The following address(es) failed",
        "@" * 2_000,
        "mailbox " * 250,
    ],
)
def test_words_about_the_address_blame_nothing_else(words: str) -> None:
    assert not blames_letter(words)
    assert not says_full(words)

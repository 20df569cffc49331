"""Whose fault a refusal for good is: this installation's, or the recipient's and the letter's.

A mail server may say what it has against the client or the sender at any point: Postfix waits with it until RCPT TO
(`smtpd_delay_reject`), and hosted relays until they have the letter. For none of that may a letter be given up. What is
known of no row of the table is about the recipient or the letter. The words are those that Postfix, Exim, sendmail,
qmail, Exchange, Google, Amazon SES and other relays are documented to use, or ship with.

A code in front that names the mailbox or the letter's size outranks all words: a mailbox that is gone may be spoken of
in any, and a letter that waits for it calls in nobody else. So a 5.1.1 whose own words blame the client is for good:
that letter is lost, and such replies are rare. One that quotes another server's reply, as Postfix does when it verifies
an address, is judged by what it quotes.
"""

from __future__ import annotations

import re
from typing import Final

from registry.channels.base import LONGEST_ANSWER

_SIGN_IN: Final = frozenset({523, 524, 525, 530, 534, 535, 538})
"""Replies of a server that wants another sign-in, or encryption first (RFC 4954 section 6, RFC 5248)."""
_OUT_OF_STEP: Final = 503

_REFUSED: Final = (
    r"(?:rejected|refused|denied|blocked|banned|unknown|invalid|not (?:allowed|permitted|verified|valid|known))"
)
_AN_IP: Final = r"(?:\bips?\b|\[[0-9a-f.:]{2,45}\]|\b\d{1,3}(?:\.\d{1,3}){3}\b)"
_WHO_CALLS: Final = rf"(?:\bclient|\bhosts?|\bservers?|\bnetwork|\bmta|\bsender|{_AN_IP})"
_A_LIST: Final = r"(?<!recipient's )(?<!user's )(?:block|black|deny)[ -]?list(?:ed)?\b"

# Each row: what it is about, codes (RFC 3463 and those that RFCs and Exchange added), and words, whatever the code is.
_INSTALLATION: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "sign-in and encryption",
        r"5\.7\.(?:8|9|10|11|14|57)",
        r"\bauthentication (?:is )?required|\bmust authenticate|\bclient (?:was )?not authenticated"
        r"|\bunauthenticated commands|\binvalid credentials|\bmust issue a starttls|\bstarttls (?:is )?required"
        r"|\bencryption (?:is )?required"
        # Amazon SES: the user of this sign-in may not send.
        r"|\bnot authori[sz]ed to perform\b",
    ),
    (
        "the right to relay",
        r"5\.7\.(?:54|64|68)",
        r"\brelay(?:ing)? (?:access )?(?:is )?(?:denied|disallowed|prohibited|not (?:permitted|allowed|supported))"
        r"|\b(?:unable|not (?:allowed|permitted|authori[sz]ed)) to relay|\ballowed rcpthosts",
    ),
    (
        "the account: closed, unpaid, not set up",
        r"5\.7\.7\d\d",
        r"\bsending (?:is |has been )?(?:paused|disabled|suspended|denied)|\boutgoing mail suspension"
        r"|\boutgoing (?:e?-?mails?|messages) (?:from|by|for) \S+ (?:is |are |has been |have been )?suspended"
        r"|\byour (?:\w+ )?account (?:is|has|was)\b|\btenant has exceeded|\bunregistered domains"
        r"|\bcredits exceeded|\bout of credits",
    ),
    (
        "a quota or a pace",
        # 5.2.121 and 5.2.122 name the recipient, but end by themselves within the hour.
        r"5\.(?:4\.5|5\.3|1\.90|2\.12[12]|7\.(?:28|23[2-6]|508))",
        r"\b(?:sending|submission|relay|outbound|outgoing|daily|hourly|monthly)(?: (?!size )\w+)?"
        r" (?:limit|quota|rate)s?\b|\bexceeded its (?:daily|hourly) limit|\bexceeded the max (?:emails|defers)"
        # Too many recipients is for now, by RFC 5321 section 4.5.3.1.10; one letter has one.
        r"|\btoo many (?:connections|sessions|recipients)|\brate limit (?:exceeded|reached)|\bgr[ae]y-?listed",
    ),
    (
        "the sender's address",
        r"5\.(?:1\.[78]|7\.(?:27|60|50[23]|511|800))",
        rf"\bsender(?: address| domain)?(?: is| was)? {_REFUSED}(?! (?:by|to (?:post|send))\b)"
        r"|\bsender(?: address| domain)? \[[^\]]*\] blocked|\bsender verify failed|\bbadmailfrom"
        r"|\b(?:invalid|banned|unverified|bad outbound) sender|\b(?:sender|from|email) address (?:is )?not verified"
        r"|\bsender (?:identity|signature)|\bdomain of sender address|sendasdenied"
        r"|\bunconfigured sending domain|\bdomain (?:is not|must be) verified"
        r"|\bdomain \S+ is not (?:allowed|permitted) to send\b(?! (?:\w+ )?to\b)"
        r"|\bnot (?:allowed|permitted|authori[sz]ed) to send (?:from|as|on behalf|e?-?mails? from|messages from)",
    ),
    (
        "SPF, DKIM and DMARC of the sender's domain",
        r"5\.7\.(?:2[0-6]|29|509|515)",
        r"\b(?:spf|dkim|dmarc)\b|\bsender is unauthenticated|\bunauthenticated (?:e?-?mail|sender)"
        r"|\bauthentication (?:information|checks)\b",
    ),
    (
        "how this side greets",
        r"5\.7\.506",
        r"\b(?:helo|ehlo)\b",
    ),
    (
        "this side's address, its name and its repute",
        r"5\.7\.(?:25|501|507|510|513|6[0-4]\d)",
        r"\bclient (?:host|certificate)\b.{0,200}\b(?:rejected|blocked|denied)|\bclient \[[^\]]*\] blocked"
        r"|\b(?:your|this|sending|source|sender|client|sender's) ips?\b|\bips? (?:address|range)\b|\bthe ip you\b"
        rf"|{_AN_IP} (?:is|was|has been) (?:blocked|banned|rejected)\b|{_WHO_CALLS}[^.;]* {_A_LIST}"
        rf"|{_AN_IP}[^;]{{0,40}}(?<! not) listed (?:at|by|in|on)\b"
        r"|\bblocked - see\b|\bspamhaus|\bspamcop|\breverse dns|\brdns\b|\bptr (?:record|entry)|\bcannot find your"
        r"|\b(?:ip|sender|domain|mta's|poor|low|bad) reputation|\bpoor reputation|\bspam abuse|\bspam activity"
        r"|\bunusual (?:rate of unsolicited|sending activity)",
    ),
)
# At MAIL FROM. A code of the mailbox or of the system (5.2.x, 5.3.x) outranks words there.
_BLAMES_SIZE: Final = re.compile(
    r"\A5\.(?:2\.3|3\.4)\b"
    r"|\A(?!5\.[23]\.[1-9]).*(?:(?<!\bmailbox )\bsize\b|\btoo (?:big|large|long)\b|\bmessage length\b)",
    re.IGNORECASE | re.DOTALL,
)
# Codes that name the mailbox or the letter's size (but for Exchange, when this side's quota is used up), and what
# Exchange says of a recipient that takes nothing from strangers, in words that would fit a row above.
_BLAMES_RECIPIENT: Final = re.compile(
    r"\A5\.(?:1\.(?:[1236]|10)|2\.[1-4]|3\.4)\b(?! submission quota\b)"
    r"|\A5\.7\.(?:12|124|13[3-6]|50[45])\b|\bresolver\.(?:adr|rst)\b|\bmailbox (?:is )?full\b",
    re.IGNORECASE,
)
_BLAMES_INSTALLATION: Final = re.compile(
    "|".join(rf"\A(?:{codes})\b|{words}" for _, codes, words in _INSTALLATION), re.IGNORECASE
)
# Whoever is written to may be called anything, such as ip@ or dmarc@.
_ADDRESS: Final = re.compile(r"[^\s<>\[\]@]{1,64}@[^\s<>\[\]@]{1,255}")
# A long reply is broken anywhere, and each of its lines may begin with the enhanced code.
_LINE_BREAK: Final = re.compile(r"\s*\n(?:[245]\.\d{1,3}\.\d{1,3}\s+)?\s*")
_QUOTE: Final = re.compile(r"\bsaid: [245]\d\d[ -]")


def blames_size(text: str) -> bool:
    """Whether the words of a refusal at MAIL FROM call the letter too large, rather than some store full."""
    return _BLAMES_SIZE.match(text[:LONGEST_ANSWER]) is not None


def blames_installation(code: int, text: str) -> bool:
    """Whether a refusal blames this installation, or how the conversation went: no letter may fail for good by it.

    `code` is the reply's, `text` its words, with the lines' ends between them and the enhanced code in front.
    """
    if code in _SIGN_IN or code == _OUT_OF_STEP:
        return True
    # Cut first: whoever answers at such length must not keep a worker searching.
    words = _ADDRESS.sub("@", _LINE_BREAK.sub(" ", text[:LONGEST_ANSWER]))
    words = _QUOTE.split(words)[-1]
    return _BLAMES_RECIPIENT.search(words) is None and _BLAMES_INSTALLATION.search(words) is not None

"""The feeds of a list, checked by the rules of the W3C feed validator: no error and no warning, in any language."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from feeds.syndication import build_atom, build_rss
from feeds.values import Feed, Item
from registry.language import LANGUAGES, speaking
from registry.pages.feed_items import FeedKind, build_feed, feed_address
from registry.pages.selection import ListQuery
from registry.pages.values import Addresses, PublicList
from tests.feeds.rules import complaints
from tests.pages.factories import ADDRESSES, STRIPE_NOTICE, empty_list, public_list

NOW = datetime(2026, 11, 21, 13, tzinfo=UTC)
TYPES: dict[FeedKind, str] = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
}
both_kinds = pytest.mark.parametrize("kind", list(TYPES))

AWKWARD = replace(
    STRIPE_NOTICE,
    number="2026-005",
    summary="R&D at AT&T, 3 < 4, “Müller” & Söhne \ufffd 阿里云",
    explanation=(
        "See [our page](/relative), [theirs](https://x.example/a?b=1&c=2) or <b>call</b>.\n\n"
        "<script>alert(1)</script> <img src=x onerror=alert(1)>\n\n* one\n* two\n\n> said\n\n### So\n\n1. first"
    ),
    emergency_reason="It < stopped > & broke",
)


def check(public: PublicList, kind: FeedKind, addresses: Addresses = ADDRESSES, query: ListQuery | None = None) -> None:
    document = build_feed(public, addresses, kind, query)
    assert complaints(document, feed_address(addresses, kind, query), TYPES[kind], NOW) == []


@both_kinds
def test_the_feed_of_a_list_is_valid_without_a_warning(kind: FeedKind) -> None:
    check(public_list(), kind)
    check(empty_list(), kind)
    check(public_list(notices=()), kind)


@both_kinds
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_feed_is_valid_in_every_language(kind: FeedKind, language: str) -> None:
    with speaking(language):
        check(public_list(), kind, replace(ADDRESSES, lang=language))


@both_kinds
def test_the_feed_is_valid_behind_a_filter(kind: FeedKind) -> None:
    asked = ListQuery("Đà Nẵng ~ 100% & more", ("streaming",), ("eea", "US"), ("Content delivery/caching",))
    check(public_list(), kind, query=asked)
    check(public_list(), kind, replace(ADDRESSES, lang="de"), ListQuery(data=("Stream content",)))


@both_kinds
def test_the_feed_is_valid_whatever_its_publisher_writes(kind: FeedKind) -> None:
    named = replace(public_list().publisher, name="Müller & Söhne", legal_name="Müller & Söhne <GmbH>")
    check(public_list(notices=(AWKWARD, STRIPE_NOTICE), publisher=named), kind)


@both_kinds
def test_the_feed_is_valid_on_a_host_with_letters_beyond_ascii(kind: FeedKind) -> None:
    addresses = Addresses("https://müller.example/ünterauftrag")
    document = build_feed(public_list(), addresses, kind)
    own = f"https://xn--mller-kva.example/%C3%BCnterauftrag/feed.{kind}"
    assert complaints(document, own, TYPES[kind], NOW) == []


BREAKS = {
    "rss": [
        (rb'version="2.0"', b'version="3.0"', "InvalidRSSVersion"),
        (rb"<atom:link [^>]*>", b"", "MissingSelf"),
        (rb'href="https://lists.example/antopsis/feed.rss"', b'href="/feed.rss"', "RelativeSelf"),
        (rb"feed.rss", b"feed.xml", "SelfDoesntMatchLocation"),
        (rb"<guid .*</guid>", b"", "MissingGuid"),
        (rb'isPermaLink="false"', b'isPermaLink="true"', "InvalidPermalink"),
        (rb"Fri, 06 Nov 2026", b"Thu, 06 Nov 2026", "IncorrectDOW"),
        (rb"Fri, 06 Nov 2026", b"06 Nov 26", "ProblematicalRFC822Date"),
        (rb"Nov 2026", b"Nov 2027", "ImplausibleDate|IncorrectDOW"),
        (rb"<language>en<", b"<language>xq<", "InvalidLanguage"),
        (rb"<channel>", b"<channel><item><title>x</title></item>", "MisplacedItem"),
        (rb"<description>[^<]*</description>(\s*<content)", rb"\1", "NeedDescriptionBeforeContent"),
        (rb"&lt;p&gt;", b"&lt;style&gt;", "SecurityRisk"),
        (rb"&lt;p&gt;", b"&lt;p style='color:red'&gt;", "DangerousStyleAttr"),
        (rb"&lt;p&gt;", b"&lt;p onclick='x'&gt;", "SecurityRiskAttr"),
        (rb'href="https://lists.example/antopsis/entries', b'href="/entries', "ContainsRelRef"),
        (rb"&lt;/p&gt;", b"", "NotHtml"),
        (rb"<title>[^<]*<", b"<title>a &lt;b&gt; c<", "CharacterData"),
        (rb"<title>[^<]*<", b"<title>&lt;b&gt;c&lt;/b&gt;<", "ContainsHTML"),
        (rb"<category>[^<]*<", b"<category><", "NotBlank"),
        (rb"encoding='UTF-8'", b"encoding='ISO-8859-1'", "EncodingMismatch"),
        (rb"xmlns:dc=", b"xmlns:x='urn:x:y' xmlns:dc=", "UnknownNamespace"),
        (rb"</pubDate>", b"</pubDate><author>x@y.z</author>", "UndefinedElement"),
        (rb"</pubDate>", b"</pubDate><title>Another</title>", "DuplicateElement"),
        (rb"Stripe sees", b"\xc2\x80tripe sees", "BadCharacters"),
        (rb"</rss>", b"", "SAXError"),
    ],
    "atom": [
        (rb"<author>", b"<rights>x</rights><author>", "UndefinedElement"),
        (rb"(?s)<author>.*?</author>", b"", "MissingElement: author"),
        (rb'xml:lang="en"', b"", "MissingDCLanguage"),
        (rb'rel="self"', b'rel="via"', "MissingSelf"),
        (rb'rel="alternate"', b'rel="elsewhere"', "UnregisteredAtomLinkRel"),
        (rb"<updated>[^<]*", b"<updated>2026-11-06T08:00:00Z", "DuplicateUpdated"),
        (rb"<updated>[^<]*", b"<updated>2026-11-06", "InvalidRFC3339Date"),
        (rb"<id>tag:lists.example,2026:antopsis/notices[^<]*", b"<id>tag:lists.example,2026:x", "DuplicateEntries"),
        (rb"tag:lists.example,2026", b"tag:Lists.example,2026", "InvalidTAG"),
        (rb"<title>[^<]*", b"<title>a &lt;b&gt;c&lt;/b&gt;", "ContainsUndeclaredHTML"),
        (rb"(?s)<content.*?</content>", b"", "MissingTextualContent|$"),
        (rb'<content type="html"', b'<content type="image/png"', "InvalidMIMEType"),
        (rb"</feed>", b"<subtitle>late</subtitle></feed>", "MisplacedMetadata"),
        (rb"https://lists.example/antopsis/notices", b"https://lists.example/\xc3\xa4/notices", "InvalidFullLink"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "pattern", "broken", "complaint"),
    [(kind, *each) for kind, breaks in BREAKS.items() for each in breaks],
)
def test_the_rules_find_what_is_broken(kind: FeedKind, pattern: bytes, broken: bytes, complaint: str) -> None:
    document = build_feed(public_list(), ADDRESSES, kind)
    changed = re.sub(pattern, broken, document)
    assert changed != document
    found = complaints(changed, feed_address(ADDRESSES, kind), TYPES[kind], NOW)
    assert re.search(complaint, "\n".join(found)), found


def test_another_type_or_address_than_the_feed_says_is_found() -> None:
    document = build_feed(public_list(), ADDRESSES, "atom")
    assert complaints(document, feed_address(ADDRESSES, "atom"), "text/xml", NOW) != []
    assert complaints(document, "https://elsewhere.example/feed.atom", TYPES["atom"], NOW) != []


def test_two_items_of_one_instant_are_told_apart_in_atom_and_none_moves_when_an_old_one_goes(
    feed: Feed, hetzner_notice: Item
) -> None:
    at = hetzner_notice.updated_at
    same = tuple(replace(hetzner_notice, id=f"{hetzner_notice.id}/{n}", published_at=at) for n in range(4))
    url = "https://trust.antopsis.example/antopsis/feed.atom"

    def changed(feed: Feed) -> list[str]:
        return re.findall("(?s)<entry>.*?<updated>([^<]*)", build_atom(feed, url).decode())

    told = changed(replace(feed, items=same))
    assert told[:2] == ["2026-10-30T23:00:00+00:00", "2026-10-30T23:00:00.000001+00:00"]
    assert len(set(told)) == 4
    assert changed(replace(feed, items=same[:3])) == told[:3]


def test_text_in_rss_cannot_be_taken_for_markup_by_readers_of_either_kind(feed: Feed, hetzner_notice: Item) -> None:
    item = replace(hetzner_notice, title="3 < 4 & more", categories=("R&D",))
    rss = build_rss(replace(feed, items=(item,)), "https://trust.antopsis.example/antopsis/feed.rss")
    assert b"<title>3 &#x3C; 4 &#x26; more</title>" in rss
    assert b"<category>R&#x26;D</category>" in rss
    assert b"&lt;strong&gt;N" in rss

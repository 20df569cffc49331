"""What the W3C feed validator (https://validator.w3.org/feed/) complains of, as far as it can concern these feeds.

Read from its source, rule by rule, and put in words of our own; each complaint begins with the name that the validator
gives it. Errors and warnings count alike: a feed has neither.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from html.entities import name2codepoint
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
XML = "http://www.w3.org/XML/1998/namespace"
PREFIXES = {"atom": ATOM, "content": CONTENT, "dc": DC}

CHANNEL = {"title", "link", "description", "docs", "generator", "language", "lastBuildDate", "pubDate", "ttl", "item"}
CHANNEL |= {f"{{{ATOM}}}link", f"{{{DC}}}creator", "category"}
ITEM = {"title", "link", "description", "guid", "category", "pubDate", f"{{{CONTENT}}}encoded", f"{{{ATOM}}}updated"}
FEED = {"id", "title", "subtitle", "updated", "link", "author", "generator", "category", "entry", "icon", "logo"}
ENTRY = {"id", "title", "updated", "published", "link", "summary", "content", "category", "author"}
RELATIONS = {"alternate", "self", "related", "hub", "via", "next", "previous", "first", "last"}

SAFE_TAGS = frozenset(
    {"a", "abbr", "b", "blockquote", "br", "code", "em", "h3", "h4", "hr", "i", "li", "ol", "p", "pre", "strong"}
    | {"span", "table", "tbody", "td", "th", "thead", "tr", "ul"}
)
SAFE_ATTRIBUTES = frozenset({"colspan", "dir", "href", "hreflang", "lang", "rel", "rowspan", "scope", "start", "title"})
VOID = {"br", "hr", "img", "wbr"}

URI = re.compile(r"[a-zA-Z][0-9a-zA-Z+\-.]*:(//)?[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,#\[\]]+")
TAG_URI = re.compile(
    r"tag:([a-z0-9\-._]+?@)?[a-z0-9.\-]+?,\d{4}(-\d{2}(-\d{2})?)?:[0-9a-zA-Z;/?:@&=+$.\-_!~*'()%,]*(#\S*)?"
)
RFC_2822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d:\d\d ([+-]\d\d[03]0|GMT|UT|Z)"
)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# The raw document: the RSS profile's way of saying that a character is text is left alone.
MARKUP_IN_TEXT = re.compile(r"<(title|category)>[^<]*&(lt|amp);[^<]*</")


def complaints(document: bytes, address: str, content_type: str, now: datetime) -> list[str]:
    """Return all that the validator would say of a feed fetched from `address` at `now`, in the order of its rules."""
    try:
        root = etree.fromstring(document, etree.XMLParser(recover=False, resolve_entities=False))
    except etree.XMLSyntaxError as error:
        return [f"SAXError: {error}"]
    found = list(_of_the_answer(document, root, content_type))
    found += _of_every_element(root)
    if root.tag == "rss":
        found += _of_rss(root, address, now)
        if MARKUP_IN_TEXT.search(document.decode()):
            found.append("CharacterData: < and & are text in RSS as &#x3C; and &#x26; only")
    elif root.tag == f"{{{ATOM}}}feed":
        found += _of_atom(root, address, now)
    else:
        found.append(f"UndefinedElement: {root.tag}")
    return found


def _of_the_answer(document: bytes, root: Any, content_type: str) -> Iterator[str]:
    told = Message()
    told["content-type"] = content_type
    expected = "application/rss+xml" if root.tag == "rss" else "application/atom+xml"
    if told.get_content_type() != expected:
        yield f"UnexpectedContentType: {content_type}"
    encoding = str(root.getroottree().docinfo.encoding)
    if not str(told.get_param("charset")).lower() == encoding.lower() == "utf-8":
        yield f"EncodingMismatch: {content_type}, {encoding}"
    if b"<!DOCTYPE" in document:
        yield "InvalidDoctype"
    for prefix, namespace in {(p, n) for element in root.iter() for p, n in element.nsmap.items()}:
        if prefix is not None and PREFIXES.get(prefix) != namespace and prefix != "xml":
            yield f"ReservedPrefix or UnknownNamespace: {prefix}={namespace}"


def _of_every_element(root: Any) -> Iterator[str]:
    for element in root.iter():
        name = etree.QName(element).localname
        values = [element.text or "", *element.attrib.values()]
        if any(re.search("[\x80-\x9f\ufffd]", value) for value in values):
            yield f"BadCharacters: {name}"
        if not len(element) and not (element.text or "").strip() and not element.attrib and name != "channel":
            yield f"NotBlank: {name}"
        if any(not value.strip() for value in element.attrib.values()):
            yield f"AttrNotBlank: {name}"
        language = element.get(f"{{{XML}}}lang")
        if language is not None:
            yield from _of_language(language)


def _of_rss(root: Any, address: str, now: datetime) -> Iterator[str]:
    if root.get("version") != "2.0":
        yield f"InvalidRSSVersion: {root.get('version')}"
    (channel,) = root
    for name, complaint in (("title", "MissingTitle"), ("link", "MissingLink"), ("description", "MissingDescription")):
        if channel.find(name) is None:
            yield complaint
    yield from _of_children(channel, CHANNEL, several={"item", "category", f"{{{DC}}}creator", f"{{{ATOM}}}link"})
    yield from _of_language(channel.findtext("language") or "")
    yield from _of_self(channel.findall(f"{{{ATOM}}}link"), address, "application/rss+xml")
    kinds = [child.tag for child in channel]
    if "item" in kinds and set(kinds[kinds.index("item") :]) != {"item"}:
        yield "MisplacedItem: metadata after an item"
    for name in ("title", "description", "generator"):
        yield from _of_text(name, channel.findtext(name) or "")
    yield from _of_uri("link", channel.findtext("link") or "")
    for date in channel.findall("lastBuildDate") + channel.findall("pubDate"):
        yield from _of_rfc_2822(date.text, now)
    items = channel.findall("item")
    yield from _of_unique("DuplicateValue: guid", (item.findtext("guid") for item in items))
    for item in items:
        yield from _of_rss_item(item, now)


def _of_rss_item(item: Any, now: datetime) -> Iterator[str]:
    yield from _of_children(item, ITEM, several={"category"})
    kinds = [child.tag for child in item]
    if "title" not in kinds and "description" not in kinds:
        yield "ItemMustContainTitleOrDescription"
    encoded = f"{{{CONTENT}}}encoded"
    if encoded in kinds and "description" not in kinds[: kinds.index(encoded)]:
        yield "NeedDescriptionBeforeContent"
    guid = item.find("guid")
    if guid is None:
        yield "MissingGuid"
    else:
        permanent = guid.get("isPermaLink", "true")
        if permanent not in {"true", "false"}:
            yield f"InvalidBooleanAttribute: {permanent}"
        if permanent == "true" and not guid.text.startswith(("http://", "https://")):
            yield f"InvalidPermalink: {guid.text}"
        if permanent == "false" and len(guid.text) < 9 and guid.text.isdigit():
            yield f"NotSufficientlyUnique: {guid.text}"
        yield from _of_uri("guid", guid.text)
    yield from _of_uri("link", item.findtext("link") or "")
    yield from _of_text("title", item.findtext("title") or "")
    for category in item.findall("category"):
        yield from _of_text("category", category.text or "")
    yield from _of_rfc_2822(item.findtext("pubDate"), now)
    yield from _of_rfc_3339(item.findtext(f"{{{ATOM}}}updated"), now)
    for name in ("description", encoded):
        yield from _of_html(item.findtext(name) or "")


def _of_atom(root: Any, address: str, now: datetime) -> Iterator[str]:
    yield from _of_children(root, {f"{{{ATOM}}}{name}" for name in FEED}, several=_atom("entry", "link", "category"))
    yield from _of_missing(root, "id", "title", "updated")
    if root.get(f"{{{XML}}}lang") is None:
        yield "MissingDCLanguage: xml:lang"
    if root.find(f"{{{ATOM}}}author/{{{ATOM}}}name") is None:
        yield "MissingElement: author"
    kinds = [child.tag for child in root]
    entry = f"{{{ATOM}}}entry"
    if entry in kinds and set(kinds[kinds.index(entry) :]) != {entry}:
        yield "MisplacedMetadata"
    links = root.findall(f"{{{ATOM}}}link")
    yield from _of_self(links, address, "application/atom+xml")
    yield from _of_links(links)
    yield from _of_canonical(root.findtext(f"{{{ATOM}}}id") or "")
    yield from _of_rfc_3339(root.findtext(f"{{{ATOM}}}updated"), now)
    for name in ("title", "subtitle", "generator"):
        yield from _of_text(name, root.findtext(f"{{{ATOM}}}{name}") or "")
    entries = root.findall(entry)
    yield from _of_unique("DuplicateEntries: id", (each.findtext(f"{{{ATOM}}}id") for each in entries))
    yield from _of_unique("DuplicateUpdated: updated", (each.findtext(f"{{{ATOM}}}updated") for each in entries))
    for each in entries:
        yield from _of_entry(each, now)


def _of_entry(entry: Any, now: datetime) -> Iterator[str]:
    yield from _of_children(entry, {f"{{{ATOM}}}{name}" for name in ENTRY}, several=_atom("link", "category"))
    yield from _of_missing(entry, "id", "title", "updated")
    yield from _of_canonical(entry.findtext(f"{{{ATOM}}}id") or "")
    yield from _of_links(entry.findall(f"{{{ATOM}}}link"))
    content = entry.find(f"{{{ATOM}}}content")
    if content is None and entry.find(f"{{{ATOM}}}summary") is None:
        yield "MissingTextualContent"
    if content is None and not [link for link in entry.findall(f"{{{ATOM}}}link") if link.get("rel") == "alternate"]:
        yield "MissingContentOrAlternate"
    if content is not None:
        if content.get("type") not in {"html", "text"}:
            yield f"InvalidMIMEType: {content.get('type')}"
        yield from _of_html(content.text or "")
    for name in ("title", "summary"):
        yield from _of_text(name, entry.findtext(f"{{{ATOM}}}{name}") or "")
    for name in ("updated", "published"):
        yield from _of_rfc_3339(entry.findtext(f"{{{ATOM}}}{name}"), now)


def _atom(*names: str) -> set[str]:
    return {f"{{{ATOM}}}{name}" for name in names}


def _of_children(element: Any, known: set[str], several: set[str]) -> Iterator[str]:
    for tag, times in Counter(child.tag for child in element).items():
        if tag not in known:
            yield f"UndefinedElement: {tag}"
        if times > 1 and tag not in several:
            yield f"DuplicateElement: {tag}"


def _of_missing(element: Any, *names: str) -> Iterator[str]:
    for name in names:
        if element.find(f"{{{ATOM}}}{name}") is None:
            yield f"MissingElement: {name}"


def _of_unique(complaint: str, values: Iterable[str | None]) -> Iterator[str]:
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{complaint} {value}"


def _of_language(language: str) -> Iterator[str]:
    if not language:
        yield "MissingDCLanguage"
    elif language.partition("-")[0].lower() not in Locale("en").languages:
        yield f"InvalidLanguage: {language}"


def _of_self(links: list[Any], address: str, media_type: str) -> Iterator[str]:
    own = [link for link in links if link.get("rel") == "self"]
    if len(own) != 1:
        yield "MissingSelf"
    for link in own:
        if not urlsplit(link.get("href")).netloc:
            yield f"RelativeSelf: {link.get('href')}"
        if link.get("href") != address:
            yield f"SelfDoesntMatchLocation: {link.get('href')}"
        if link.get("type") != media_type:
            yield f"SelfNotAtom: {link.get('type')}"


def _of_links(links: list[Any]) -> Iterator[str]:
    kinds = [(link.get("rel", "alternate"), link.get("type"), link.get("hreflang")) for link in links]
    yield from _of_unique("DuplicateAtomLink:", (str(kind) for kind in kinds))
    for link in links:
        if link.get("rel", "alternate") not in RELATIONS:
            yield f"UnregisteredAtomLinkRel: {link.get('rel')}"
        if not link.get("href"):
            yield "MissingHref"
        else:
            yield from _of_uri("href", link.get("href"))


def _of_uri(name: str, value: str) -> Iterator[str]:
    scheme = value.partition(":")[0].lower()
    if scheme == "tag":
        if not TAG_URI.fullmatch(value):
            yield f"InvalidTAG: {value}"
    elif not URI.fullmatch(value) or (scheme in {"http", "https"} and not urlsplit(value).netloc):
        yield f"InvalidFullLink: {name} {value}"


def _of_canonical(value: str) -> Iterator[str]:
    yield from _of_uri("id", value)
    if value != value.strip():
        yield f"UnexpectedWhitespace: {value!r}"
    for encoded in re.findall("%[0-9a-fA-F]{2}", value):
        if encoded != encoded.upper() or re.fullmatch(r"[A-Za-z0-9\-._~]", chr(int(encoded[1:], 16))):
            yield f"NonCanonicalURI: {value}"


def _of_rfc_2822(value: str | None, now: datetime) -> Iterator[str]:
    if value is None or not RFC_2822.fullmatch(value):
        yield f"InvalidRFC2822Date or ProblematicalRFC822Date: {value}"
        return
    at = parsedate_to_datetime(value)
    if ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.weekday()] != value[:3]:
        yield f"IncorrectDOW: {value}"
    yield from _of_instant(at, now)


def _of_rfc_3339(value: str | None, now: datetime) -> Iterator[str]:
    if value is None or not RFC_3339.fullmatch(value):
        yield f"InvalidRFC3339Date: {value}"
        return
    yield from _of_instant(datetime.fromisoformat(value), now)


def _of_instant(at: datetime, now: datetime) -> Iterator[str]:
    if at.year < 1990 or at > now + timedelta(minutes=10):
        yield f"ImplausibleDate: {at.isoformat()}"


def _of_text(name: str, value: str) -> Iterator[str]:
    if re.search(r"</\w+>", value):
        yield f"ContainsHTML or ContainsUndeclaredHTML: {name} {value}"
    if any(entity in name2codepoint for entity in re.findall(r"&(\w+);", value)):
        yield f"ContainsUndeclaredHTML: {name} {value}"


class _Markup(HTMLParser):
    """Reads HTML as a strict parser does: what is opened is closed, in order, and nothing is dangerous."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in SAFE_TAGS:
            self.found.append(f"SecurityRisk or NotHtml: {tag}")
        for name, value in attrs:
            if name == "style":
                self.found.append(f"DangerousStyleAttr: {value}")
            elif name not in SAFE_ATTRIBUTES and not name.startswith("data-"):
                self.found.append(f"SecurityRiskAttr: {name}")
            if name in {"href", "src"} and not re.match(r"\w+:", value or ""):
                self.found.append(f"ContainsRelRef: {value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.found.append(f"NotHtml: </{tag}> closes nothing")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"NotHtml: comment {data}")


def _of_html(value: str) -> list[str]:
    parser = _Markup()
    parser.feed(value)
    parser.close()
    return parser.found + [f"NotHtml: <{tag}> stays open" for tag in parser.open]

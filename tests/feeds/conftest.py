"""What the feed tests share: Antopsis' feed of two notices and its calendar, and a real HTTP server to fetch from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from feeds.values import CalendarEvent, Feed, Item


@pytest.fixture
def hetzner_notice() -> Item:
    """The older notice, which has since taken effect."""
    return Item(
        id="tag:antopsis.example,2026:notices/2026-001",
        url="https://trust.antopsis.example/antopsis/notices/2026-001",
        title="Hetzner moves backups to Nürnberg",
        summary_text="Backups move from Falkenstein.\nIn effect since Saturday, 31 October 2026.",
        content_html="<p>Backups move to <strong>Nürnberg</strong> &amp; stay in Germany.</p>",
        published_at=datetime(2026, 9, 29, 8, 0, tzinfo=UTC),
        updated_at=datetime(2026, 10, 30, 23, 0, tzinfo=UTC),
        categories=("location", "in effect"),
    )


@pytest.fixture
def resend_notice() -> Item:
    """The newer notice, announced and pending."""
    return Item(
        id="tag:antopsis.example,2026:notices/2026-002",
        url="https://trust.antopsis.example/antopsis/notices/2026-002",
        title="Resend is added for transactional mail",
        summary_text="Takes effect on Monday, 30 November 2026.",
        content_html="<p>Resend is added.</p>",
        published_at=datetime(2026, 10, 28, 9, 30, tzinfo=UTC),
        updated_at=datetime(2026, 10, 28, 9, 30, tzinfo=UTC),
        categories=("addition",),
    )


@pytest.fixture
def feed(hetzner_notice: Item, resend_notice: Item) -> Feed:
    return Feed(
        id="tag:antopsis.example,2026:feed",
        title="Antopsis: changes of subprocessors",
        subtitle="Every change, as it is announced and as it takes effect",
        site_url="https://trust.antopsis.example/antopsis/",
        language="en",
        updated_at=datetime(2026, 10, 30, 23, 0, tzinfo=UTC),
        author_name="Antopsis GmbH",
        items=(hetzner_notice, resend_notice),
    )


@pytest.fixture
def empty_feed() -> Feed:
    return Feed(
        id="tag:apexstream.example,2026:feed",
        title="ApexStream: changes of subprocessors",
        subtitle="",
        site_url="https://apexstream.example/",
        language="en-GB",
        updated_at=datetime(2026, 9, 1, tzinfo=UTC),
        author_name="ApexStream",
    )


@pytest.fixture
def effect_day() -> CalendarEvent:
    return CalendarEvent(
        uid="2026-002.effect@antopsis.example",
        on=date(2026, 11, 30),
        title="Resend is added; Antopsis, Falkenstein",
        description="Notice 2026-002 takes effect.\nObjections end on Saturday, 28 November 2026.",
        url="https://trust.antopsis.example/antopsis/notices/2026-002",
        stamped_at=datetime(2026, 10, 28, 9, 30, tzinfo=UTC),
    )


@pytest.fixture
def withdrawn_day() -> CalendarEvent:
    return CalendarEvent(
        uid="2026-003.effect@antopsis.example",
        on=date(2026, 11, 15),
        title="Cloudflare R2 changes region",
        description="",
        url="https://trust.antopsis.example/antopsis/notices/2026-003",
        stamped_at=datetime(2026, 10, 29, 12, 0, tzinfo=UTC),
        sequence=2,
        status="CANCELLED",
    )


@dataclass
class FeedServer:
    """What a real HTTP server on this machine serves: path to media type and bytes, with an ETag over the bytes."""

    address: str
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    answers: list[tuple[str, int]] = field(default_factory=list)

    def serve(self, path: str, media_type: str, content: bytes) -> str:
        self.files[path] = (media_type, content)
        return self.address + path


@pytest.fixture
def feed_server() -> Iterator[FeedServer]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in served.files:
                served.answers.append((self.path, 404))
                self.send_error(404)
                return
            media_type, content = served.files[self.path]
            etag = f'"{hashlib.sha256(content).hexdigest()}"'
            status = 304 if self.headers.get("If-None-Match") == etag else 200
            served.answers.append((self.path, status))
            self.send_response(status)
            self.send_header("ETag", etag)
            if status == 200:
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if status == 200:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the requests out of the test output; `answers` has them."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    served = FeedServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()

"""JSON Feed 1.1 (https://jsonfeed.org/version/1.1)."""

import json

from feeds.values import Feed, Item, check_web_address

VERSION = "https://jsonfeed.org/version/1.1"


def build_json_feed(feed: Feed, self_url: str) -> bytes:
    """Return `feed` as a JSON Feed 1.1 document in UTF-8, the same bytes for the same values.

    `self_url` is the absolute address the document is served at. Times are RFC 3339 in UTC. What is empty is left out.
    JSON Feed knows neither an id nor a date of change of the feed itself. An extension stands under `_` and its name.

    Raises ValueError where `self_url` is no absolute http or https address.
    """
    document: dict[str, object] = {
        "version": VERSION,
        "title": feed.title,
        "home_page_url": feed.site_url,
        "feed_url": check_web_address("self_url", self_url),
    }
    if feed.subtitle:
        document["description"] = feed.subtitle
    document["language"] = feed.language
    document["authors"] = [{"name": feed.author_name}]
    if feed.extension is not None:
        document[f"_{feed.extension_name}"] = feed.extension
    document["items"] = [_item(item, f"_{feed.extension_name}") for item in feed.items]
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _item(item: Item, extension_key: str) -> dict[str, object]:
    document: dict[str, object] = {"id": item.id, "url": item.url, "title": item.title}
    if item.summary_text:
        document["summary"] = item.summary_text
    # Every item must have a content; the words it has are its text where it has no HTML.
    if item.content_html:
        document["content_html"] = item.content_html
    else:
        document["content_text"] = item.summary_text or item.title
    document["date_published"] = item.published_at.isoformat()
    document["date_modified"] = item.updated_at.isoformat()
    if item.categories:
        document["tags"] = list(item.categories)
    if item.extension is not None:
        document[extension_key] = item.extension
    return document

"""Feeds and calendars: values in, bytes out.

The package imports nothing of `registry`, reads no clock and opens no connection. The same values give the same
bytes on every build, so that a built file can be stored, served with an ETag and compared.

`feeds.values` holds what goes in; `feeds.syndication` (RSS, Atom), `feeds.json_feed` and `feeds.calendar` build.
"""

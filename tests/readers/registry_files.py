"""Registry files for tests."""

from __future__ import annotations

ANTOPSIS = """\
registry: 1                      # version of this format
publisher:
  slug: antopsis
  name: Antopsis
  contact: support@antopsis.io
  country: DE
  time_zone: Europe/Berlin
  notice: {days: 30, objection_days: 30, counting: calendar, clock_starts_on: accepted}
  approvals_required: 0
products:
  - {key: streaming, name: Live streaming}
entries:
  - key: hetzner-falkenstein
    name: Hetzner
    role: subprocessor
    purposes: [Servers that run the service]
    data_categories: [Account data, Usage data]
    locations: [{country: DE, place: Falkenstein, function: processing}]
    transfers: [{regime: eu, mechanism: none.same-area, destination: DE}]
customers:                       # optional: absent = untouched; addresses are better kept out of git
  - {key: example-customer, name: Example Customer GmbH, time_zone: Europe/Berlin,
     notice: {days: 45}, contacts: [privacy@customer.example]}
"""
"""A file of every part, as the documentation shows it."""

HEAD = """\
registry: 1
publisher: {slug: antopsis, name: Antopsis, contact: support@antopsis.io, time_zone: Europe/Berlin}
products: [{key: streaming, name: Live streaming}, {key: api, name: API}]
"""
"""The lines before `entries:` of a file that has nothing else to it. The entries begin in line 4."""

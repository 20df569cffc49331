"""Sentences for the conditions that only the workbench meets, beside those of `registry.i18n`, which says them."""

from __future__ import annotations

from typing import Final

TEAM_SENTENCES: Final = {
    # People
    "last-owner": "{email} is the only owner. Make somebody else an owner first.",
    "unknown-person": "{email} does not work for {publisher}. Invite them first.",
    # The list
    # Notices
    # Delivery and documents
    # Objections
    # Customers
    # Settings
}

"""Sentences for what whoever keeps the service running meets, beside those of `registry.i18n`, which says them."""

from __future__ import annotations

from typing import Final

OPERATION_SENTENCES: Final = {
    "installation-not-bound": "The database belongs to no installation yet. Start the service once (`registry serve`).",
    "database-unreachable": "The database cannot be opened: {why}. Check REGISTRY_DATABASE_URL and that it is running.",
    "schema-missing": "The database has no schema yet. Run `registry upgrade`.",
    "schema-outdated": "The schema is at {found}, and this release needs {newest}. Run `registry upgrade`.",
    "schema-newer": (
        "The schema is at {found}, which a newer release made; this one knows {newest}. Install that release again, or "
        "restore a backup of before."
    ),
    "backup-exists": "{file} is there already, and is not overwritten. Name another file, or replace it by --force.",
    "backup-unwritable": (
        "{file} cannot be written: {why}. Nothing of it was left behind. Make room, or name a file in another folder."
    ),
    "backup-unreadable": "{file} cannot be read: {why}. Name a file that `registry backup` made.",
    "not-a-backup": "{file} is no backup of a registry. Name a file that `registry backup` made.",
    "backup-damaged": (
        "{file} is damaged ({why}). Nothing was restored. Copy it again from where it is kept, or take another backup."
    ),
    "backup-format-unknown": (
        "{file} is a backup of format {version}, and this release reads {known}. Restore it with a newer release."
    ),
    "backup-schema-unknown": (
        "{file} was made by release {product} with the schema {found}, and this release knows none after {newest}. "
        "Restore it with that release or a newer one."
    ),
    "backup-does-not-fit": "{file} does not fit this database: table {table}, {why}. Nothing was restored.",
    "database-not-empty": (
        "The database holds an installation's rows already ({table}), and a backup is restored into an empty one only. "
        "Name another in REGISTRY_DATABASE_URL, or another folder in REGISTRY_INSTANCE. Nothing was changed."
    ),
    "unknown-mail": "No mail {number} is kept. `registry bounce list` shows what was kept for a person.",
    "not-suppressed": "{publisher} writes to this address: it is not among those it must not write to.",
    "unknown-task": "There is no task {number}. `registry task list --all` shows every one there was.",
    "task-closed": "Task {number} was closed already ({closed_at}).",
    "task-closes-itself": (
        "Task {number} closes by itself once it is no longer true ({kind}). Mend what it says; `registry task list` "
        "shows how."
    ),
    "time-travel-refused": "Another time than the real one is refused here: {because}.",
}

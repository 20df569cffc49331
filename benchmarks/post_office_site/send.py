"""Runs inside django-post-office's own environment: fills its queue, and sends it by its own command.

`send.py LETTERS LOCK` reads the letters once, then does what each line of standard input says, and answers with one
line of JSON: "versions", "queue" (all letters, anew) or "send" (with the seconds its command took).
"""

from __future__ import annotations

import json
import os
import sys
import time

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
django.setup()

import post_office  # noqa: E402 - Django must be set up first
from django.core.management import call_command  # noqa: E402 - Django must be set up first
from post_office.models import PRIORITY, STATUS, Email  # noqa: E402 - Django must be set up first


def queue(letters: list[dict[str, object]]) -> dict[str, object]:
    """Put every letter into the queue, ready: there is no template to fill when it is sent."""
    rows = [Email(status=STATUS.queued, priority=PRIORITY.medium, **letter) for letter in letters]
    Email.objects.bulk_create(rows, batch_size=500)
    return {"queued": len(rows)}


def send(lock: str) -> dict[str, object]:
    """Send the queue by `send_queued_mail`, with its defaults."""
    began = time.perf_counter()
    call_command("send_queued_mail", lockfile=lock)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "left": Email.objects.exclude(status=STATUS.sent).count()}


def main(path: str, lock: str) -> None:
    """Make the tables, and do what is asked until nothing more is."""
    call_command("migrate", verbosity=0)
    with open(path, encoding="utf-8") as file:
        letters = json.load(file)
    for line in sys.stdin:
        if line.strip() == "versions":
            version = ".".join(map(str, post_office.VERSION[:3]))
            answer: dict[str, object] = {"post_office": version, "django": django.get_version()}
        elif line.strip() == "queue":
            answer = queue(letters)
        else:
            answer = send(lock)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""Settings of the smallest Django project that has django-post-office in it, as shipped but for durable databases."""

from __future__ import annotations

import json
import os

_PLACE = json.loads(os.environ["POST_OFFICE_PLACE"])

SECRET_KEY = "for this measurement only"  # noqa: S105 - signs nothing
INSTALLED_APPS = ["post_office"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _PLACE["host"], _PLACE["port"]
LOGGING_CONFIG = None
if _PLACE["sqlite"]:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _PLACE["sqlite"],
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _PLACE["name"],
            "USER": _PLACE["user"],
            "PASSWORD": _PLACE["password"],
            "HOST": _PLACE["server"],
            "PORT": _PLACE["server_port"],
        }
    }

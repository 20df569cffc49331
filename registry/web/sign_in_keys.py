"""The keys under which the sign-in keeps secrets, made from the secret key: what opens one thing opens no other."""

from __future__ import annotations

import base64
import hashlib
import hmac


def one_time_codes_key(secret_key: str) -> str:
    """Return the key of the secrets that apps make their codes from."""
    return _derive(secret_key, "one-time codes")


def recovery_codes_key(secret_key: str) -> str:
    """Return the key of recovery codes, as Fernet takes it."""
    return _derive(secret_key, "recovery codes")


def _derive(secret_key: str, purpose: str) -> str:
    digest = hmac.new(secret_key.encode(), f"registry sign-in: {purpose}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()

"""What a second proof must be: which passkeys are taken, that no code is taken twice, and recovery codes on record."""

from __future__ import annotations

from typing import Any

from flask_security import MfRecoveryCodesUtil, Totp, WebauthnUtil
from passlib.totp import TokenError
from sqlalchemy import select
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from registry.database import db
from registry.web.current import wiring
from registry.web.people import Member
from registry.web.sign_in_events import note_codes_made, note_recovery_code_used


class PasskeyRules(WebauthnUtil):
    """Laptop, phone or key alike. Instead of a password a passkey must verify the person, and so counts as both."""

    def origin(self) -> str:
        """Return the address that the browser must have shown: the installation's, whatever host was asked (R33)."""
        return wiring().letterhead.base_url

    def authenticator_selection(self, user: Any, usage: str) -> AuthenticatorSelectionCriteria:
        """Say which passkeys may be added. The library would take none of the laptop itself for the first factor."""
        if usage == "first":
            return AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.DISCOURAGED,
        )

    def user_verification(self, user: Any, usage: list[str]) -> UserVerificationRequirement:
        """Say whether a passkey must check fingerprint, face or PIN: alone yes, after a password it need not."""
        if usage == ["first"]:
            return UserVerificationRequirement.REQUIRED
        if usage == ["secondary"]:
            return UserVerificationRequirement.DISCOURAGED
        return UserVerificationRequirement.PREFERRED


class OneTimeCodes(Totp):
    """Codes from an app, each taken once (RFC 6238, 5.2): whoever looks over a shoulder cannot use it again."""

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        """Return whether a code fits now, give or take `window` seconds, and was not taken before."""
        # Read anew and locked: of two browsers with one code, the second waits and then sees it was taken.
        last = db.session.scalar(select(Member.tf_last_counter).where(Member.id == user.id).with_for_update())
        if totp_secret != user.tf_totp_secret:
            # Another app is set up: what the old one was used for says nothing about the codes of the new one.
            last = None
        try:
            match = self._totp.verify(token, totp_secret, window=window, last_counter=last)
        except (TokenError, ValueError):
            return False
        user.tf_last_counter = match.counter
        return True


class RecoveryCodes(MfRecoveryCodesUtil):
    """Recovery codes whose making and use stand on record."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        """Make new codes, and return them to be shown this once."""
        codes = super().create_recovery_codes(user)
        note_codes_made(user)
        return codes

    def check_recovery_code(self, user: Any, code: str) -> bool:
        """Return whether a code is one of those left, read anew and locked: of two browsers with it, one is let in."""
        db.session.refresh(user, ["mf_recovery_codes"], with_for_update=True)
        fits = super().check_recovery_code(user, code)
        if not fits:
            user.track_failed_authn("recovery code", True)
        return fits

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        """Take a code away that was just used."""
        is_gone = super().delete_recovery_code(user, code)
        note_recovery_code_used(user)
        return is_gone

"""Flask-Security's forms, without "remember me": a session ends by itself, and a browser that is lost keeps none."""

from __future__ import annotations

import re
from typing import Final

from flask_security.forms import (
    CodeFormMixin,
    IsString,
    IsStringOrInt,
    LoginForm,
    RequiredLocalize,
    TwoFactorRescueForm,
    TwoFactorSetupForm,
    TwoFactorVerifyCodeForm,
)
from flask_security.recovery_codes import MfRecoveryForm
from flask_security.webauthn import WebAuthnRegisterForm, WebAuthnSigninForm, WebAuthnSigninResponseForm
from wtforms import BooleanField, HiddenField, RadioField, StringField

RECOVERY_CODE: Final = re.compile(r"[0-9a-f]{12}")


def tidy_code(typed: object) -> object:
    """Return a one-time code without the blanks that apps show in its middle and people type along."""
    return re.sub(r"\s", "", typed) if isinstance(typed, str) else typed


def tidy_recovery_code(typed: object) -> object:
    """Return a recovery code as it was shown, however it was typed: in capitals, or without its hyphens."""
    if not isinstance(typed, str):
        return typed
    letters = re.sub(r"[\s-]", "", typed).lower()
    return "-".join(re.findall("....", letters)) if RECOVERY_CODE.fullmatch(letters) else typed.strip()


class PasswordForm(LoginForm):
    """Address and password."""

    remember = None


class CodeForm(TwoFactorVerifyCodeForm, CodeFormMixin):
    """A one-time code."""

    code = StringField(filters=[tidy_code], validators=[IsStringOrInt(), RequiredLocalize(message="INVALID_CODE")])


class RecoveryForm(MfRecoveryForm):
    """A recovery code."""

    code = StringField(
        filters=[tidy_recovery_code], validators=[IsString(), RequiredLocalize(message="INVALID_RECOVERY_CODE")]
    )


class PasskeyForm(WebAuthnSigninForm):
    """The wish to sign in by passkey. The view wants the field, and whatever is sent in it is no."""

    remember = BooleanField(filters=[lambda sent: False])


class PasskeyAnswerForm(WebAuthnSigninResponseForm):
    """What the browser answers for the passkey."""

    remember = HiddenField(filters=[lambda sent: ""])


class NewPasskeyForm(WebAuthnRegisterForm):
    """The name of a passkey, and how it will be used."""

    usage = RadioField(choices=["first", "secondary"], default="first")


class SetupForm(TwoFactorSetupForm):
    """Whether codes are switched on or off. Its choices are in the form that WTForms goes on to take."""

    setup = RadioField(choices=["disable", "authenticator"], validate_choice=False)


class NoRescueForm(TwoFactorRescueForm):
    """What Flask-Security shows beside a code, and we do not: it is made all the same."""

    help_setup = RadioField(choices=["help"])

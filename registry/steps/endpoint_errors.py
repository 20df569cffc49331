"""What the steps about endpoints refuse; `registry.i18n` has the sentences."""

from __future__ import annotations

from registry.domain.errors import RegistryError


class UnknownEndpoint(RegistryError):
    """The publisher has no endpoint of this number. Params: number, publisher, known."""

    code = "unknown-endpoint"


class EndpointEnded(RegistryError):
    """The endpoint has ended: it was removed, or wanted nothing more. Params: number, publisher."""

    code = "endpoint-ended"


class EndpointStands(RegistryError):
    """The address is told already, for the same customer or as a follower. Params: number, publisher."""

    code = "endpoint-stands"


class EndpointNotVerified(RegistryError):
    """The endpoint did not answer as asked. Params: number, publisher, answer."""

    code = "endpoint-not-verified"


class EndpointNotTried(RegistryError):
    """Nothing leaves this installation, so that no endpoint can answer. Params: number."""

    code = "endpoint-not-tried"


class EndpointNotSigned(RegistryError):
    """Messages to a chat room are not signed, so there is no secret to rotate. Params: number, kind."""

    code = "endpoint-not-signed"

"""A channel that keeps every letter and answers as told, for tests of the steps that use channels."""

from __future__ import annotations

from collections import deque

from registry.channels.base import Accepted, Answer, Envelope


class RecordingChannel:
    """Keeps envelopes in `envelopes`, in the order they came, and sends nothing.

    Every recipient is accepted with 250 unless `script` said otherwise. `is_real` and `kind` may be chosen, so
    that a test can play the outbox or another kind of address.
    """

    def __init__(self, *, name: str = "recording", kind: str = "email", is_real: bool = True) -> None:
        self.name = name
        self.kind = kind
        self.is_real = is_real
        self.envelopes: list[Envelope] = []
        self.closed_times = 0
        self._scripts: dict[str, deque[Answer]] = {}

    def script(self, recipient: str, *answers: Answer) -> None:
        """Give these answers to the next letters to `recipient`, one each, in place of what was scripted before.

        The last answer holds for every letter after it. Raises ValueError where no answer is given.
        """
        if not answers:
            raise ValueError("a script needs at least one answer")
        self._scripts[recipient] = deque(answers)

    def sent_to(self, recipient: str) -> list[Envelope]:
        """The envelopes that came for one recipient, in order."""
        return [envelope for envelope in self.envelopes if envelope.recipient == recipient]

    def send(self, envelope: Envelope) -> Answer:
        """Keep the envelope and give the scripted answer."""
        self.envelopes.append(envelope)
        script = self._scripts.get(envelope.recipient)
        if not script:
            return Accepted(250, "recorded")
        return script.popleft() if len(script) > 1 else script[0]

    def close(self) -> None:
        """Count that the channel was let go of."""
        self.closed_times += 1

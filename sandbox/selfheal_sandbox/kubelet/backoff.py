"""How long to wait before a failed container starts again, or a failed pull is tried again: values in, values out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Numbers of the exponential back-off; the defaults are those of a kubelet (``MaxContainerBackOff`` and its half).

    Attributes:
        initial_seconds: first delay.
        maximum_seconds: delays double up to this.
        reset_after_seconds: a container that ran this long starts over with no delay.
    """

    initial_seconds: float = 10.0
    maximum_seconds: float = 300.0
    reset_after_seconds: float = 600.0

    def at_speed(self, speed: float) -> "BackoffPolicy":
        """Return the policy with every number divided by ``speed``."""
        return BackoffPolicy(
            self.initial_seconds / speed, self.maximum_seconds / speed, self.reset_after_seconds / speed
        )


@dataclass(frozen=True, slots=True)
class Backoff:
    """Where one container, or one image of a container, stands.

    Attributes:
        delay_seconds: how long to wait now; 0 means at once.
    """

    delay_seconds: float = 0.0
    next_seconds: float = 0.0

    def after_failure(self, policy: BackoffPolicy, ran_seconds: float = 0.0) -> "Backoff":
        """Return the state after one more end: the first costs nothing, the second the initial delay, then doubled."""
        if self.next_seconds == 0.0 or ran_seconds >= policy.reset_after_seconds:
            return Backoff(0.0, policy.initial_seconds)
        return Backoff(self.next_seconds, min(self.next_seconds * 2, policy.maximum_seconds))


def in_words(seconds: float) -> str:
    """Return a duration as Go prints it, as the events of a kubelet do: ``10s``, ``2m40s``, ``2.5s``, ``100ms``."""
    if seconds < 1:
        return f"{seconds * 1000:.4g}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:.5g}s" if minutes else f"{rest:.5g}s"

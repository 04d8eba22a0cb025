"""When the screen is brought up to date: soon for what is new, seldom for what is not, never into a full pipe."""

from dataclasses import dataclass

REST_SECONDS = 1.0
"""Without new data only ages change, which are told in whole seconds; on a slow link new data waits as long too."""


@dataclass(slots=True)
class Pace:
    """Decides for each tick of the console's timer what it is for.

    Keys are not asked about here: what they change is painted when they are pressed.

    Attributes:
        drawn_at: When the screen was last brought up to date, by the session's monotonic clock.
    """

    drawn_at: float = float("-inf")

    def may_draw(self, now: float, *, waiting: bool, slow: bool) -> bool:
        """Whether new data may be drawn now.

        Args:
            now: Seconds, never going back.
            waiting: Whether the terminal still has to take an earlier frame.
            slow: Whether the link is slow.
        """
        return not waiting and not (slow and now - self.drawn_at < REST_SECONDS)

    def must_draw(self, now: float, *, restless: bool) -> bool:
        """Whether to draw although no data came.

        Args:
            now: Seconds, never going back.
            restless: Whether something besides data may have changed.
        """
        return restless or not 0 <= now - self.drawn_at < REST_SECONDS

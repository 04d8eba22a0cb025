"""What went wrong with a question to Prometheus."""

from typing import Literal

from selfheal_core.errors import SelfhealError

Trouble = Literal["unreachable", "refused", "absent", "rejected", "unreadable"]
"""unreachable: no answer in time; refused: credentials or rights are missing; absent: nothing like Prometheus is there;
rejected: it answered with an error of its own; unreadable: its answer makes no sense or is too long."""


class PrometheusError(SelfhealError):
    """A question got no usable answer.

    Attributes:
        trouble: Sort of failure.
        error_type: Prometheus' own word for it (``bad_data``, ``timeout``, ``execution``, ...); "" if it gave none.
    """

    def __init__(self, what: str, next_step: str = "", *, trouble: Trouble, error_type: str = "") -> None:
        super().__init__(what, next_step)
        self.trouble = trouble
        self.error_type = error_type

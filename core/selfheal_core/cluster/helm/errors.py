"""What helm's failures mean, read from its words. Pure."""

import re

from selfheal_core.domain.escape import printable
from selfheal_core.errors import ClusterUnreachable, SelfhealError

WORDS_LIMIT = 400
"""Characters kept of what helm says."""
_KUBERNETES_UNREACHABLE = re.compile(
    r"cluster unreachable|connection refused|no such host|i/o timeout|network is unreachable|etcdserver|tls handshake",
)
_NOT_FOUND = re.compile(r"release: not found|release .* not found|release has no \S+ version|has no deployed releases")
_PENDING = re.compile(r"another operation .* is in progress")
_LATE = re.compile(r"timed out waiting|context deadline exceeded|would exceed context deadline|resources? not ready")


class HelmError(SelfhealError):
    """Helm said no. ``what`` holds its own words."""


class ReleaseNotFound(HelmError):  # noqa: N818 - the words people read are the names
    """There is no such release, or no such revision of it."""


class ReleasePending(HelmError):  # noqa: N818
    """Another Helm operation is under way, or one was cut off and left the release pending.

    Attributes:
        status: ``pending-rollback``, ...; "" where helm did not say which.
    """

    def __init__(self, what: str, next_step: str = "", *, status: str = "") -> None:
        super().__init__(what, next_step)
        self.status = status


class HelmTimeout(HelmError):  # noqa: N818
    """What helm waited for did not come true in time; helm has ended."""


class HelmUnreachable(HelmError, ClusterUnreachable):  # noqa: N818
    """Helm got no answer from the cluster."""


def from_output(verb: str, release: str, namespace: str, stderr: str) -> HelmError:
    """Turn helm's complaint into the error that fits.

    Args:
        verb: ``rollback``, ``upgrade``, ...
        release: Name of the release.
        namespace: Its namespace.
        stderr: Everything that helm wrote there.
    """
    said = complaint(stderr)
    what = f"helm {verb} of {namespace}/{release} failed: {said}"
    lower = said.lower()
    if _PENDING.search(lower):
        return ReleasePending(
            f"another Helm operation on {namespace}/{release} is under way, or one was cut off",
            f"see which with: helm history {release} -n {namespace}",
        )
    if _NOT_FOUND.search(lower):
        return ReleaseNotFound(what, f"see what there is with: helm history {release} -n {namespace}")
    if _LATE.search(lower):
        return HelmTimeout(what, f"see why with: kubectl get pods -n {namespace}")
    if _KUBERNETES_UNREACHABLE.search(lower):
        return HelmUnreachable(what, "check the cluster with: kubectl cluster-info")
    return HelmError(what)


def complaint(stderr: str) -> str:
    """The sentence of helm's output that says what went wrong, on one line, cut to a readable length."""
    start = stderr.rfind("Error: ")
    text = stderr[start + len("Error: ") :] if start >= 0 else stderr
    line = printable(" ".join(text.split()), limit=WORDS_LIMIT)
    return line or "it gave no reason"

"""The suite breaks things on purpose: it stays away from a cluster that looks like one with users on it."""

import re
from collections.abc import Iterable, Mapping

PRODUCTION = frozenset({"prod", "production", "prd", "live"})
ALLOW = "SELFHEAL_E2E_ALLOW_PRODUCTION"


def refusal(names: Iterable[str], environ: Mapping[str, str]) -> str:
    """Why the suite does not run on a cluster; "" where it does.

    A cluster looks like production if a word of one of its names is one of ``PRODUCTION``, whatever stands around it:
    ``prod-eu``, ``gke_shop_live``; ``product-test`` and ``reproduction`` do not.

    Args:
        names: Of the context and of its cluster, and the host of the API server.
        environ: May allow it with ``SELFHEAL_E2E_ALLOW_PRODUCTION=1``.
    """
    if environ.get(ALLOW) == "1":
        return ""
    for name in names:
        words = re.split(r"[^a-z]+", name.lower())
        if found := PRODUCTION.intersection(words):
            return f"'{name}' looks like production ({min(found)}), where no test breaks anything; {ALLOW}=1 allows it"
    return ""

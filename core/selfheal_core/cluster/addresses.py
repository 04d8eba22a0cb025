"""What an address says about where a request goes."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine: no proxy is asked for it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

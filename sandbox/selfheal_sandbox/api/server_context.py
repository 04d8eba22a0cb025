"""What the handlers of the API work with."""

from dataclasses import dataclass

import aiohttp

from selfheal_sandbox.api.discovery import Discovery
from selfheal_sandbox.api.objects import Objects
from selfheal_sandbox.api.ports import IssueToken, PodRuntime, ServiceNetwork
from selfheal_sandbox.rbac.policy import Policy


@dataclass(slots=True)
class ServerContext:
    """The parts of the sandbox that requests reach, and the settings of the server.

    Attributes:
        objects: the verbs.
        runtime: the kubelet.
        network: the Services.
        discovery: what is served.
        version: what ``/version`` tells, such as ``v1.37.0``.
        bookmark_seconds: how often watches get a bookmark.
        policy: who may do what.
        issue_token: makes tokens of service accounts; None where there are none to be had.
        session: for requests that are forwarded; made when the server starts.
    """

    objects: Objects
    runtime: PodRuntime
    network: ServiceNetwork
    discovery: Discovery
    version: str
    bookmark_seconds: float
    policy: Policy
    issue_token: IssueToken | None = None
    session: aiohttp.ClientSession | None = None

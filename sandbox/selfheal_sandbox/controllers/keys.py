"""The kinds of objects that controllers read and write, as (API group, plural)."""

from typing import Final

from selfheal_sandbox.store.objects import Key

CONFIG_MAPS: Final[Key] = ("", "configmaps")
DEPLOYMENTS: Final[Key] = ("apps", "deployments")
ENDPOINTS: Final[Key] = ("", "endpoints")
ENDPOINT_SLICES: Final[Key] = ("discovery.k8s.io", "endpointslices")
HORIZONTAL_POD_AUTOSCALERS: Final[Key] = ("autoscaling", "horizontalpodautoscalers")
LEASES: Final[Key] = ("coordination.k8s.io", "leases")
NAMESPACES: Final[Key] = ("", "namespaces")
NODES: Final[Key] = ("", "nodes")
POD_DISRUPTION_BUDGETS: Final[Key] = ("policy", "poddisruptionbudgets")
PODS: Final[Key] = ("", "pods")
REPLICA_SETS: Final[Key] = ("apps", "replicasets")
REPLICATION_CONTROLLERS: Final[Key] = ("", "replicationcontrollers")
SERVICE_ACCOUNTS: Final[Key] = ("", "serviceaccounts")
SERVICES: Final[Key] = ("", "services")
STATEFUL_SETS: Final[Key] = ("apps", "statefulsets")

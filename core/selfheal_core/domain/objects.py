"""Wire formats: the fields of Kubernetes objects that we use, and nothing else.

Unknown fields are skipped while decoding, which is what makes a list of ten thousand pods cheap. Times stay the
RFC 3339 strings that the API server sent; ``selfheal_core.domain.times`` reads them. The structs hold no cycles, so
they are kept out of the garbage collector (``gc=False``).
"""

from typing import Annotated

import msgspec

Uid = str
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""The API's own ranges; a number beyond them is no number of a Kubernetes object."""
Moment = Annotated[float, msgspec.Meta(ge=0, le=253_370_764_799)]
"""Seconds since the epoch, up to the last year but one that has four digits: it can be told in any time zone."""


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Base of every decoded object: immutable, camelCase on the wire."""


class OwnerReference(Wire, frozen=True):
    """Who owns an object; ``controller`` marks the one that manages it."""

    kind: str = ""
    name: str = ""
    uid: Uid = ""
    api_version: str = ""
    controller: bool = False


class Metadata(Wire, frozen=True):
    """Name, identity, version and labels of an object."""

    name: str = ""
    namespace: str = ""
    uid: Uid = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class ListMetadata(Wire, frozen=True):
    """Version and continuation of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Condition(Wire, frozen=True):
    """One entry of ``status.conditions``."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class LabelRequirement(Wire, frozen=True):
    """One entry of ``matchExpressions``."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(Wire, frozen=True):
    """A selector over labels; empty selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


class Running(Wire, frozen=True):
    """A container that runs."""

    started_at: str | None = None


class Waiting(Wire, frozen=True):
    """A container that waits, and why."""

    reason: str = ""
    message: str = ""


class Terminated(Wire, frozen=True):
    """A container that ended."""

    exit_code: Int32 = 0
    signal: Int32 = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Wire, frozen=True):
    """Exactly one of the three is set once the kubelet has reported."""

    running: Running | None = None
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Wire, frozen=True):
    """What the kubelet says of one container."""

    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: Int32 = 0
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class ResourceRequirements(Wire, frozen=True):
    """Requests and limits as Kubernetes quantities (``100m``, ``64Mi``)."""

    requests: dict[str, str | Int64] = {}
    limits: dict[str, str | Int64] = {}


class ContainerPort(Wire, frozen=True):
    """A declared port."""

    name: str = ""
    container_port: Int32 = 0


class Container(Wire, frozen=True):
    """The parts of a container's spec that we show or decide on. Environment values are never decoded."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()


class PodSpec(Wire, frozen=True):
    """The parts of a pod's spec that we use."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()


class PodStatus(Wire, frozen=True):
    """What the kubelet and the control plane say of a pod."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    start_time: str | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Wire, frozen=True):
    """A pod."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(Wire, frozen=True):
    """The template from which a workload makes pods."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()


class WorkloadSpec(Wire, frozen=True):
    """The shared parts of the specs of Deployment, ReplicaSet, StatefulSet and DaemonSet."""

    replicas: Int32 | None = None
    paused: bool = False
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(Wire, frozen=True):
    """The shared parts of the status of Deployment, ReplicaSet, StatefulSet and DaemonSet.

    The four fields at the end are a DaemonSet's words for the same numbers.
    """

    replicas: Int32 = 0
    updated_replicas: Int32 = 0
    ready_replicas: Int32 = 0
    available_replicas: Int32 = 0
    observed_generation: Int64 = 0
    conditions: tuple[Condition, ...] = ()
    desired_number_scheduled: Int32 | None = None
    updated_number_scheduled: Int32 = 0
    number_ready: Int32 = 0
    number_available: Int32 = 0


class Workload(Wire, frozen=True):
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet; the kind is known from the list it came with."""

    metadata: Metadata = Metadata()
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class ObjectReference(Wire, frozen=True):
    """Which object something is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: Uid = ""
    api_version: str = ""


class AutoscalerSpec(Wire, frozen=True):
    """Bounds and target of a HorizontalPodAutoscaler."""

    scale_target_ref: ObjectReference = ObjectReference()
    min_replicas: Int32 = 1
    max_replicas: Int32 = 0


class MetricValue(Wire, frozen=True):
    """A current or target value of a metric."""

    average_utilization: Int32 | None = None


class ResourceMetric(Wire, frozen=True):
    """CPU or memory, as the autoscaler sees it."""

    name: str = ""
    current: MetricValue = MetricValue()


class AutoscalerMetric(Wire, frozen=True):
    """One entry of ``status.currentMetrics``."""

    type: str = ""
    resource: ResourceMetric | None = None


class AutoscalerStatus(Wire, frozen=True):
    """Where the autoscaler stands; ``current_metrics`` is null until the first sync."""

    current_replicas: Int32 = 0
    desired_replicas: Int32 = 0
    current_metrics: tuple[AutoscalerMetric, ...] | None = None
    conditions: tuple[Condition, ...] = ()


class HorizontalPodAutoscaler(Wire, frozen=True):
    """A HorizontalPodAutoscaler, autoscaling/v2."""

    metadata: Metadata = Metadata()
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class DisruptionBudgetSpec(Wire, frozen=True):
    """What a PodDisruptionBudget covers."""

    selector: LabelSelector = LabelSelector()
    max_unavailable: Int32 | str | None = None


class DisruptionBudgetStatus(Wire, frozen=True):
    """How many disruptions a PodDisruptionBudget allows now."""

    disruptions_allowed: Int32 = 0
    current_healthy: Int32 = 0
    desired_healthy: Int32 = 0


class PodDisruptionBudget(Wire, frozen=True):
    """A PodDisruptionBudget, policy/v1."""

    metadata: Metadata = Metadata()
    spec: DisruptionBudgetSpec = DisruptionBudgetSpec()
    status: DisruptionBudgetStatus = DisruptionBudgetStatus()


class Event(Wire, frozen=True):
    """A core/v1 Event."""

    metadata: Metadata = Metadata()
    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = ""
    count: Int32 | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    reporting_component: str = ""


class NodeSpec(Wire, frozen=True):
    """Whether a node takes pods."""

    unschedulable: bool = False


class NodeStatus(Wire, frozen=True):
    """What a node says of itself."""

    conditions: tuple[Condition, ...] = ()


class Node(Wire, frozen=True):
    """A node."""

    metadata: Metadata = Metadata()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ObjectMetadataOnly(Wire, frozen=True):
    """What a PartialObjectMetadata request gives: Helm release Secrets are watched this way, bodies unread."""

    metadata: Metadata = Metadata()


class ConfigMap(Wire, frozen=True):
    """A ConfigMap; used for the record of known-good revisions."""

    metadata: Metadata = Metadata()
    data: dict[str, str] = {}


class ContainerMetrics(Wire, frozen=True):
    """Use of one container, as metrics.k8s.io gives it."""

    name: str = ""
    usage: dict[str, str] = {}


class PodMetrics(Wire, frozen=True):
    """Use of one pod over ``window``, ended at ``timestamp``."""

    metadata: Metadata = Metadata()
    timestamp: str | None = None
    window: str = ""
    containers: tuple[ContainerMetrics, ...] = ()

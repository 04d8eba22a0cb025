"""The story of the seven layers, one step each: given, act, observe.

A step raises `NotObserved` if the cluster does not do what the layer promises. The end-to-end tests run the same steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from selfheal_cli.demo.load import Load
from selfheal_cli.demo.stage import NotObserved, Output, Stage, is_ready, restarts
from selfheal_core.files import chart
from selfheal_core.ops import faults
from selfheal_core.ops.faults import BAD_TAG, CPU_PEAK, CRASH_LOOP, HANG, UNREADY

APP = "app-a"
NEW_TAG = "1.1"
REPLICAS = 2
"""Pods of the application where there is no load: the autoscaler's minimum in the chart."""
MOST_REPLICAS = 5
"""Its maximum there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One chapter.

    Attributes:
        layer: Number of the layer that it shows; None for a chapter that shows several.
        title: What is about to happen, as a sentence.
        play: Does it and looks; raises `NotObserved` where the cluster does not keep the promise.
    """

    layer: int | None
    title: str
    play: Callable[[Stage], None]


def all_ready(stage: Stage, count: int) -> None:
    """Wait until the application has ``count`` pods, all Ready, and none on its way out."""
    stage.run(*stage.kubectl("rollout", "status", f"deployment/{APP}", stage.timeout(60)))
    ready = ("--for=condition=Ready", stage.timeout(60))
    stage.run(*stage.kubectl("wait", "pod", "-l", f"app={APP}", *ready), check=False)
    found = sum(is_ready(pod) for pod in stage.pods(APP))
    if found < count:
        raise NotObserved(f"{APP} has {found} ready pods, wanted {count}")


def at_rest(stage: Stage) -> None:
    """Wait until the autoscaler has taken back what it added, and all is Ready.

    The pod that it removes next is one that is not Ready: the very one that a layer is about to break.
    """
    deployment = stage.kubectl("get", "deployment", APP, "-o", "json")
    if not has_replicas(stage.run(*deployment), REPLICAS):
        stage.until(
            deployment,
            partial(has_replicas, count=REPLICAS),
            f"the autoscaler is back at {REPLICAS} replicas",
            deadline_seconds=120,
            shown=stage.kubectl("get", "hpa", APP),
        )
    all_ready(stage, REPLICAS)


def has_replicas(output: Output, count: int) -> bool:
    """Whether a Deployment (JSON of kubectl) wants and has that many pods."""
    seen = output.json()
    return bool(seen) and seen["spec"]["replicas"] == seen["status"].get("replicas") == count


def liveness(stage: Stage) -> None:
    """Layer 1: `/health` fails three times, the kubelet restarts the container."""
    pod = stage.pods(APP)[0]["metadata"]["name"]
    before = restarts(stage.pods(APP)[0])
    stage.post(pod, HANG.path, HANG.body)

    def restarted(output: Output) -> bool:
        seen = output.json()
        return bool(seen) and restarts(seen) > before and is_ready(seen)

    stage.until(
        stage.kubectl("get", "pod", pod, "-o", "json"),
        restarted,
        f"{pod} was restarted by its liveness probe and is Ready again",
        deadline_seconds=45,
        shown=stage.kubectl("get", "pod", pod),
    )
    events = stage.kubectl("get", "events", "--field-selector", f"involvedObject.name={pod},reason=Killing")
    if "failed liveness probe" not in stage.show(*events).text:
        raise NotObserved("no event says that the liveness probe failed")


def readiness(stage: Stage) -> None:
    """Layer 2: `/ready` fails twice, the pod leaves the Service, and comes back."""
    at_rest(stage)
    pod = stage.pods(APP)[-1]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    endpoints = stage.kubectl("get", "endpoints", APP)
    stage.post(name, UNREADY.path, UNREADY.body)
    stage.until(
        endpoints,
        lambda output: output.code == 0 and f"{address}:" not in output.stdout,
        f"{name} ({address}) left the Service",
        deadline_seconds=20,
    )
    stage.show(*stage.kubectl("get", "pod", name))
    stage.post(name, UNREADY.path, faults.READY_AGAIN)
    stage.until(endpoints, lambda output: f"{address}:" in output.stdout, "it came back", deadline_seconds=20)


def healing(stage: Stage) -> None:
    """Layer 3: a container restarts a fourth time, healerd removes the pod, a fresh one becomes Ready."""
    at_rest(stage)
    pod = stage.pods(APP)[0]
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    get = stage.kubectl("get", "pod", name, "-o", "json")
    while restarts(pod) < faults.CRASHES:
        before = restarts(pod)
        stage.post(name, CRASH_LOOP.path, CRASH_LOOP.body)
        stage.until(
            get,
            partial(gone_or_crashed, before=before),
            f"crash {before + 1} of {name} was seen",
            deadline_seconds=40,
            shown=stage.kubectl("get", "pods", "-l", f"app={APP}"),
        )
        current = stage.run(*get, check=False)
        if gone(current):
            break
        pod = current.json()
    stage.until(
        stage.kubectl("get", "events", "--field-selector", f"involvedObject.uid={uid},reason=SelfhealEvicted"),
        lambda output: "SelfhealEvicted" in output.stdout,
        f"healerd removed {name} after more than 3 restarts",
        deadline_seconds=25,
    )
    stage.until(
        stage.kubectl("get", "pods", "-l", f"app={APP}", "-o", "json"),
        lambda output: (
            all(item["metadata"]["uid"] != uid for item in output.json()["items"])
            and sum(map(is_ready, output.json()["items"])) >= REPLICAS
        ),
        "a fresh pod took its place and is Ready",
        deadline_seconds=40,
        shown=stage.kubectl("get", "pods", "-l", f"app={APP}"),
    )


def gone(output: Output) -> bool:
    """Whether the pod (JSON of kubectl, or its error) is gone or on its way out."""
    seen = output.json()
    return output.code != 0 or bool(seen and seen["metadata"].get("deletionTimestamp"))


def gone_or_crashed(output: Output, *, before: int) -> bool:
    """Whether the pod is gone, or has restarted more than ``before`` times and runs again."""
    seen = output.json()
    return gone(output) or (bool(seen) and restarts(seen) > before and is_ready(seen))


def rollback(stage: Stage) -> None:
    """Layer 4, by hand: a release with an image that does not exist is rolled back by the verb behind the key ``R``."""
    good = stage.run("helm", "history", APP, "-n", stage.namespace, "-o", "json").json()[-1]["revision"]
    reuse = ("--reuse-values", "--set", f"image.tag={BAD_TAG}")
    stage.show("helm", "upgrade", APP, str(chart("service")), "-n", stage.namespace, *reuse, "--wait=false")
    stage.until(
        stage.kubectl("get", "pods", "-l", f"app={APP}"),
        lambda output: "ImagePullBackOff" in output.stdout or "ErrImagePull" in output.stdout,
        "the new pod cannot get its image; the old ones serve on",
        deadline_seconds=30,
    )
    stage.show("selfheal", "rollback", APP, "-n", stage.namespace, "--to", str(good), "--yes")
    history = stage.show("helm", "history", APP, "-n", stage.namespace)
    if f"Rollback to {good}" not in history.stdout:
        raise NotObserved(f"helm history does not say 'Rollback to {good}'")


def autoscaling(stage: Stage) -> None:
    """Layer 5: CPU over 70 % of the request takes the application from 2 to 5 replicas."""
    at_rest(stage)
    autoscaler = stage.kubectl("get", "hpa", APP)
    stage.show(*autoscaler)
    peak = {**CPU_PEAK.body, "seconds": round(stage.profile.seconds(faults.BURN_SECONDS))}
    for pod in stage.pods(APP)[:REPLICAS]:
        stage.post(pod["metadata"]["name"], CPU_PEAK.path, peak)
    until_most_are_ready(stage, shown=autoscaler)
    stage.show(*stage.kubectl("get", "pods", "-l", f"app={APP}", "-o", "wide"))
    for pod in stage.pods(APP):
        stage.ask(pod["metadata"]["name"], CPU_PEAK.path, faults.BURN_NOTHING)


def until_most_are_ready(stage: Stage, *, shown: Sequence[str]) -> None:
    """Wait until the autoscaler has added what it may, and show it by a command."""
    stage.until(
        stage.kubectl("get", "deployment", APP, "-o", "json"),
        lambda output: output.json()["status"].get("readyReplicas") == MOST_REPLICAS,
        f"{MOST_REPLICAS} replicas are Ready",
        deadline_seconds=60,
        shown=shown,
    )


def draining(stage: Stage) -> None:
    """Layer 6: a drain is held by the PodDisruptionBudget until each replacement is Ready."""
    budget = stage.kubectl("get", "pdb", APP)
    stage.show(*budget)
    more = two_on_a_node(stage)
    node = busiest_node(stage)
    of_ours = ("--pod-selector", f"app={APP}") if stage.profile.is_shared else ()
    drain = ("kubectl", "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", stage.timeout(90), *of_ours)
    drained = stage.show(*drain, check=False)
    stage.show("kubectl", "uncordon", node)
    if drained.code or "drained" not in drained.text:
        raise NotObserved(f"the drain of {node} did not end")
    if "would violate the pod's disruption budget" not in drained.text:
        raise NotObserved("the drain was never held by the disruption budget")
    if more:
        autoscale_from(stage, REPLICAS)
    all_ready(stage, REPLICAS)
    stage.show(*stage.kubectl("get", "pods", "-l", f"app={APP}", "-o", "wide"))


def two_on_a_node(stage: Stage) -> bool:
    """Where each pod has a node to itself the budget has nothing to hold: have more pods; gives whether it had to."""
    nodes = [pod["spec"].get("nodeName", "") for pod in stage.pods(APP)]
    if len(nodes) > len(set(nodes)):
        return False
    autoscale_from(stage, MOST_REPLICAS)
    until_most_are_ready(stage, shown=stage.kubectl("get", "pods", "-l", f"app={APP}", "-o", "wide"))
    return True


def autoscale_from(stage: Stage, fewest: int) -> None:
    """Set the autoscaler's minimum."""
    stage.show(*stage.kubectl("patch", "hpa", APP, "-p", f'{{"spec": {{"minReplicas": {fewest}}}}}'))


def busiest_node(stage: Stage) -> str:
    """The node with most pods of the application: at least two, or the budget has nothing to hold."""
    return faults.busiest_node(pod["spec"]["nodeName"] for pod in stage.pods(APP))


def killing(stage: Stage) -> None:
    """Pods are killed one after another while a client sends requests; none of its requests fails."""
    with Load(stage.service_url(APP), requests_per_second=40) as load:
        for _ in range(2):
            victim = stage.pods(APP)[0]["metadata"]["name"]
            stage.show("selfheal", "kill", victim, "-n", stage.namespace, "--yes")
    stage.say(f"  {load.summary}")
    stage.show("curl", "-sS", "-m", "5", stage.service_url(APP) + "/")
    if load.failed or not load.sent:
        raise NotObserved(f"{load.failed} of {load.sent} requests failed, first: {load.first_failure}")


STEPS = (
    Step(1, "/health fails: the kubelet restarts the container", liveness),
    Step(2, "/ready fails: the pod leaves the Service until it is ready again", readiness),
    Step(3, "a pod crashes a fourth time: healerd removes it, a fresh one takes over", healing),
    Step(4, "a bad release: rolled back by hand, with the verb behind the key R", rollback),
    Step(5, "load: the autoscaler goes from 2 to 5 replicas", autoscaling),
    Step(6, "a node is drained: the disruption budget lets pods go one by one", draining),
    Step(None, "pods are killed while a client sends requests", killing),
)

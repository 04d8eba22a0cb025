"""The API probes: what a client may expect of every Kubernetes API server. Each is one test of this folder.

A test says which it is by ``@pytest.mark.probe(NAME)``. One that is run with several versions of a client holds when it
holds with each of them.
"""

from collections import defaultdict

PROBES = (
    "create.conflict_409_status",
    "create.generateName",
    "create.ns_missing_404",
    "create.server_metadata",
    "default.deployment",
    "default.pod",
    "del.finalizers",
    "del.pod_grace",
    "del.preconditions_uid",
    "deletecollection",
    "disc.aggregated",
    "disc.api",
    "disc.apis",
    "disc.healthz_readyz",
    "disc.openapi_v2",
    "disc.openapi_v3",
    "disc.version",
    "dryrun.all",
    "gc.orphan",
    "gc.ownerReferences",
    "generation.bumps",
    "get.404_status",
    "kind.crd",
    "kind.event",
    "kind.event_v1_same_store",
    "kind.hpa_v2",
    "kind.lease",
    "kind.pdb_v1",
    "kind.secret_stringData",
    "kind.service_clusterip",
    "kubectl.api-resources",
    "kubectl.apply_csa",
    "kubectl.apply_ssa",
    "kubectl.auth_can_i",
    "kubectl.cluster-info",
    "kubectl.create_delete",
    "kubectl.describe_deploy",
    "kubectl.describe_pod",
    "kubectl.diff",
    "kubectl.explain",
    "kubectl.get",
    "kubectl.get_w",
    "kubectl.get_wide_yaml",
    "kubectl.scale",
    "kubectl.set_image_label_annotate",
    "kubectl.version",
    "kubectl.wait",
    "list.all_namespaces",
    "list.continue_expired_410",
    "list.field_selector_bad_400",
    "list.field_selectors",
    "list.kind_and_rv",
    "list.label_eq_ne",
    "list.label_set_based",
    "list.limit_continue",
    "ns.create",
    "ns.default_exists",
    "ns.delete_cascades",
    "partialmetadata.list",
    "patch.json",
    "patch.json_test_fails",
    "patch.merge_null_deletes",
    "patch.rv_conflict",
    "patch.strategic_delete",
    "patch.strategic_merge_by_name",
    "put.noop_keeps_rv",
    "put.optimistic_409",
    "put.replaces_whole_object",
    "py.aio",
    "py.dynamic_ssa",
    "py.informer",
    "py.leaderelection",
    "py.sync_crud",
    "py.watch",
    "ssa.conflict_and_force",
    "ssa.create_and_managedFields",
    "ssa.list_map_merge",
    "ssa.removes_dropped_field",
    "sub.binding",
    "sub.eviction_ok",
    "sub.eviction_pdb_429",
    "sub.scale_get",
    "sub.scale_put_patch",
    "sub.status_isolated",
    "table.pods",
    "table.watch",
    "valid.400_bad_type",
    "valid.422_bad_name",
    "valid.422_required",
    "valid.fieldValidation_strict",
    "valid.immutable_selector",
    "watch.410_gone",
    "watch.bookmarks",
    "watch.from_rv",
    "watch.selector_transition",
    "watch.sendInitialEvents",
    "watch.single_name_field",
    "watch.timeoutSeconds",
)


class Tally:
    """What became of the probes on each cluster that they were run on."""

    def __init__(self) -> None:
        self._outcomes: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def add(self, cluster: str, probe: str, outcome: str) -> None:
        """Note an outcome (pytest's word: passed, failed, skipped) of one of a probe's tests."""
        self._outcomes[cluster][probe].add(outcome)

    def held(self, cluster: str) -> int:
        """How many probes hold on a cluster: at least one test passed and none failed."""
        return sum("passed" in seen and "failed" not in seen for seen in self._outcomes[cluster].values())

    def failed(self, cluster: str) -> list[str]:
        """Probes that do not hold on a cluster."""
        return sorted(probe for probe, seen in self._outcomes[cluster].items() if "failed" in seen)

    def left_out(self, cluster: str) -> int:
        """How many probes were not run on a cluster, or skipped."""
        return len(PROBES) - self.held(cluster) - len(self.failed(cluster))

    def lines(self) -> list[str]:
        """The report: one line for all clusters, and what is missing on each; empty if no probe ran."""
        clusters = tuple(self._outcomes)
        if not clusters:
            return []
        counts = ", ".join(f"{self.held(cluster)}/{len(PROBES)} on the {cluster}" for cluster in clusters)
        return [f"API probes: {counts}", *(line for cluster in clusters for line in self._missing(cluster))]

    def _missing(self, cluster: str) -> list[str]:
        failed, left_out = self.failed(cluster), self.left_out(cluster)
        lines = [f"  on the {cluster} these do not hold: {', '.join(failed)}"] if failed else []
        return [*lines, f"  on the {cluster} {left_out} were not run"] if left_out else lines

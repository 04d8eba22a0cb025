"""Whole pods on a real kubelet: processes, surroundings, logs, restarts, volumes, ends."""

import base64
import sys
from pathlib import Path
from typing import Any

import pytest

from selfheal_sandbox.api.errors import ApiError
from selfheal_sandbox.api.ports import LogOptions
from tests.unit.sandbox_kubelet.conftest import Cluster, shell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="loopback addresses per pod are Linux")


async def test_a_program_runs_to_its_end(cluster: Cluster) -> None:
    cluster.run(shell("echo out; echo err >&2; exit 3"), restartPolicy="Never")

    assert await cluster.output() == "out\nerr\n"

    terminated = cluster.container()["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"], cluster.pod()["status"]["phase"]) == (3, "Error", "Failed")


async def test_events_tell_the_story_of_a_start(cluster: Cluster) -> None:
    cluster.run(shell("true"), restartPolicy="Never")
    await cluster.output()

    assert cluster.events() == [
        'Pulled: Container image "shell:1" already present on machine',
        "Created: Created container: c0",
        "Started: Started container c0",
    ]


async def test_the_surroundings_of_a_program(cluster: Cluster) -> None:
    cluster.objects.create(("", "configmaps"), "default", {"metadata": {"name": "cm"}, "data": {"K": "v", "f": "file"}})
    secret = {"metadata": {"name": "s"}, "data": {"S": base64.b64encode(b"hidden").decode()}}
    cluster.objects.create(("", "secrets"), "default", secret)
    script = (
        'echo "$GREETING|$K|$S|$IP|$HOSTNAME|$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT|$NO_PROXY|$HIDDEN";'
        'cat /etc/config/f "$ACCOUNT/token" "$ACCOUNT/namespace"; echo; echo $0 $1; cat /data/note; pwd | tail -c 9'
    )
    cluster.run(
        {
            "command": ["/bin/sh", "-c", f"echo note > /data/note; {script}"],
            "args": ["arg", "--greeting=$(GREETING)"],
            "workingDir": "/srv/app",
            "env": [
                {"name": "GREETING", "value": "hello-$(K)"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "ACCOUNT", "value": "/var/run/secrets/kubernetes.io/serviceaccount"},
            ],
            "envFrom": [{"configMapRef": {"name": "cm"}}, {"secretRef": {"name": "s"}}],
            "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}, {"name": "data", "mountPath": "/data"}],
        },
        restartPolicy="Never",
        volumes=[{"name": "config", "configMap": {"name": "cm"}}, {"name": "data", "emptyDir": {}}],
    )

    output = await cluster.output()

    ip = cluster.pod()["status"]["podIP"]
    assert output.splitlines() == [
        f"hello-v|v|hidden|{ip}|p|127.0.0.1:6443|127.0.0.0/8,localhost|",
        "filetoken-of-default-defaultdefault",
        "arg --greeting=hello-v",
        "note",
        "/srv/app",
    ]


async def test_nothing_of_the_sandbox_reaches_a_program(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    cluster.run(shell("env"), restartPolicy="Never")

    assert "AWS_SECRET" not in await cluster.output()


async def test_a_pod_that_declines_its_service_account_gets_no_token(cluster: Cluster) -> None:
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    cluster.run(shell(f"ls {path}"), restartPolicy="Never", automountServiceAccountToken=False)

    assert path in await cluster.output()  # ls complains about the path as it was given


async def test_crash_loop_backs_off_and_counts(cluster: Cluster) -> None:
    cluster.run(shell("echo run; exit 1"))

    await cluster.until(lambda: cluster.container()["restartCount"] >= 2 and cluster.state() == "CrashLoopBackOff")

    status = cluster.container()
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["state"]["waiting"]["message"].startswith(
        "back-off 400ms restarting failed container=c0 pod=p_default("
    )
    assert cluster.pod()["status"]["phase"] == "Running"
    assert cluster.events("BackOff")[0].startswith("Back-off restarting failed container c0 in pod p_default(")
    assert await cluster.logs(previous=True) == "run\n"
    assert len(list(cluster.folder.glob("*/logs/c0/*.log"))) == 2  # the current run's and the one before


async def test_previous_log_is_that_of_the_run_before(cluster: Cluster) -> None:
    cluster.run(shell("if [ -e seen ]; then echo second; sleep 60; else touch seen; echo first; fi"))
    await cluster.until(lambda: cluster.container()["restartCount"] == 1 and cluster.state() == "running")

    assert await cluster.logs(previous=True) == "first\n"


@pytest.mark.parametrize(("policy", "phase", "restarts"), [("OnFailure", "Succeeded", 1), ("Never", "Failed", 0)])
async def test_restart_policy(cluster: Cluster, policy: str, phase: str, restarts: int) -> None:
    cluster.run(shell("[ -e seen ] || { touch seen; exit 1; }"), restartPolicy=policy)

    await cluster.until(lambda: cluster.pod()["status"].get("phase") == phase)

    assert cluster.container()["restartCount"] == restarts


async def test_logs_without_a_run_are_refused_in_a_kubelets_words(cluster: Cluster) -> None:
    cluster.run({"image": "none:1"})
    await cluster.until(lambda: cluster.state() == "ErrImagePull")

    with pytest.raises(ApiError, match='container "c0" in pod "p" is waiting to start: image can\'t be pulled'):
        await cluster.logs()
    with pytest.raises(ApiError, match='previous terminated container "c0" in pod "p" not found'):
        await cluster.logs(previous=True)
    with pytest.raises(ApiError, match="container other is not valid for pod p"):
        await cluster.logs(container="other")


async def test_an_unknown_image_is_pulled_in_vain(cluster: Cluster) -> None:
    cluster.run({"image": "web:9"})

    await cluster.until(lambda: cluster.state() == "ImagePullBackOff")

    assert cluster.pod()["status"]["phase"] == "Pending"
    assert cluster.events("BackOff") == ['Back-off pulling image "web:9"']
    assert any('Failed to pull image "web:9"' in text for text in cluster.events("Failed"))


async def test_an_image_that_must_be_present_is_not_pulled(cluster: Cluster) -> None:
    cluster.run({"image": "web:9", "imagePullPolicy": "Never"})

    await cluster.until(lambda: cluster.state() == "ErrImageNeverPull")

    assert cluster.events("Pulling") == []


async def test_a_program_that_does_not_exist_is_told(cluster: Cluster) -> None:
    cluster.run({"command": ["no-such-program"]})

    await cluster.until(lambda: cluster.state() == "CrashLoopBackOff")

    last = cluster.container()["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (128, "StartError")
    assert 'exec: "no-such-program": executable file not found in $PATH' in last["message"]


async def test_missing_configuration_is_waited_for(cluster: Cluster) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "A"}}}]
    cluster.run(shell("echo $A", env=env), restartPolicy="Never")
    await cluster.until(lambda: cluster.state() == "CreateContainerConfigError")
    assert cluster.events("Failed") == ['Error: configmap "late" not found']

    cluster.objects.create(("", "configmaps"), "default", {"metadata": {"name": "late"}, "data": {"A": "here"}})

    assert await cluster.output() == "here\n"
    assert cluster.container()["restartCount"] == 0


async def test_a_missing_volume_source_is_waited_for(cluster: Cluster) -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    volumes = [{"name": "v", "secret": {"secretName": "late"}}]
    cluster.run(shell("cat /v/k", volumeMounts=mounts), restartPolicy="Never", volumes=volumes)
    await cluster.until(lambda: cluster.events("FailedMount"))
    assert cluster.state() == "ContainerCreating"

    secret = {"metadata": {"name": "late"}, "data": {"k": base64.b64encode(b"value\n").decode()}}
    cluster.objects.create(("", "secrets"), "default", secret)

    assert await cluster.output() == "value\n"


async def test_a_mounted_config_map_follows_its_object(cluster: Cluster) -> None:
    cluster.objects.create(("", "configmaps"), "default", {"metadata": {"name": "cm"}, "data": {"k": "old\n"}})
    script = "cat /v/k; while grep -q old /v/k; do sleep 0.05; done; cat /v/k"
    cluster.run(
        shell(script, volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        restartPolicy="Never",
        volumes=[{"name": "v", "configMap": {"name": "cm"}}],
    )
    await cluster.until(lambda: cluster.state() == "running")

    cluster.objects.update(("", "configmaps"), "default", "cm", lambda old: {**old, "data": {"k": "new\n"}})

    assert await cluster.output() == "old\nnew\n"


async def test_what_the_sandbox_lacks_is_refused_with_an_event(cluster: Cluster) -> None:
    cluster.run(shell("true"), volumes=[{"name": "v", "hostPath": {"path": "/"}}])

    await cluster.until(lambda: cluster.state() == "CreateContainerConfigError")

    assert "hostPath is refused" in cluster.events("Failed")[0]
    cluster.delete(grace=0)
    await cluster.until(cluster.is_gone)


async def test_deletion_gives_a_program_time_to_end(cluster: Cluster) -> None:
    cluster.run(shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"))
    await cluster.until(lambda: cluster.state() == "running")
    log = cluster.kubelet.read_logs(cluster.pod(), "", LogOptions(follow=True))
    assert await anext(log) == b"up\n"
    ends: list[Any] = []
    unsubscribe = cluster.objects.store.subscribe(lambda _: ends.append(cluster.container()["state"].get("terminated")))

    cluster.delete()

    assert b"".join([data async for data in log]) == b"bye\n"
    await cluster.until(cluster.is_gone)
    unsubscribe()
    assert [end["exitCode"] for end in ends if end] == [0] * len([end for end in ends if end])
    assert any(ends)
    assert cluster.events("Killing") == ["Stopping container c0"]
    assert list(cluster.folder.iterdir()) == []


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(cluster: Cluster) -> None:
    cluster.run(shell("trap '' TERM; echo up; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=1)
    await cluster.says("up")
    codes: list[int] = []
    cluster.objects.store.subscribe(
        lambda change: codes.extend(
            end["exitCode"]
            for status in change.new.obj.get("status", {}).get("containerStatuses", [])
            if (end := status["state"].get("terminated"))
        )
    )

    cluster.delete()
    await cluster.until(cluster.is_gone)

    assert set(codes) == {137}


async def test_force_cuts_a_running_grace_period_short(cluster: Cluster) -> None:
    cluster.run(shell("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    await cluster.says("up")
    cluster.delete(grace=30)
    assert cluster.processes()

    cluster.delete(grace=0)

    await cluster.until(lambda: not cluster.processes())
    await cluster.until(lambda: not list(cluster.folder.iterdir()))


async def test_termination_message_is_the_file_or_the_end_of_the_log(cluster: Cluster) -> None:
    cluster.run(shell("echo why > /dev/termination-log; exit 1"), name="file", restartPolicy="Never")
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    cluster.run(shell("echo because; exit 1", **policy), name="log", restartPolicy="Never")

    await cluster.output("file")
    await cluster.output("log")

    assert cluster.container("file")["state"]["terminated"]["message"] == "why\n"
    assert cluster.container("log")["state"]["terminated"]["message"] == "because\n"


async def test_a_pod_ends_when_its_time_is_up_and_stays_failed(cluster: Cluster) -> None:
    cluster.run(shell("sleep 60"), activeDeadlineSeconds=1)

    await cluster.until(lambda: cluster.pod()["status"].get("reason") == "DeadlineExceeded")
    await cluster.until(lambda: "terminated" in cluster.container()["state"])

    assert cluster.pod()["status"]["phase"] == "Failed"
    cluster.delete()
    await cluster.until(cluster.is_gone)


async def test_a_pod_on_a_made_up_node_is_left_alone(cluster: Cluster) -> None:
    cluster.objects.create(("", "nodes"), "", {"metadata": {"name": "elsewhere"}})
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "elsewhere", "containers": [{"name": "c", "image": "shell:1"}]},
    }
    cluster.objects.create(("", "pods"), "default", pod)
    cluster.run(shell("true"), name="other", restartPolicy="Never")
    await cluster.output("other")

    assert "containerStatuses" not in cluster.pod()["status"]
    assert cluster.kubelet.usage(cluster.pod()) == []


async def test_everything_a_container_started_ends_with_it(cluster: Cluster) -> None:
    cluster.run(shell("setsid sleep 300 & echo $!; sleep 0.1"), restartPolicy="Never")

    pid = int(await cluster.output())

    await cluster.until(lambda: not Path(f"/proc/{pid}/exe").exists())


async def test_two_containers_share_the_pods_address_and_volumes(cluster: Cluster) -> None:
    mounts = [{"name": "d", "mountPath": "/d"}]
    cluster.run(
        shell("echo hello > /d/part && mv /d/part /d/x", volumeMounts=mounts),
        shell("while ! cat /d/x 2>/dev/null; do sleep 0.05; done", volumeMounts=mounts),
        restartPolicy="Never",
        volumes=[{"name": "d", "emptyDir": {}}],
    )
    await cluster.until(lambda: cluster.pod()["status"].get("phase") == "Succeeded")

    assert await cluster.logs(container="c1") == "hello\n"


async def test_a_pod_deleted_while_its_image_is_missing_goes_at_once(cluster: Cluster) -> None:
    cluster.run({"image": "none:1"})
    await cluster.until(lambda: cluster.state() == "ImagePullBackOff")

    cluster.delete()

    await cluster.until(cluster.is_gone)
    assert cluster.addresses.released


async def test_at_most_two_containers_start_at_a_time(cluster: Cluster) -> None:
    for number in range(4):
        probe = {"exec": {"command": ["test", "-e", "go"]}, "periodSeconds": 1}
        cluster.run(shell("sleep 60", readinessProbe=probe), name=f"p{number}")

    def running() -> list[int]:
        return [number for number in range(4) if cluster.state(f"p{number}") == "running"]

    await cluster.until(lambda: len(running()) == 2)
    for root in cluster.folder.glob("*/containers/c0/root"):
        assert len(running()) == 2
        (root / "go").touch()

    await cluster.until(lambda: len(running()) == 4)

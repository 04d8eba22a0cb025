"""What the story does differently from cluster to cluster: images, patience, how a Service is reached."""

from pathlib import Path

import pytest

from selfheal_cli.demo.cluster_profile import ClusterProfile
from selfheal_cli.demo.install import install
from selfheal_cli.demo.stage import NotObserved, Stage

ELSEWHERE = ClusterProfile(
    images={"service": "registry.lab:5000/selfheal-service:1.0"},
    healerd_namespace="mine-system",
    values={"healerd": ["namespaces.excluded={a,b}"]},
    patience=3,
)


def stage(folder: Path, profile: ClusterProfile, *, sandbox: str = "", **programs: str) -> Stage:
    paths = {}
    for name, body in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        paths[name] = str(path)
    return Stage(folder / "kubeconfig", programs=paths, sandbox=sandbox, quiet=True, profile=profile)


def test_a_sandbox_runs_the_charts_as_they_are() -> None:
    assert ClusterProfile().chart_values("service") == ClusterProfile().chart_values("healerd") == ()


def test_another_image_is_given_by_repository_and_tag() -> None:
    repository = "image.repository=registry.lab:5000/selfheal-service"

    assert ELSEWHERE.chart_values("service") == ("--set", repository, "--set-string", "image.tag=1.0")
    assert ELSEWHERE.chart_values("healerd") == ("--set", "namespaces.excluded={a,b}")


def test_a_slower_cluster_gets_more_time_for_everything(tmp_path: Path) -> None:
    slow = stage(tmp_path, ClusterProfile(patience=0.1), tool="exec sleep 30")

    with pytest.raises(NotObserved, match=r"`tool` did not end within 1 s"):
        slow.run("tool", deadline_seconds=6)
    assert slow.timeout(60) == "--timeout=6s"
    assert Stage(tmp_path).timeout(60) == "--timeout=60s"


def test_what_is_awaited_longer_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotObserved, match="waited 2 s for it"):
        stage(tmp_path, ClusterProfile(patience=2), tool="true").until(
            ("tool",), lambda seen: False, "it", deadline_seconds=0.8
        )


def test_a_sandbox_is_asked_where_a_service_is(tmp_path: Path) -> None:
    here = stage(tmp_path, ClusterProfile(), sandbox="s1", **{"selfheal-sandbox": 'echo "$*"'})

    assert here.service_url("web") == "url svc/web -n demo --name s1"


def test_where_addresses_of_services_are_reachable_they_are_used(tmp_path: Path) -> None:
    asked = '[ "$*" = "-n demo get service web -o jsonpath={.spec.clusterIP}" ] && printf 10.96.0.7'

    assert stage(tmp_path, ClusterProfile(), kubectl=asked).service_url("web") == "http://10.96.0.7:8080"


def test_elsewhere_a_service_is_reached_through_the_api_server(tmp_path: Path) -> None:
    far = stage(tmp_path, ClusterProfile(proxy_url="http://127.0.0.1:8001"))

    assert far.service_url("web") == "http://127.0.0.1:8001/api/v1/namespaces/demo/services/web:8080/proxy"


def test_a_cluster_may_say_more_of_the_environment(tmp_path: Path) -> None:
    given = stage(tmp_path, ClusterProfile(environment={"NO_PROXY": "10.0.0.0/8"}), env='echo "$NO_PROXY"')

    assert given.run("env").stdout == "10.0.0.0/8\n"


def test_both_charts_are_installed_as_the_cluster_needs_them(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    record = f'echo "$*" >>{log}'

    install(stage(tmp_path, ELSEWHERE, helm=record, kubectl=record))

    healerd, service, rollout = log.read_text().splitlines()
    assert " -n mine-system --create-namespace " in healerd
    assert healerd.endswith("--set namespaces.excluded={a,b}")
    assert "image.repository=registry.lab:5000/selfheal-service --set-string image.tag=1.0" in service
    assert rollout == "-n mine-system rollout status deployment/healerd --timeout=180s"

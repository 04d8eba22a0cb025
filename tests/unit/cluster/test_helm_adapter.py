"""Helm verbs: what is put on the command line, what is not, and what becomes of helm when it has to stop."""

import asyncio
import base64
import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selfheal_core.cluster.helm import locate
from selfheal_core.cluster.helm.client import Helm
from selfheal_core.cluster.helm.errors import (
    HelmError,
    HelmTimeout,
    HelmUnreachable,
    ReleaseNotFound,
    ReleasePending,
    from_output,
)
from selfheal_core.cluster.helm.history import decode_release
from selfheal_core.errors import BadUsage, ClusterUnreachable, SelfhealError
from tests.faults import behaviours
from tests.faults.server import Exchange, FaultServer
from tests.processes import is_running

TOKEN = "SECRET-TOKEN-123"


@dataclass(frozen=True)
class FakeHelm:
    """A shell script in helm's place, in a folder that is the whole PATH but for the system's."""

    folder: Path

    def write(self, script: str, version: str = "v4.3.1") -> dict[str, str]:
        """Write the script; gives the environment that finds it."""
        file = self.folder / "bin" / "helm"
        file.parent.mkdir(exist_ok=True)
        record = f'printf "%s\\n" "$@" >>{self.folder}/argv; echo ---- >>{self.folder}/argv; env >{self.folder}/env'
        file.write_text(f'#!/bin/sh\n[ "$1" = version ] && printf {version} && exit 0\n{record}\n{script}\n')
        file.chmod(0o700)
        return {"PATH": f"{file.parent}:/usr/bin:/bin", "HOME": str(self.folder)}

    @property
    def calls(self) -> list[list[str]]:
        text = (self.folder / "argv").read_text()
        return [call.splitlines() for call in text.split("----\n") if call]

    def pid(self) -> int | None:
        file = self.folder / "pid"
        text = file.read_text() if file.exists() else ""
        return int(text) if text.endswith("\n") else None


@pytest.fixture
def fake(tmp_path: Path) -> FakeHelm:
    return FakeHelm(tmp_path)


async def found(fake: FakeHelm, script: str = "", version: str = "v4.3.1", **settings: Any) -> Helm:
    return await Helm.find(fake.write(script, version), **settings)


async def eventually(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0.01)


async def test_rolls_back_to_exactly_one_revision(fake: FakeHelm) -> None:
    helm = await found(fake)
    await helm.rollback("app-a", "payments", 6, timeout_seconds=90)
    [call] = fake.calls
    assert call[0] == "rollback"
    assert call[-3:] == ["--", "app-a", "6"]
    assert call[call.index("--namespace") + 1] == "payments"
    # Go's durations need a unit.
    assert call[call.index("--timeout") + 1] == "90s"
    assert {"--wait", "--wait-for-jobs"} <= set(call)
    assert not {"--force", "--recreate-pods", "--dry-run=server"} & set(call)


@pytest.mark.parametrize(
    ("version", "expected"), [("v4.3.1", "--dry-run=server"), ("v3.17.3", "--dry-run"), ("v3.21.0", "--dry-run")]
)
async def test_a_dry_run_is_one(fake: FakeHelm, version: str, expected: str) -> None:
    helm = await found(fake, version=version)
    await helm.rollback("app-a", "payments", 6, dry_run=True, wait=False)
    assert expected in fake.calls[0]
    assert "--wait" not in fake.calls[0]


async def test_values_go_through_standard_input(fake: FakeHelm) -> None:
    helm = await found(fake, f'cat >{fake.folder}/stdin; echo "Pulled: x"; echo \'{{"version": 8}}\'')
    revision = await helm.install_or_upgrade("app-a", "payments", Path("/charts/service"), {"password": "hunter2"})
    assert revision == 8
    assert json.loads((fake.folder / "stdin").read_text()) == {"password": "hunter2"}
    [call] = fake.calls
    assert "hunter2" not in " ".join(call)
    assert call[0] == "upgrade"
    assert "--install" in call
    assert call[-3:] == ["--", "app-a", "/charts/service"]
    assert "--create-namespace" not in call


@pytest.mark.parametrize(("version", "flag"), [("v4.3.1", "--rollback-on-failure"), ("v3.17.3", "--atomic")])
async def test_rolls_a_failed_upgrade_back_if_asked(fake: FakeHelm, version: str, flag: str) -> None:
    helm = await found(fake, "echo '{\"version\": 2}'", version=version)
    await helm.install_or_upgrade("app-a", "payments", "chart", rollback_on_failure=True)
    assert flag in fake.calls[0]


async def test_names_the_kubeconfig_in_the_environment_and_never_a_token(
    fake: FakeHelm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = (tmp_path / "one", tmp_path / "two")
    for file in files:
        file.write_text(f"users: [{{name: u, user: {{token: {TOKEN}}}}}]")
    caplog.set_level("DEBUG")
    helm = await found(fake, kubeconfig=files, context="production")
    await helm.rollback("app-a", "payments", 6)
    [call] = fake.calls
    assert call[call.index("--kube-context") + 1] == "production"
    assert f"KUBECONFIG={files[0]}:{files[1]}" in (fake.folder / "env").read_text().splitlines()
    assert "--kube-token" not in call
    assert TOKEN not in "".join(call) + caplog.text


async def test_inside_a_pod_helm_finds_the_service_account_itself(fake: FakeHelm) -> None:
    helm = await found(fake, kubeconfig=(), context="in-cluster")
    await helm.rollback("app-a", "payments", 6)
    assert "--kube-context" not in fake.calls[0]


@pytest.mark.parametrize("release", ["--post-renderer=/bin/sh", "a b", "", "A", "x" * 54, "-a", "a/b", "$(id)"])
async def test_what_is_no_release_name_never_reaches_helm(fake: FakeHelm, release: str) -> None:
    helm = await found(fake)
    with pytest.raises(BadUsage, match="is not a release name"):
        await helm.rollback(release, "payments", 6)
    assert not (fake.folder / "argv").exists()


async def test_a_dotted_release_name_is_one(fake: FakeHelm) -> None:
    helm = await found(fake)
    await helm.rollback("app.prod", "payments", 6)
    assert fake.calls[0][-2:] == ["app.prod", "6"]


async def test_revision_zero_would_mean_the_previous_one_and_is_refused(fake: FakeHelm) -> None:
    helm = await found(fake)
    with pytest.raises(BadUsage, match="'0' is not a revision"):
        await helm.rollback("app-a", "payments", 0)


async def test_reads_values_manifest_status_history_and_tests(fake: FakeHelm) -> None:
    script = """
case "$1 $2" in
"get values") echo '{"a": 1}' ;;
"get manifest") printf -- '---\\nkind: Pod\\n' ;;
status*) echo '{"info": {"status": "pending-rollback"}}' ;;
history*) echo '[{"revision": 1}]' ;;
test*) echo 'TEST SUITE: ok' ;;
esac"""
    helm = await found(fake, script)
    assert await helm.get_values("app-a", "payments", 3) == {"a": 1}
    assert await helm.get_manifest("app-a", "payments", 3) == "---\nkind: Pod\n"
    assert await helm.status("app-a", "payments") == "pending-rollback"
    assert await helm.history("app-a", "payments") == [{"revision": 1}]
    assert await helm.test("app-a", "payments", timeout_seconds=60) == "TEST SUITE: ok\n"
    values, manifest = fake.calls[:2]
    assert values[:2] == ["get", "values"]
    assert values[-2:] == manifest[-2:] == ["--", "app-a"]
    assert manifest[manifest.index("--revision") + 1] == "3"


async def test_hands_on_helm_s_warnings(fake: FakeHelm) -> None:
    helm = await found(fake, "echo 'W1009 something is deprecated' >&2")
    lines: list[str] = []
    await helm.rollback("app-a", "payments", 6, on_line=lines.append)
    assert lines == ["W1009 something is deprecated"]


async def test_an_answer_that_is_not_json_is_told(fake: FakeHelm) -> None:
    helm = await found(fake, "echo hello")
    with pytest.raises(HelmError, match="not JSON"):
        await helm.status("app-a", "payments")
    with pytest.raises(HelmError, match="makes no sense"):
        await helm.install_or_upgrade("app-a", "payments", "chart")


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("Error: release: not found", ReleaseNotFound),
        ("Error: release has no 9 version", ReleaseNotFound),
        ('Error: UPGRADE FAILED: "app-a" has no deployed releases', ReleaseNotFound),
        ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", ReleasePending),
        ("Error: context deadline exceeded", HelmTimeout),
        ("Error: timed out waiting for the condition", HelmTimeout),
        ("Error: Kubernetes cluster unreachable: Get ... connection refused", HelmUnreachable),
        ('Error: secrets is forbidden: User "x" cannot list resource', HelmError),
        ("", HelmError),
    ],
)
async def test_sorts_helm_s_complaints(fake: FakeHelm, stderr: str, kind: type[HelmError]) -> None:
    helm = await found(fake, f"echo '{stderr}' >&2; exit 1")
    with pytest.raises(HelmError) as caught:
        await helm.rollback("app-a", "payments", 6)
    assert type(caught.value) is kind


def test_a_complaint_is_one_line_and_names_the_release() -> None:
    error = from_output("rollback", "app-a", "payments", "level=WARN msg=x\nError: it\nis " + "long " * 500)
    assert error.what.startswith("helm rollback of payments/app-a failed: it is long")
    assert len(error.what) < 500
    assert "\n" not in error.what
    assert issubclass(HelmUnreachable, ClusterUnreachable)


async def test_cancelling_stops_helm_and_what_it_started(fake: FakeHelm) -> None:
    helm = await found(fake, f"sleep 1000 & echo $! >{fake.folder}/pid; wait")
    task = asyncio.create_task(helm.rollback("app-a", "payments", 6))
    await eventually(lambda: fake.pid() is not None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = fake.pid()
    assert started is not None
    await eventually(lambda: not is_running(started))


async def test_a_helm_that_does_not_end_is_stopped_and_the_state_it_left_is_told(fake: FakeHelm) -> None:
    script = f"""
[ "$1" = status ] && echo '{{"info": {{"status": "pending-rollback"}}}}' && exit 0
echo $$ >{fake.folder}/pid
sleep 1000"""
    helm = Helm(await locate.locate(fake.write(script)), fake.write(script), margin_seconds=0.2)
    with pytest.raises(ReleasePending, match="was stopped and left payments/app-a in pending-rollback") as caught:
        await helm.rollback("app-a", "payments", 6, timeout_seconds=0.2)
    assert caught.value.status == "pending-rollback"
    assert "helm rollback app-a 6 -n payments" in caught.value.next_step
    started = fake.pid()
    assert started is not None
    assert not is_running(started)


async def test_a_stopped_helm_that_left_nothing_pending_is_late(fake: FakeHelm) -> None:
    script = '[ "$1" = status ] && echo \'{"info": {"status": "failed"}}\' && exit 0\nsleep 1000'
    helm = Helm(await locate.locate(fake.write(script)), fake.write(script), margin_seconds=0.2)
    with pytest.raises(HelmTimeout, match="payments/app-a is failed"):
        await helm.rollback("app-a", "payments", 6, timeout_seconds=0.2)


async def test_takes_the_cached_helm_where_path_has_none_or_an_old_one(fake: FakeHelm, tmp_path: Path) -> None:
    tools = tmp_path / "cache" / "selfheal" / "tools"
    tools.mkdir(parents=True)
    cached = tools / "helm"
    cached.write_text("#!/bin/sh\nprintf v4.1.4\n")
    cached.chmod(0o700)
    environ = {**fake.write("", "v3.9.0"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = await locate.locate(environ)
    assert (program.path, program.version, program.major) == (cached, "4.1.4", 4)
    assert (await locate.locate({**environ, "PATH": "/nowhere"})).path == cached


async def test_a_missing_or_old_helm_says_what_to_do(fake: FakeHelm, tmp_path: Path) -> None:
    with pytest.raises(SelfhealError, match=r"helm is neither on PATH nor in .*tools; .*make setup"):
        await Helm.find({"PATH": "/nowhere", "HOME": str(tmp_path)})
    with pytest.raises(SelfhealError, match=r"no helm is new enough: .*helm is 3\.16\.4"):
        await found(fake, version="v3.16.4")
    with pytest.raises(SelfhealError, match="is not usable"):
        await found(fake, version="nonsense")


@pytest.mark.parametrize(
    ("text", "numbers"), [("v4.3.1", (4, 3, 1)), ("3.17.2+g123", (3, 17, 2)), ("4.0", (4, 0)), ("", (0,))]
)
def test_reads_version_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert locate.version_numbers(text) == numbers


# With the real program, against a scripted server that keeps two revisions.
@pytest.fixture
async def helm_program() -> locate.HelmProgram:
    try:
        return await locate.locate(os.environ)
    except SelfhealError as error:
        pytest.skip(f"{error}")


def release(revision: int, status: str) -> dict[str, Any]:
    return {
        "name": "app-a",
        "version": revision,
        "namespace": "payments",
        "info": {
            "status": status,
            "description": f"revision {revision}",
            "first_deployed": "2025-10-09T08:00:00Z",
            "last_deployed": "2025-10-09T08:00:00Z",
        },
        "chart": {"metadata": {"name": "service", "version": "1.2.3", "apiVersion": "v2"}, "values": {"b": 2}},
        "config": {"a": revision},
        "manifest": f"---\nkind: ConfigMap\nmetadata:\n  name: r{revision}\n",
    }


def secret(body: dict[str, Any]) -> dict[str, Any]:
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    revision = str(body["version"])
    labels = {"name": "app-a", "owner": "helm", "status": body["info"]["status"], "version": revision}
    name = f"sh.helm.release.v1.app-a.v{revision}"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"name": name, "namespace": "payments", "labels": labels, "uid": name, "resourceVersion": revision},
        "data": {"release": packed},
    }


def serve_releases(server: FaultServer) -> list[dict[str, Any]]:
    """Serve what helm reads: the version, and the Secrets, by name and as a list that honours label selectors."""
    secrets = [secret(release(1, "superseded")), secret(release(2, "deployed"))]
    where = "/api/v1/namespaces/payments/secrets"

    async def listed(exchange: Exchange) -> None:
        wanted = dict(pair.split("=") for pair in exchange.request.query.get("labelSelector", "").split(",") if pair)
        items = [s for s in secrets if wanted.items() <= s["metadata"]["labels"].items()]
        await exchange.answer_json(200, {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": items})

    server.script("GET", "/version", behaviours.json_body({"major": "1", "minor": "32", "gitVersion": "v1.32.0"}))
    server.script("GET", where, listed)
    for item in secrets:
        server.script("GET", f"{where}/{item['metadata']['name']}", behaviours.json_body(item))
    return secrets


async def test_the_real_helm_understands_our_commands(
    helm_program: locate.HelmProgram, server: FaultServer, tmp_path: Path
) -> None:
    secrets = serve_releases(server)
    environ = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(server.kubeconfig(tmp_path))}
    helm = Helm(helm_program, environ, context="faults")
    ours = decode_release(secrets[0]["data"]["release"])
    assert await helm.get_values("app-a", "payments", 1) == ours.values == {"a": 1}
    assert await helm.get_values("app-a", "payments", computed=True) == {"a": 2, "b": 2}
    assert (await helm.get_manifest("app-a", "payments", 1)).strip() == ours.manifest.strip()
    assert [entry["revision"] for entry in await helm.history("app-a", "payments")] == [1, 2]
    with pytest.raises(ReleaseNotFound):
        await helm.get_values("other", "payments")
    with pytest.raises(ReleaseNotFound):
        await helm.rollback("app-a", "payments", 9, timeout_seconds=5, wait=False, dry_run=True)


async def test_the_real_helm_without_a_cluster_is_told_as_unreachable(
    helm_program: locate.HelmProgram, server: FaultServer, tmp_path: Path
) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(server.kubeconfig(tmp_path))}
    await server.stop()
    with pytest.raises(HelmUnreachable, match="connection refused"):
        await Helm(helm_program, environ).rollback("app-a", "payments", 1, timeout_seconds=5)
    await server.start()

"""The stage of the demo: commands and their outputs are shown as they are, and nothing is waited for without an end."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from selfheal_cli.demo.stage import NotObserved, Output, Stage, is_ready, restarts


def program(folder: Path, name: str, body: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def stage(folder: Path, *, quiet: bool = True, **programs: str) -> Stage:
    paths = {name: program(folder, name, body) for name, body in programs.items()}
    return Stage(folder / "kubeconfig", programs=paths, quiet=quiet)


def pod(name: str, *, created: str = "2026-01-01T00:00:00Z", deleted: bool = False) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": created}
    return {"metadata": {**metadata, **({"deletionTimestamp": created} if deleted else {})}}


def test_a_command_finds_this_cluster_and_nobodys_proxy(tmp_path: Path) -> None:
    shown = stage(tmp_path, env='echo "$KUBECONFIG $SELFHEAL_KUBECONFIG $NO_PROXY"').run("env")

    assert shown.stdout == f"{tmp_path}/kubeconfig {tmp_path}/kubeconfig 127.0.0.0/8,localhost\n"


def test_a_command_that_fails_is_not_observed_and_its_words_are_passed_on(tmp_path: Path) -> None:
    with pytest.raises(NotObserved, match=r"`tool 'a b'` ended with 3: out\nerr"):
        stage(tmp_path, tool="echo out; echo err >&2; exit 3").run("tool", "a b")


def test_a_failure_that_is_expected_is_an_output_like_any_other(tmp_path: Path) -> None:
    output = stage(tmp_path, tool="echo no >&2; exit 3").run("tool", check=False)

    assert (output.code, output.text) == (3, "no")


def test_a_command_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(NotObserved, match="`tool` did not end within 0 s"):
        stage(tmp_path, tool="exec sleep 30").run("tool", deadline_seconds=0.1)


def test_a_tool_that_is_not_installed_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(NotObserved, match="no-such-tool is not installed; make setup"):
        stage(tmp_path).run("no-such-tool")


def test_a_command_is_shown_as_it_would_be_typed_with_what_it_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage(tmp_path, quiet=False, tool="echo one; echo two >&2").show("tool", "it's")

    assert capsys.readouterr().out.splitlines() == ["""  $ tool 'it'"'"'s'""", "    one", "    two"]


def test_what_is_sent_to_a_command_is_shown_too() -> None:
    output = Output(("kubectl", "create", "-f", "-"), 0, "", "", '{"a": 1}')

    assert output.command == """echo '{"a": 1}' | kubectl create -f -"""


def test_a_long_output_is_cut_in_its_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage(tmp_path, quiet=False, tool="seq 1 40").show("tool")

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == [*map(str, range(1, 8)), "... 26 lines ...", *map(str, range(34, 41))]


def test_quiet_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = stage(tmp_path, tool="echo x")
    quiet.show("tool")
    quiet.say("words")

    assert capsys.readouterr().out == ""


def test_an_answer_is_asked_for_until_it_holds_and_then_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counting = stage(tmp_path, quiet=False, tool=f"echo x >>{tmp_path}/calls; wc -l <{tmp_path}/calls")

    output = counting.until(("tool",), lambda seen: seen.stdout.strip() == "2", "two calls", deadline_seconds=20)

    printed = capsys.readouterr().out.splitlines()
    assert output.stdout.strip() == "2"
    assert printed[0].endswith(": two calls")
    assert [line.strip() for line in printed[1:]] == ["$ tool", "2"]


def test_something_else_can_be_shown_as_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = stage(tmp_path, quiet=False, tool="echo asked", evidence="echo shown")

    both.until(("tool",), lambda seen: True, "it", deadline_seconds=1, shown=("evidence",))

    assert [line.strip() for line in capsys.readouterr().out.splitlines()[1:]] == ["$ evidence", "shown"]


def test_what_never_holds_is_given_up_with_the_last_answer_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    never = stage(tmp_path, quiet=False, tool="echo still not")

    with pytest.raises(NotObserved, match="waited 0 s for it"):
        never.until(("tool",), lambda seen: False, "it", deadline_seconds=0)

    assert "still not" in capsys.readouterr().out


def test_pods_on_their_way_out_do_not_count_and_the_oldest_comes_first(tmp_path: Path) -> None:
    items = [
        pod("young", created="2026-01-02T00:00:00Z"),
        pod("leaving", deleted=True),
        pod("b"),
        pod("a"),
    ]
    (tmp_path / "pods.json").write_text(json.dumps({"items": items}))

    found = stage(tmp_path, kubectl=f'[ "$*" = "-n demo get pods -l app=web -o json" ] && cat {tmp_path}/pods.json')

    assert [one["metadata"]["name"] for one in found.pods("web")] == ["a", "b", "young"]


def test_a_practice_request_goes_through_the_api_server_with_its_body(tmp_path: Path) -> None:
    output = stage(tmp_path, kubectl='echo "$*"; cat').post("web-1", "/crash", {"code": 3})

    assert output.stdout == ('create --raw /api/v1/namespaces/demo/pods/web-1:8080/proxy/crash -f -\n{"code": 3}')


def test_an_output_that_is_no_json_is_none() -> None:
    assert Output(("x",), 0, "no", "").json() is None
    assert Output(("x",), 0, "[1]", "").json() == [1]


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, False),
        ({"conditions": None}, False),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False),
        ({"conditions": [{"type": "Initialized", "status": "True"}]}, False),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, True),
    ],
)
def test_only_the_condition_ready_makes_a_pod_ready(status: dict[str, Any], ready: bool) -> None:
    assert is_ready({"status": status}) is ready


def test_restarts_of_all_containers_count() -> None:
    assert restarts({"status": {"containerStatuses": [{"restartCount": 2}, {"restartCount": 3}]}}) == 5
    assert restarts({}) == 0


def test_the_environment_of_the_caller_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somebody/elses")
    monkeypatch.setenv("KEPT", "yes")

    environment = Stage(tmp_path / "kubeconfig").environment()

    assert environment["KEPT"] == "yes"
    assert environment["KUBECONFIG"] == str(tmp_path / "kubeconfig")
    assert os.environ["KUBECONFIG"] == "/somebody/elses"

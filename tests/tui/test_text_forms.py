"""The same data as text: a table, sentences, one JSON document."""

import json
from dataclasses import replace

from selfheal_cli import words
from selfheal_cli.text import as_json, changes, report, sentences
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot, Source
from selfheal_tui.showcase import NAMESPACE, NOW


def test_the_table_names_what_is_broken_first_and_the_pods_in_trouble(shown: Snapshot) -> None:
    lines = report(shown, NOW)
    assert lines[0].split() == ["NAMESPACE", "APP", "STATE", "READY", "HPA", "CPU", "RESTARTS", "ERRORS", "P95"]
    assert lines[1].split()[:4] == [NAMESPACE, "app-a", "crash", "loop"]
    assert any("app-a-7d9f8c6b5d-x2x9k" in line and "exits 1 after 2s" in line for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert all(line.isascii() for line in lines)


def test_what_is_not_known_is_said(shown: Snapshot) -> None:
    lost = Source("metrics", "absent", NOW - 9, None, "the cluster serves no metrics.k8s.io")
    lines = report(replace(shown, sources={"metrics": lost}), NOW)
    assert "metrics: absent (the cluster serves no metrics.k8s.io)" in lines


def test_sentences_are_one_per_application_worst_first(shown: Snapshot) -> None:
    said = sentences(shown, NOW)
    assert said[0] == (
        "payments/app-a: crash loop 4m, 1 of 2 ready, 9 restarts, errors 38%. "
        "Container app exits 1 after 2s in 1 of 2 pods."
    )
    assert "payments/mailer: no data 1m. Its pods can't be listed: forbidden." in said


def test_plain_mode_tells_what_became_different_and_nothing_else(shown: Snapshot) -> None:
    key = AppKey(NAMESPACE, "app-a")
    healed = replace(shown.applications[key], state="healthy", severity="ok", ready=2, reason="")
    after = replace(shown, applications={**shown.applications, key: healed})
    told = changes(shown, after, NOW)
    assert len(told) == 1
    assert told[0] == "16:45:19 payments/app-a: healthy, 2 of 2 ready, 9 restarts, errors 38%."
    assert changes(shown, shown, NOW) == []


def test_applications_that_go_and_streams_that_are_lost_are_told(shown: Snapshot) -> None:
    fewer = {key: app for key, app in shown.applications.items() if key.name != "search"}
    lost = {**shown.sources, "pods": Source("pods", "lost", NOW - 2, NOW - 42, "connection refused", NOW + 8)}
    told = changes(shown, replace(shown, applications=fewer, sources=lost), NOW)
    assert "16:45:19 payments/search: gone." in told
    assert "16:45:19 pods: lost 42s, retrying in 8s (connection refused)" in told


def test_the_json_document_has_units_and_both_forms_of_time(shown: Snapshot) -> None:
    document = json.loads(as_json(shown, NOW))
    app = document["applications"][0]
    assert (app["name"], app["namespace"], app["state"]) == ("app-a", NAMESPACE, "crash loop")
    assert app["since"] == "2026-11-26T16:41:07Z"
    assert app["sinceSeconds"] == 252.0
    assert app["autoscaler"]["maxReplicas"] == 5
    pod = next(pod for pod in document["pods"] if pod["name"].endswith("x2x9k"))
    assert pod["lastRestartAt"] == "2026-11-26T16:44:38Z"
    assert pod["ageSeconds"] == 360.0
    assert document["sources"]["pods"]["condition"] == "live"


def test_labels_keep_their_names_in_json(shown: Snapshot) -> None:
    from msgspec import structs

    uid, pod = next(iter(shown.pods.items()))
    labelled = structs.replace(pod, labels={"my_team": "a_b", "app": "x"})
    document = json.loads(as_json(replace(shown, pods={uid: labelled}), NOW))
    assert document["pods"][0]["labels"] == {"my_team": "a_b", "app": "x"}


def test_a_terminal_escape_in_a_reason_does_not_reach_the_pipe(shown: Snapshot) -> None:
    app: Application = replace(shown.applications[AppKey(NAMESPACE, "app-a")], reason="\x1b]0;owned\x07")
    told = sentences(replace(shown, applications={app.key: app}), NOW)
    assert "\x1b" not in told[0]
    assert "\x07" not in told[0]


def test_words_of_figures() -> None:
    assert [words.ratio(value) for value in (None, 0.0, 0.0004, 0.001, 0.0123, 0.38)] == [
        *("no data", "0%", "<0.1%", "0.1%", "1.2%", "38%"),
    ]
    assert [words.latency(value) for value in (None, 0.0843, 1.24)] == ["-", "84ms", "1.2s"]
    assert [words.memory(value) for value in (None, 64 * 2**20, 3 * 2**29)] == ["-", "64Mi", "1.5Gi"]
    assert words.restarts(6, NOW - 41, NOW) == "6 · 41s"
    assert words.restarts(0, None, NOW) == "0"

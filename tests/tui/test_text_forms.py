"""The same data as text: a table, sentences, one JSON document."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_cli import words
from selfheal_cli.document_schema import document_schema
from selfheal_cli.text import as_json, changes, json_changes, report, sentences
from selfheal_core.domain.snapshot import AppKey, Application, Snapshot, Source
from selfheal_core.domain.words import ratio
from selfheal_tui.showcase import NAMESPACE, NOW
from tests.tui.json_documents import problems

REAL_VALIDATOR = Path(__file__).parents[2] / ".venv" / "tables" / "bin" / "python"


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
    assert [ratio(value) for value in (None, 0.0, 0.0004, 0.001, 0.0123, 0.38)] == [
        *("no data", "0%", "<0.1%", "0.1%", "1.2%", "38%"),
    ]
    assert [words.latency(value) for value in (None, 0.0843, 1.24)] == ["-", "84ms", "1.2s"]
    assert [words.memory(value) for value in (None, 64 * 2**20, 3 * 2**29)] == ["-", "64Mi", "1.5Gi"]
    assert words.restarts(6, NOW - 41, NOW) == "6 · 41s"
    assert words.restarts(0, None, NOW) == "0"


SCHEMA = document_schema()


def wrong_in(document: str) -> list[str]:
    return list(problems(json.loads(document), SCHEMA, SCHEMA))


def test_the_document_is_what_the_schema_says(shown: Snapshot) -> None:
    assert wrong_in(as_json(shown, NOW)) == []


def test_an_empty_cluster_is_a_document_too() -> None:
    assert wrong_in(as_json(Snapshot(0, NOW), NOW)) == []


def test_every_line_of_changes_is_what_the_schema_says(shown: Snapshot) -> None:
    key = AppKey(NAMESPACE, "app-a")
    healed = replace(shown.applications[key], state="healthy", since=None)
    fewer = {each: app for each, app in shown.applications.items() if each.name != "search"}
    lost = {**shown.sources, "pods": Source("pods", "lost", NOW - 2, NOW - 42, "connection refused", NOW + 8)}
    after = replace(shown, applications={**fewer, key: healed}, sources=lost)

    lines = json_changes(shown, after, NOW)

    assert [json.loads(line)["type"] for line in lines] == ["application", "gone", "source"]
    assert [problem for line in lines for problem in wrong_in(line)] == []
    assert all("\n" not in line for line in lines)
    assert json.loads(lines[2])["source"]["ageSeconds"] == 42.0


def test_the_schema_tells_a_wrong_document_from_a_right_one(shown: Snapshot) -> None:
    document = json.loads(as_json(shown, NOW))
    document["applications"][0]["state"] = "fine"
    document["pods"][0]["restarts"] = "many"
    document["pods"][0]["unheard"] = 1
    del document["healerd"]["present"]

    assert len(wrong_in(json.dumps(document))) >= 4


@pytest.mark.skipif(not REAL_VALIDATOR.exists(), reason="no jsonschema here: `make tables` brings it")
def test_a_validator_of_others_agrees(shown: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "document.json").write_text(as_json(shown, NOW))
    program = (
        "import json, sys, jsonschema\n"
        "schema, document = (json.load(open(name)) for name in sys.argv[1:])\n"
        "jsonschema.Draft202012Validator.check_schema(schema)\n"
        "jsonschema.Draft202012Validator(schema).validate(document)\n"
        "del document['takenAt']\n"
        "assert not jsonschema.Draft202012Validator(schema).is_valid(document)\n"
    )
    arguments = [str(REAL_VALIDATOR), "-c", program, str(tmp_path / "schema.json"), str(tmp_path / "document.json")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_not_current_is_said_first(shown: Snapshot) -> None:
    stale = replace(shown, sources={"pods": Source("pods", "stale", NOW - 2, NOW - 95, "nothing came for 90 s")})
    sentence = "NOT CURRENT: pods: stale 1m (nothing came for 90 s). What follows may be wrong now."

    assert report(stale, NOW)[0] == sentence
    assert sentences(stale, NOW)[0] == sentence
    document = json.loads(as_json(stale, NOW))
    assert document["stale"] == ["pods"]
    assert document["sources"]["pods"]["ageSeconds"] == 95.0
    assert json.loads(as_json(shown, NOW))["stale"] == []


def test_no_form_holds_what_a_terminal_would_obey(shown: Snapshot) -> None:
    nasty = "\x1b]0;owned\x07\x9b31m\u202e\U000e0001\n"
    key = AppKey(NAMESPACE, "app-a")
    app = replace(shown.applications[key], reason=nasty, change=nasty, detail=nasty)
    after = replace(shown, applications={key: app}, server_version=nasty)
    texts = [*report(after, NOW), *sentences(after, NOW), *changes(shown, after, NOW), *json_changes(shown, after, NOW)]
    texts += as_json(after, NOW).splitlines()

    assert [text for text in texts if not text.isprintable()] == []
    assert json.loads(as_json(after, NOW))["applications"][0]["reason"] == nasty

"""What differs between two manifests, in a sentence and in full."""

import pytest

from selfheal_core.ops.manifest_diff import parse_manifest, summary, unified

DEPLOYMENT = """
# Source: service/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-a}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - name: app
          image: %s
          env:
            - {name: LOG, value: info}
%s
"""
URL = "            - {name: DB_URL, value: x}"
SECRET = """
kind: Secret
metadata: {name: key}
stringData: {token: %s}
"""


def objects(*texts: str) -> dict[object, dict[str, object]]:
    return parse_manifest("\n---\n".join(texts))  # type: ignore[return-value]


NEW = parse_manifest(DEPLOYMENT % ("app:2", ""))
OLD = parse_manifest(DEPLOYMENT % ("app:1", URL))


def test_names_the_object_and_the_fields() -> None:
    assert summary(NEW, OLD) == "Deployment app-a: image, env DB_URL"


def test_the_same_manifest_changes_nothing() -> None:
    assert summary(OLD, OLD) == "nothing: both revisions have the same manifest"
    assert unified(OLD, OLD, "a", "b") == ""


def test_objects_that_come_and_go_are_named() -> None:
    with_secret = parse_manifest(DEPLOYMENT % ("app:2", "") + "\n---\n" + SECRET % "one")
    assert summary(NEW, with_secret) == "Secret key comes back"
    assert summary(with_secret, NEW) == "Secret key goes"


def test_many_changes_are_counted() -> None:
    before = {f"kind: ConfigMap\nmetadata: {{name: m{number}}}\ndata: {{a: '1'}}" for number in range(5)}
    after = {text.replace("'1'", "'2'") for text in before}
    text = summary(parse_manifest("\n---\n".join(sorted(before))), parse_manifest("\n---\n".join(sorted(after))))
    assert text == "ConfigMap m0: a; ConfigMap m1: a; ConfigMap m2: a (+2)"


def test_a_secrets_change_shows_but_no_value_does() -> None:
    before, after = parse_manifest(SECRET % "hunter2"), parse_manifest(SECRET % "swordfish")
    text = unified(before, after, "revision 7", "revision 6")
    assert summary(before, after) == "Secret key: token"
    assert "hunter2" not in text
    assert "swordfish" not in text
    assert text.count("<hidden ") == 2


def test_the_full_difference_is_in_unified_format() -> None:
    text = unified(NEW, OLD, "revision 7", "revision 6")
    assert text.splitlines()[:2] == ["--- revision 7/Deployment/app-a", "+++ revision 6/Deployment/app-a"]
    assert "-        image: app:2" in text
    assert "+        image: app:1" in text


def test_the_full_difference_is_bounded_and_printable() -> None:
    big = parse_manifest("kind: A\nmetadata: {name: b}\nlist:\n" + "\n".join(f"- {n}" for n in range(5_000)))
    assert unified({}, big, "a", "b").splitlines()[-1].endswith("more lines")
    odd = parse_manifest('kind: A\nmetadata: {name: b}\ntext: "\\e[2J"')
    assert "\x1b" not in unified({}, odd, "a", "b")


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="the manifest is not YAML"):
        parse_manifest(text)


def test_documents_that_are_no_objects_are_left_out() -> None:
    assert parse_manifest("---\n# nothing\n---\n- a\n- b\n---\njust words") == {}


def test_lists_without_names_are_one_field() -> None:
    before = parse_manifest("kind: A\nmetadata: {name: b}\nargs: [one]")
    after = parse_manifest("kind: A\nmetadata: {name: b}\nargs: [two]")
    assert summary(before, after) == "A b: args"

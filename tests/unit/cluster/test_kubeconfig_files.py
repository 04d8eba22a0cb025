"""Kubeconfig files: which are read, how they are merged, and how each mistake reads."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from selfheal_core.cluster.kubernetes import kubeconfig
from selfheal_core.errors import BadUsage


def write(file: Path, **fields: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(fields))
    return file


def context(name: str, cluster: str = "c", user: str = "u", **more: str) -> dict[str, Any]:
    return {"name": name, "context": {"cluster": cluster, "user": user, **more}}


def cluster(name: str, server: str) -> dict[str, Any]:
    return {"name": name, "cluster": {"server": server}}


USER = {"name": "u", "user": {"token": "secret-token"}}


def test_the_explicit_file_wins(tmp_path: Path) -> None:
    explicit = write(tmp_path / "a")
    other = write(tmp_path / "b")
    assert kubeconfig.files_to_read(explicit, {"KUBECONFIG": str(other)}) == (explicit,)


def test_the_variable_names_several_and_missing_ones_are_passed_over(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a"), write(tmp_path / "b")
    environ = {"KUBECONFIG": f"{a}:{tmp_path / 'nowhere'}:{b}:", "HOME": str(tmp_path)}
    assert kubeconfig.files_to_read(None, environ) == (a, b)


def test_the_home_folder_is_the_default(tmp_path: Path) -> None:
    assert kubeconfig.files_to_read(None, {"HOME": str(tmp_path)}) == ()
    file = write(tmp_path / ".kube" / "config")
    assert kubeconfig.files_to_read(None, {"HOME": str(tmp_path)}) == (file,)


def test_a_named_file_that_is_missing_is_told_with_a_way_on(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for explicit, environ in ((missing, {}), (None, {"KUBECONFIG": str(missing)})):
        with pytest.raises(BadUsage, match=r"missing: no such file; .*--sandbox"):
            kubeconfig.files_to_read(explicit, environ)


def test_the_first_file_that_names_something_counts(tmp_path: Path) -> None:
    first = write(tmp_path / "1", contexts=[context("x")], clusters=[cluster("c", "https://one")], users=[USER])
    second = write(
        tmp_path / "2",
        **{"current-context": "y"},
        contexts=[context("x", user="nobody"), context("y", cluster="d")],
        clusters=[cluster("c", "https://other"), cluster("d", "https://two")],
    )
    config = kubeconfig.read((first, second))
    assert config.current_context == "y"
    assert kubeconfig.select(config, "x").cluster.text("server") == "https://one"
    assert kubeconfig.select(config, None).cluster.text("server") == "https://two"


def test_paths_start_from_the_file_that_names_them(tmp_path: Path) -> None:
    file = write(tmp_path / "deep" / "config", users=[{"name": "u", "user": {"tokenFile": "t", "client-key": "/abs"}}])
    user = kubeconfig.read((file,)).users["u"]
    assert user.file("tokenFile") == tmp_path / "deep" / "t"
    assert user.file("client-key") == Path("/abs")
    assert user.file("client-certificate") is None


def test_an_unknown_context_names_the_nearest(tmp_path: Path) -> None:
    file = write(tmp_path / "c", contexts=[context("production"), context("staging")])
    with pytest.raises(BadUsage, match=r"no context 'prodution' in .*; did you mean 'production'\?"):
        kubeconfig.select(kubeconfig.read((file,)), "prodution")


def test_no_current_context_lists_the_known_ones(tmp_path: Path) -> None:
    file = write(tmp_path / "c", contexts=[context("production"), context("staging")])
    with pytest.raises(BadUsage, match=r"no current context in .*known: production, staging"):
        kubeconfig.select(kubeconfig.read((file,)), None)


@pytest.mark.parametrize(("missing", "what"), [("clusters", "cluster 'c'"), ("users", "user 'u'")])
def test_a_context_that_leads_nowhere_says_what_is_missing(tmp_path: Path, missing: str, what: str) -> None:
    fields = {"contexts": [context("x")], "clusters": [cluster("c", "https://one")], "users": [USER]}
    del fields[missing]
    with pytest.raises(BadUsage, match=f"context 'x' names the {what}, which is not in"):
        kubeconfig.select(kubeconfig.read((write(tmp_path / "c", **fields),)), "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users: [\n  token: secret-token\n", "is not YAML"),
        ("- a\n- b\n", "is not a kubeconfig"),
        ("contexts: 5\n", "'contexts' is not a list of named entries"),
        ("users: [{user: {token: secret-token}}]\n", "'users' is not a list of named entries"),
    ],
)
def test_a_file_that_is_none_is_told_without_its_secrets(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "c"
    file.write_text(text)
    with pytest.raises(BadUsage) as caught:
        kubeconfig.read((file,))
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "secret-token" not in str(caught.value)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "c"
    file.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(BadUsage, match="it is not text"):
        kubeconfig.read((file,))


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c"
    file.write_text("")
    assert kubeconfig.read((file,)).contexts == {}


def test_a_context_without_user_or_namespace_has_defaults(tmp_path: Path) -> None:
    file = write(
        tmp_path / "c",
        contexts=[{"name": "x", "context": {"cluster": "c"}}],
        clusters=[cluster("c", "https://one")],
    )
    selection = kubeconfig.select(kubeconfig.read((file,)), "x")
    assert selection.namespace == "default"
    assert selection.user.values == {}

"""healerd's configuration file: wrong ones are refused in words, right ones end frozen."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from healerd.configuration import load
from healerd.main import main
from selfheal_core.errors import BadUsage


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(written(tmp_path, ""), own_namespace="x") == load(None, own_namespace="x")


def test_reads_every_section(tmp_path: Path) -> None:
    text = """
policy: {maxRestarts: 5, retrySeconds: 10, ownerIntervalSeconds: 20}
namespaces: {excluded: [quiet]}
knownGood: {soakSeconds: 7}
listen: {host: 127.0.0.1, port: 9000}
dryRun: true
"""
    configuration = load(written(tmp_path, text), own_namespace="mine")

    assert configuration.policy.max_restarts == 5
    assert configuration.policy.retry_seconds == 10
    assert configuration.policy.owner_interval_seconds == 20
    assert configuration.policy.excluded_namespaces == {"kube-system", "quiet"}
    assert configuration.policy.own_namespace == "mine"
    assert (configuration.soak_seconds, configuration.host, configuration.port) == (7, "127.0.0.1", 9000)
    assert configuration.dry_run


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("policy: {maxRestart: 3}", "unknown key 'policy.maxRestart', did you mean 'maxRestarts'?"),
        ("dry_run: true", "unknown key 'dry_run', did you mean 'dryRun'?"),
        ("policy: {maxRestarts: 0}", "policy.maxRestarts: input should be greater than or equal to 1"),
        ("- 1", "holds no keys and values"),
        ("policy: [", "is not YAML"),
    ],
)
def test_refuses_what_is_wrong_in_words(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(BadUsage, match=complaint.replace("?", r"\?").replace("(", r"\(")):
        load(written(tmp_path, text), own_namespace="x")


def test_the_command_says_it_in_one_line_and_exits_with_2(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "missing.yaml")])

    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "No such file" in done.stderr


def test_an_unreadable_kubeconfig_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--kubeconfig", str(tmp_path / "missing")])

    assert done.exit_code == 2
    assert "missing" in done.stderr.splitlines()[-1]

"""What kwok is told, and what the crowd is made of."""

from pathlib import Path

import pytest
import yaml

from tests.lab.errors import LabError
from tests.lab.kwok import STAGES, Crowd, application, configuration, fake_node, kwok_command
from tests.lab.namespaces import ENDS_WITH_STARTER


def module(folder: Path, *stages: str) -> Path:
    """A folder as kwok's source has it."""
    for name in stages:
        place = folder / "kustomize" / "stage" / name
        place.mkdir(parents=True)
        (place / "kustomization.yaml").write_text("kind: Kustomization\n")
        (place / "one.yaml").write_text(f"kind: Stage\nmetadata: {{name: {place.name}}}\n")
    return folder


def test_the_stages_of_nodes_and_pods_follow_the_options(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(configuration(module(tmp_path, *STAGES))))

    assert [document["kind"] for document in documents] == ["KwokConfiguration", "Stage", "Stage", "Stage"]
    assert documents[0]["options"]["podPlayStageParallelism"] > 4
    assert all(documents[0]["options"].values()), "an option that is 0 stops kwok"


def test_a_module_without_stages_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no stages in .*go mod verify"):
        configuration(module(tmp_path, *STAGES[:2]))


def test_only_nodes_that_say_so_are_played() -> None:
    command = kwok_command(Path("/bin/kwok"), Path("/k"), Path("/c"))

    assert "--manage-all-nodes=false" in command
    (selector,) = (flag for flag in command if "annotation-selector" in flag)
    key, value = selector.split("=", 1)[1].split("=")
    assert fake_node("n", 1)["metadata"]["annotations"] == {key: value}


def test_kwok_ends_with_the_benchmark_that_started_it() -> None:
    command = kwok_command(Path("/bin/kwok"), Path("/k"), Path("/c"))

    assert tuple(command[: len(ENDS_WITH_STARTER)]) == ENDS_WITH_STARTER
    assert command[len(ENDS_WITH_STARTER)] == "/bin/kwok"


def test_pods_of_the_crowd_go_to_played_nodes_and_others_do_not() -> None:
    node, pod = fake_node("n", 250), application("a", 2)["spec"]["template"]["spec"]

    assert pod["nodeSelector"].items() <= node["metadata"]["labels"].items()
    (taint,), (toleration,) = node["spec"]["taints"], pod["tolerations"]
    assert (taint["key"], taint["effect"]) == (toleration["key"], toleration["effect"])


def test_the_nodes_have_room_for_all() -> None:
    crowd = Crowd()

    assert crowd.pods == 10_000
    assert crowd.nodes >= 50
    assert crowd.nodes * crowd.pods_per_node >= crowd.pods * 1.2

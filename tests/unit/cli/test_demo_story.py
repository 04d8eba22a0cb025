"""The story: which layers are played, how each ends, and what the table says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from selfheal_cli.demo.stage import NotObserved, Stage
from selfheal_cli.demo.steps import STEPS, Step
from selfheal_cli.demo.story import LAYERS, NOT_BUILT, Outcome, chosen, play, print_summary, table
from selfheal_core.errors import BadUsage, SelfhealError


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "kubeconfig")


def step(layer: int | None, act: Callable[[Stage], None] = lambda stage: None) -> Step:
    return Step(layer, "something happens", act)


def not_seen(stage: Stage) -> None:
    raise NotObserved("the pod stayed")


def outcome(layer: int | None, failure: str = "") -> Outcome:
    return Outcome(step(layer), failure, 1.25)


def test_every_layer_is_either_played_or_not_built() -> None:
    assert {one.layer for one in STEPS if one.layer} | NOT_BUILT == set(LAYERS)
    assert {one.layer for one in STEPS} & NOT_BUILT == set()


def test_without_a_choice_the_whole_story_is_played_in_order() -> None:
    assert chosen(()) == list(STEPS)


def test_a_choice_plays_those_layers_in_the_order_of_the_story_and_nothing_else() -> None:
    assert [one.layer for one in chosen([5, 2, 2])] == [2, 5]


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ([7], "layer 7 is not in this version; known: 1, 2, 3, 4, 5, 6"),
        ([1, 9], "layer 9 does not exist; known: 1, 2, 3, 4, 5, 6"),
        ([0], "layer 0 does not exist; known: 1, 2, 3, 4, 5, 6"),
    ],
)
def test_a_layer_that_can_not_be_played_is_refused(layers: list[int], complaint: str) -> None:
    with pytest.raises(BadUsage) as raised:
        chosen(layers)

    assert str(raised.value) == complaint


def test_a_step_that_shows_its_layer_held(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    ended = play(stage, step(3))

    assert (ended.failure, ended.name) == ("", "layer 3")
    assert capsys.readouterr().out.splitlines()[1:] == ["== layer 3: something happens", "  held (0.0 s)"]


def test_a_step_that_does_not_is_a_failure_and_the_story_goes_on(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = play(stage, step(None, not_seen))

    assert (ended.failure, ended.name) == ("the pod stayed", "kills under load")
    assert "  FAILED: the pod stayed (0.0 s)" in capsys.readouterr().out


def test_a_defect_in_a_step_is_not_taken_for_a_layer_that_failed(stage: Stage) -> None:
    def defect(_: Stage) -> None:
        raise KeyError("metadata")

    with pytest.raises(KeyError):
        play(stage, step(1, defect))


def test_the_table_has_a_row_for_each_of_the_seven_layers() -> None:
    rows = table([outcome(1), outcome(3, "the pod stayed"), outcome(None)]).splitlines()

    assert [row.split()[0] for row in rows] == ["#", "1", "2", "3", "4", "5", "6", "7"]
    assert [row[46:].strip() for row in rows] == [
        "RESULT",
        "held in 1.2 s",
        "not played",
        "FAILED: the pod stayed",
        "not played",
        "not played",
        "not played",
        "not in this version",
    ]


def test_the_summary_is_no_error_when_everything_that_was_played_held(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(stage, [outcome(1), outcome(None)], 61.4)

    assert capsys.readouterr().out.endswith("\n61 s in all\n")


def test_the_summary_names_everything_that_did_not_hold(stage: Stage) -> None:
    with pytest.raises(SelfhealError) as raised:
        print_summary(stage, [outcome(1, "no restart"), outcome(2), outcome(None, "3 requests failed")], 9)

    assert str(raised.value) == ("layer 1 did not hold: no restart; kills under load did not hold: 3 requests failed")
    assert raised.value.exit_code == 1

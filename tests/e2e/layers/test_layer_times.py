"""The table of times: what the suite measured on each cluster, side by side."""

from pathlib import Path

from tests.e2e.layers.times import remember, table


def test_nothing_was_measured(tmp_path: Path) -> None:
    assert table(tmp_path) == []


def test_clusters_stand_side_by_side_and_a_gap_is_a_dash(tmp_path: Path) -> None:
    remember(tmp_path, "lab", "layer 1", 21.04)
    remember(tmp_path, "sandbox", "layer 1", 20.0)
    remember(tmp_path, "sandbox", "layer 3", 9.0)

    assert [line.split() for line in table(tmp_path)] == [
        ["SECONDS", "sandbox", "lab"],
        ["layer", "1", "20.0", "21.0"],
        ["layer", "3", "9.0", "-"],
    ]


def test_the_newest_time_counts(tmp_path: Path) -> None:
    remember(tmp_path, "lab", "layer 1", 30)
    remember(tmp_path, "lab", "layer 1", 20)

    assert table(tmp_path)[1].split() == ["layer", "1", "20.0"]


def test_a_file_that_is_no_json_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "layers-lab.json").write_text("{")

    assert table(tmp_path) == []

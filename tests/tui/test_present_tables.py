"""Columns that give way, rows in order, and cells that say what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal_core.domain.snapshot import Autoscaler, Snapshot
from selfheal_tui.present import applications, history, journal, pods
from selfheal_tui.present.columns import GAP, Column, fit
from selfheal_tui.present.detail import revision_detail
from selfheal_tui.present.glyphs import ASCII, UNICODE, choose_glyphs, cut_middle
from selfheal_tui.present.history import revision_rows
from selfheal_tui.present.ordering import RowOrder
from selfheal_tui.present.spans import Span, line, text_of, width_of, wrap
from selfheal_tui.present.sparkline import sparkline
from selfheal_tui.present.status_line import tabs_line
from selfheal_tui.showcase import NAMESPACE, NOW


def visible(columns: tuple[Column, ...], width: int) -> list[str]:
    return [placed.column.id for placed in fit(columns, width, {})]


def test_columns_give_way_in_the_order_p95_then_cpu_then_hpa_as_the_screen_narrows() -> None:
    gone: list[str] = []
    for width in range(140, 30, -1):
        gone += [
            c.id for c in applications.COLUMNS if c.id not in visible(applications.COLUMNS, width) and c.id not in gone
        ]
    assert gone == ["p95", "cpu", "hpa", "errors"]


def test_every_column_of_the_specification_fits_on_80_cells_and_larger_screens_add_the_revision() -> None:
    assert visible(applications.COLUMNS, 78) == [column.id for column in applications.COLUMNS]
    narrow = applications.applications_table(UNICODE, all_namespaces=False)
    wide = applications.applications_table(UNICODE, all_namespaces=False, wide=True)
    assert [column.id for column in wide.columns] == [*(column.id for column in narrow.columns), "revision"]


def test_the_autoscaler_column_shows_what_the_workload_is_set_to_now(shown: Snapshot) -> None:
    app = next(app for app in shown.applications.values() if app.key.name == "app-a")
    just_installed = replace(app, autoscaler=Autoscaler("app-a", 2, 5, 1, 2, None), desired=2)
    cells = applications.applications_table(UNICODE, all_namespaces=False).cells(just_installed, NOW)
    assert "2 (2-5)" in [cell.text for cell in cells]


def test_a_revision_that_is_no_way_back_says_so_and_asks_for_none_in_particular(shown: Snapshot) -> None:
    rows = {row.revision.number: row for row in revision_rows(shown, None).values() if row.app.name == "app-a"}
    assert {number for number, row in rows.items() if row.target} == {6, 5}
    told = {n: " ".join(text_of(spans) for spans in revision_detail(row, UNICODE)) for n, row in rows.items()}
    assert "R asks to which one to go back" in told[7]
    assert "It never ran completely: no way back. R asks to which one to go back." in told[4]
    assert "roll back to revision 6" in told[6]


def test_a_pods_name_is_shown_in_full_on_80_cells() -> None:
    placed = fit(pods.NARROW, 78, {"pod": len("app-a-7d9f8c6b5d-x2x9k")})
    assert placed[0].width >= len("app-a-7d9f8c6b5d-x2x9k")


@given(st.integers(20, 250), st.integers(0, 80))
def test_shown_columns_never_take_more_than_the_width_while_any_can_give_way(width: int, longest: int) -> None:
    placed = fit(pods.NARROW, width, {"pod": longest})
    used = sum(p.width for p in placed) + GAP * (len(placed) - 1)
    assert used <= width or not any(p.column.gives_way for p in placed)


def test_a_name_is_cut_in_its_middle_so_that_the_suffix_stays() -> None:
    cut = cut_middle("checkout-service-frontend-6c9b8d7f4c-4k2mp", 24, "…")
    assert len(cut) == 24
    assert cut.endswith("-4k2mp")
    assert cut.startswith("checkout")


@pytest.mark.parametrize(
    ("environ", "unicode"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),  # set by Python itself where no locale is given
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C.UTF-8"}, True),
    ],
)
def test_signs_are_plain_where_the_locale_is_not_utf8(environ: Mapping[str, str], unicode: bool) -> None:
    assert (choose_glyphs("auto", environ) is UNICODE) == unicode


def test_a_sparkline_leaves_a_gap_where_there_is_no_sample() -> None:
    assert sparkline([0.0, None, 1.0], 4, UNICODE) == " ▁ █"
    assert sparkline([0.0, None, 1.0], 3, ASCII) == "_ #"


def test_no_data_is_never_shown_as_zero(shown: Snapshot) -> None:
    app = next(app for app in shown.applications.values() if app.state == "no data")
    cells = applications.applications_table(UNICODE, all_namespaces=False).cells(app, NOW)
    texts = [cell.text for cell in cells]
    assert "0" not in texts
    assert "no data" in texts


def test_a_state_has_a_sign_a_word_and_a_tone(shown: Snapshot) -> None:
    spec = applications.applications_table(UNICODE, all_namespaces=False)
    states = {app.key.name: spec.cells(app, NOW)[1] for app in shown.applications.values()}
    assert states["app-a"] == Span("✗ crash loop 4m", "bad")
    assert states["catalog"] == Span("◌ rolling out 2/3", "info")
    assert states["checkout"] == Span("● healthy", "ok")


def test_the_namespace_comes_first_when_all_are_shown(shown: Snapshot) -> None:
    spec = pods.pods_table(UNICODE, all_namespaces=True, wide=False)
    pod = next(iter(shown.pods.values()))
    assert spec.columns[0].id == "namespace"
    assert spec.cells(pod, NOW)[0].text == NAMESPACE


def test_ascii_signs_are_all_ascii(shown: Snapshot) -> None:
    spec = applications.applications_table(ASCII, all_namespaces=True)
    for app in shown.applications.values():
        assert all(cell.text.isascii() for cell in spec.cells(app, NOW))


def test_history_says_which_revision_runs_and_what_was_seen_of_each(shown: Snapshot) -> None:
    rows = history.revision_rows(shown, next(iter(shown.applications)))
    spec = history.history_table(UNICODE, all_namespaces=False)
    texts = {row.revision.number: [cell.text for cell in spec.cells(row, NOW)] for row in rows.values()}
    assert "deployed, runs" in texts[7]
    assert "? never observed healthy" in texts[7]
    assert "● known good, healthy for 3d" in texts[6]


def test_wrapped_lines_fit_and_keep_every_word() -> None:
    spans = line(Span("It says: ", "dim"), "a rather long sentence with averyveryverylongword in it")
    rows = wrap(spans, 16, "  ")
    assert all(width_of(row) <= 16 for row in rows)
    assert "".join(text_of(row).strip() for row in rows).replace(" ", "") == text_of(spans).replace(" ", "")


@dataclass(frozen=True)
class Thing:
    name: str
    rank: int


Things = dict[str, Thing]
things = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), max_size=8)


def made(ranks: Mapping[str, int], before: Things) -> Things:
    return {n: before[n] if n in before and before[n].rank == r else Thing(n, r) for n, r in ranks.items()}


def by_rank(thing: Thing) -> tuple[int, str]:
    return thing.rank, thing.name


@given(st.lists(st.tuples(things, st.booleans()), max_size=12))
def test_rows_are_in_order_whenever_they_are_not_held_and_never_move_while_they_are(
    steps: list[tuple[dict[str, int], bool]],
) -> None:
    order: RowOrder[str, Thing] = RowOrder(by_rank)
    rows: Things = {}
    order.sort_by(sort_key=by_rank, reverse=False, matches=lambda thing: thing.rank > 0)
    for ranks, held in steps:
        rows = made(ranks, rows)
        before = list(order.keys)
        order.update(rows, held=held)
        if held:
            assert order.keys == before
            assert all(order.row(key) is not None for key in before)
        else:
            assert order.keys == [t.name for t in sorted(rows.values(), key=by_rank) if t.rank > 0]
            assert [order.position(key) for key in order.keys] == list(range(len(order.keys)))
    order.update(rows, held=False)
    assert order.keys == [t.name for t in sorted(rows.values(), key=by_rank) if t.rank > 0]
    assert not order.pending


def test_a_removed_row_keeps_its_place_until_the_hold_ends() -> None:
    order: RowOrder[str, Thing] = RowOrder(by_rank)
    first, second = Thing("a", 1), Thing("b", 2)
    order.update({"a": first, "b": second}, held=False)
    order.update({"b": second}, held=True)
    assert order.keys == ["a", "b"]
    assert order.is_gone("a")
    assert order.row("a") is first
    assert order.pending
    order.update({"b": second}, held=False)
    assert order.keys == ["b"]


def placed_widths(columns: tuple[Column, ...], width: int, wanted: Mapping[str, int]) -> dict[str, int]:
    return {placed.column.id: placed.width for placed in fit(columns, width, wanted)}


def test_a_wide_screen_shows_names_and_ends_of_pods_in_full_before_it_leaves_blanks_beside_short_nodes() -> None:
    name, end = "checkout-6c9b8d7f4c-4k2mp", "137 OOMKilled"
    widths = placed_widths(pods.NARROW, 126, {"pod": len(name), "exit": len(end), "node": len("node-2")})
    assert widths["pod"] >= len(name)
    roomy = placed_widths(pods.NARROW, 160, {"pod": len(name), "exit": len(end), "node": len("node-2")})
    assert roomy["exit"] >= len(end)


def test_a_namespace_takes_the_room_that_is_left_before_its_name_is_cut() -> None:
    table = applications.applications_table(UNICODE, all_namespaces=True)
    assert placed_widths(table.columns, 78, {"namespace": len("selfheal-system")})["namespace"] >= 15


def test_the_journal_says_what_became_of_it_before_who_asked_for_it_in_full() -> None:
    wanted = {"target": len("payments/app-a"), "who": len("ops@bastion by console"), "reason": 60}
    assert placed_widths(journal.COLUMNS, 78, wanted)["reason"] >= len("RECOVERED in 1m14s")
    assert "who" not in placed_widths(journal.COLUMNS, 74, wanted)


def test_where_the_tabs_leave_no_room_for_everything_the_position_stays() -> None:
    right = line(Span("rollback app-a: verifying  ", "warn"), Span("1/3", "dim"))
    assert text_of(tabs_line("pods", "app-a", right, 100)).endswith("rollback app-a: verifying  1/3")
    narrow = text_of(tabs_line("pods", "app-a", right, 80))
    assert narrow.endswith(" 1/3")
    assert "verifying" not in narrow
    assert width_of(tabs_line("pods", "app-a", right, 40)) == width_of(tabs_line("pods", "app-a", (), 40))


def test_a_screen_of_120_cells_shows_no_less_of_an_application_than_one_of_80() -> None:
    beside_the_detail = 74
    wide = applications.applications_table(UNICODE, all_namespaces=False, wide=True)
    assert {"hpa", "cpu"} <= set(visible(wide.columns, beside_the_detail))
    assert "revision" in visible(wide.columns, 100)

"""A text that grows beyond what is kept: the oldest lines go, the reader's place stays, and nothing is wrapped anew."""

import time

from textual.app import App, ComposeResult

from selfheal_tui.present.spans import line, text_of
from selfheal_tui.widgets.text_view import LEFT_OUT_AT_ONCE, LINE_LIMIT, TextView

WIDE = "容器が落ちた " * 2


class Reader(App[None]):
    """Nothing but a text."""

    def compose(self) -> ComposeResult:
        yield TextView()


def shown(view: TextView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_the_place_and_the_matches_stay_when_the_oldest_lines_go() -> None:
    async with Reader().run_test(size=(60, 10)) as pilot:
        view = pilot.app.query_one(TextView)
        view.append(line(f"line {number} {'needle' if number % 1000 == 500 else WIDE}") for number in range(LINE_LIMIT))
        assert view.search("line 15500 needle") == 1
        before = shown(view)
        view.append([line("one more needle")])

        assert shown(view) == before
        assert view.left_out == LEFT_OUT_AT_ONCE + 1
        assert text_of(view.lines[0]).startswith(f"line {LEFT_OUT_AT_ONCE + 1} ")
        assert view.search("needle") == 18 + 1
        view.toggle_wrap()
        view.toggle_wrap()
        assert view.search("needle") == 18 + 1


async def test_what_comes_after_the_limit_costs_no_more_than_before() -> None:
    async with Reader().run_test(size=(60, 10)) as pilot:
        view = pilot.app.query_one(TextView)
        batch = [line(f"{number} {WIDE}") for number in range(LEFT_OUT_AT_ONCE)]

        def seconds() -> float:
            began = time.process_time()
            view.append(batch)
            return time.process_time() - began

        before = min(seconds() for _ in range(5))
        view.append(batch * (LINE_LIMIT // len(batch)))
        after = min(seconds() for _ in range(5))

        assert view.left_out > 0
        assert after < 4 * before

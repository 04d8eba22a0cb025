"""A cluster in which every name, reason, message and log line is an attack: no screen obeys it, no column moves."""

import dataclasses
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec
import pytest

from selfheal_core.domain.snapshot import Snapshot
from selfheal_core.ops.journal import Entry
from selfheal_core.ops.operation import Choice, Impact, Preview, Progress, Target
from selfheal_core.ops.registry import built_verbs
from selfheal_tui.commands import all_commands
from selfheal_tui.showcase import NAMESPACE, NOW, ShowcaseFeed, showcase_snapshot
from tests.tui.conftest import Console

ATTACK = (
    "\x1b[2J\x1b]52;c;c2VjcmV0\x07\x9b31m\x07\r\n\x00"  # clear the screen, set the clipboard, forge a line
    "\u202egnp\u2066\u200b\u200d\ufe0f\ufeff"  # reorder, hide
    "[red][/][@click=app.quit]x[/]"  # markup of the library that draws
    "\u5bb9\u5668e\u0301\u0301\u0301\u0301\U0001f1e9\U0001f468\u200d\U0001f469\ud800\uff21"  # wide, piled, joined
)
SIZES = [(80, 24), (120, 40), (200, 50)]
OURS = ("sources", "server_version")
"""Attributes whose names are given by this program and looked up by name."""
DRAWN_ONLY = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def attacked(value: Any, hint: Any = str) -> Any:
    """The same value with the attack in every free text inside; words from a fixed list stay."""
    match value:
        case str():
            return value if "Literal" in str(hint) or not value else f"{value}{ATTACK}"
        case msgspec.Struct():
            fields = get_type_hints(type(value))
            return msgspec.structs.replace(
                value, **{name: attacked(getattr(value, name), fields[name]) for name in fields}
            )
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(attacked(each) for each in value))
        case tuple():
            return tuple(attacked(each, hint) for each in value)
        case Mapping():
            return {attacked(key): attacked(each) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        changed = {
            each.name: attacked(getattr(value, each.name), hints[each.name])
            for each in dataclasses.fields(value)
            if each.name not in OURS
        }
        return dataclasses.replace(value, **changed)
    return value


def hostile_snapshot() -> Snapshot:
    """The showcase under attack, its streams with hostile reasons."""
    snapshot: Snapshot = dataclasses.replace(attacked(showcase_snapshot()), namespaces=(NAMESPACE,))
    sources = {name: dataclasses.replace(each, reason=ATTACK) for name, each in snapshot.sources.items()}
    return dataclasses.replace(snapshot, sources=sources)


def hostile_preview(verb: str) -> Preview:
    """A preview in which every fact is hostile."""
    target = Target("application", NAMESPACE, f"app-a{ATTACK}", f"app-a{ATTACK}")
    choices = {"revision": (Choice("6", f"6{ATTACK}", recommended=True),)}
    facts = ((f"Now{ATTACK}", ATTACK),)
    return Preview(
        verb, target, max(Impact), ATTACK, facts, ATTACK, {}, "word", choices=choices, diff=f"- a{ATTACK}\n+ b"
    )


def hostile_feed() -> ShowcaseFeed:
    """Everything it hands out is hostile."""
    entry = Entry(NOW, ATTACK, "result", "rollback", ATTACK, ATTACK, ATTACK, ATTACK, ATTACK, "cli", ATTACK, ATTACK)
    log = f"2026-11-26T16:44:38Z {ATTACK}\n2026-11-26T16:44:39Z " + "\x1b[31m\u202e" * 50_000
    body = {"kind": "Pod", "metadata": {"name": ATTACK, "annotations": {ATTACK: ATTACK}}}
    snapshot = hostile_snapshot()
    names = [pod.name for pod in snapshot.pods.values()] + [key.name for key in snapshot.applications]
    return ShowcaseFeed(
        snapshot=snapshot,
        log_text=log.replace("\r\n", "\r").replace("\u2028", ""),
        entries=(entry,),
        objects=dict.fromkeys(names, body),
        previews={verb.name: hostile_preview(verb.name) for verb in built_verbs()},
        steps=(Progress("1", "running", ATTACK, NOW), Progress("1", "failed", ATTACK, NOW, ATTACK)),
        refusals={"kill": ATTACK},
    )


def check_screen(console: Console) -> None:
    """What is on the screen is text, and each line is as wide as the terminal."""
    width = console.app.size.width
    for screen in console.app.screen_stack:
        for strip in screen._compositor.render_strips(console.app.size):
            obeyed = {unicodedata.category(each) for each in strip.text} & DRAWN_ONLY
            assert not obeyed, strip.text
            assert strip.cell_length == width, strip.text


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_key_on_every_screen_draws_hostile_text_as_text(
    make_console: Callable[..., Console], size: tuple[int, int]
) -> None:
    leaving = {"q", "^c", "^z"}
    keys = [command.key for command in all_commands() if command.key not in leaving and len(command.key) == 1]
    if size != SIZES[0]:
        # The same texts with more room; what only moves or starts something adds nothing.
        looking = {command.key for command in all_commands() if command.section == "look"}
        keys = [key for key in keys if key in looking or key.isdecimal()]
    console = make_console(hostile_feed())
    async with console.app.run_test(size=size):
        await console.settle()
        check_screen(console)
        for tab in [key for key in keys if key.isdecimal() and key != "0"]:
            for key in keys:
                await console.press(tab, key)
                check_screen(console)
                await console.press("escape", "escape")
        assert console.app.is_running

"""From settings to a running console, or to its data as text."""

import asyncio
import gc
import os
import sys
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from selfheal_cli.ending import GAVE_UP, Watchdog
from selfheal_cli.settings import Settings, config_path
from selfheal_core.errors import ClusterUnreachable
from selfheal_tui.terminal.colours import choose_colours

if TYPE_CHECKING:
    from selfheal_cli.text import Form
    from selfheal_tui.cluster_feed import ClusterFeed
    from selfheal_tui.commands import Command

FIRST_CONTACT_SECONDS = 1.0
"""A cluster that says nothing for this long is waited for with the screen open; one that refuses ends it at once."""
SWITCH_SECONDS = 0.001
LEAVE_SECONDS = 15.0
"""The console has ended by then: the connections have 10 s, for a helm that is under way (``cluster_feed``)."""
LEAVE_TEXT_SECONDS = 10.0
"""The same where only text is printed: streams and connections have 3 s each (``selfheal_cli.session``)."""
CONFIGURED_SECONDS = 60.0
"""Credential plugins may ask somebody before there is a connection."""


def run(settings: Settings, text_form: str, *, once: bool) -> None:
    """Run until the operator leaves, or until the text is printed.

    Args:
        settings: What to look at, and how.
        text_form: ``once``, ``plain``, ``json`` or ``json lines``; "" opens the screen.
        once: End ``plain`` and ``json lines`` after their first report.

    Raises:
        SelfhealError: It could not begin.
    """
    if text_form:
        _print(settings, cast("Form", text_form), once=once)
    else:
        _open_screen(settings)


def run_on_sandbox(settings: Settings, text_form: str, *, once: bool) -> None:
    """The same on an embedded cluster, which is stopped again if it was started for this."""
    from selfheal_tui.practice import DEMO_NAMESPACE, Programs, close_practice, open_practice
    from selfheal_tui.terminal.hangup import end_on_signals, ignore_hangups

    def say(text: str) -> None:
        click.echo(text, err=True)

    end_on_signals()
    programs = Programs(os.environ)
    practice = open_practice(programs, say)
    namespace = settings.namespace or (None if settings.all_namespaces else DEMO_NAMESPACE)
    here = replace(settings, kubeconfig=practice.kubeconfig, context=None, namespace=namespace)
    try:
        run(here, text_form, once=once)
    finally:
        ignore_hangups()
        close_practice(practice, programs, say)


def _print(settings: Settings, form: "Form", *, once: bool) -> None:
    from selfheal_cli.session import open_session
    from selfheal_cli.text import show

    watchdog = Watchdog()

    async def printing() -> None:
        async with open_session(
            kubeconfig=settings.kubeconfig,
            context=settings.context,
            namespaces=settings.namespaces,
            source="console",
            read_only=True,
            prometheus=settings.prometheus,
        ) as session:
            try:
                await show(session, form, once=once, write=_write)
            finally:
                watchdog.begin(LEAVE_TEXT_SECONDS, GAVE_UP)

    try:
        with suppress(KeyboardInterrupt, BrokenPipeError):
            asyncio.run(printing())
    finally:
        watchdog.stand_down()


def _write(text: str) -> None:
    """A line to stdout at once, so that a pipe sees changes when they happen."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _mapped_commands(settings: Settings) -> "tuple[Command, ...] | None":
    """The commands with the keys of the settings; None where all are built in, which costs nothing to find out.

    Raises:
        BadUsage: The keymap can't be used.
    """
    if not settings.keys:
        return None
    from selfheal_tui.commands import all_commands
    from selfheal_tui.keymap import with_keymap

    return with_keymap(all_commands(), settings.keys, str(config_path(os.environ)))


def _open_screen(settings: Settings) -> None:
    commands = _mapped_commands(settings)
    # Nothing that is imported from here on becomes garbage; the console turns the collector on once it shows rows.
    gc.disable()
    # The screens' thread waits this long at most for the feed's to give way; a key should not wait longer.
    sys.setswitchinterval(SWITCH_SECONDS)
    from selfheal_tui.log_file import log_to_file

    log_to_file(os.environ)
    from selfheal_tui.cluster_feed import ClusterChoice, ClusterFeed
    from selfheal_tui.terminal.hangup import end_on_signals, ignore_hangups

    choice = ClusterChoice(
        settings.kubeconfig, settings.context, settings.namespaces, settings.read_only, settings.prometheus
    )
    feed, watchdog = ClusterFeed(choice), Watchdog()
    end_on_signals()
    feed.start()
    try:
        choose_colours(settings.colour, os.environ)
        # Textual is imported while the feed connects.
        from selfheal_tui.app import SelfhealApp
        from selfheal_tui.present.glyphs import choose_glyphs
        from selfheal_tui.session import Session
        from selfheal_tui.terminal.link import Link

        _wait_for_contact(feed)
        glyphs = choose_glyphs(settings.glyphs, os.environ)
        session = Session(feed, glyphs, clock=feed.clock, commands=commands)
        app = SelfhealApp(
            session,
            frame_seconds=1 / settings.frames_per_second,
            link=Link(settings.slow_link),
            on_leave=partial(watchdog.begin, LEAVE_SECONDS, GAVE_UP),
        )
        app.run(mouse=False)
    finally:
        ignore_hangups()
        feed.stop()
        watchdog.stand_down()
    app.hangup.stand_down()
    if app.return_code:
        sys.exit(app.return_code)


def _wait_for_contact(feed: "ClusterFeed") -> None:
    """Let a wrong configuration and a cluster that refuses end it before the screen opens.

    Raises:
        SelfhealError: What went wrong.
    """
    if not _done(feed.configured, CONFIGURED_SECONDS):
        raise ClusterUnreachable(
            f"the credential plugin of the kubeconfig gave no answer for {CONFIGURED_SECONDS:.0f} s",
            "try it with: kubectl get namespaces",
        )
    _done(feed.first_contact, FIRST_CONTACT_SECONDS)


def _done(future: "Future[Any]", seconds: float) -> bool:
    try:
        future.result(seconds)
    except FutureTimeout:
        return False
    return True

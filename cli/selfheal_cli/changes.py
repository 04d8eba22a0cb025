"""What became different between two pictures: applications, and streams that were lost or found."""

from dataclasses import dataclass

from selfheal_core.domain.snapshot import AppKey, Application, Snapshot, Source


@dataclass(frozen=True, slots=True)
class ApplicationChanged:
    """An application is new, or its state or figures are others."""

    application: Application


@dataclass(frozen=True, slots=True)
class ApplicationGone:
    """An application is no longer there."""

    key: AppKey


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """A stream of data is in another condition."""

    source: Source


Change = ApplicationChanged | ApplicationGone | SourceChanged


def changes_between(before: Snapshot, after: Snapshot) -> list[Change]:
    """Applications that changed, those that went, then streams."""
    found: list[Change] = [
        ApplicationChanged(app)
        for key, app in after.applications.items()
        if key not in before.applications or _figures(before.applications[key]) != _figures(app)
    ]
    found += [ApplicationGone(key) for key in before.applications if key not in after.applications]
    for name, source in after.sources.items():
        known = before.sources.get(name)
        if known is not None and known.condition != source.condition:
            found.append(SourceChanged(source))
    return found


def _figures(app: Application) -> tuple[object, ...]:
    return app.state, app.detail, app.ready, app.desired

"""Find a container's image, as often as it takes; there is nothing to download, but all that can go wrong does."""

from collections.abc import Awaitable, Callable
from typing import Literal

from selfheal_sandbox.kubelet import images
from selfheal_sandbox.kubelet.backoff import Backoff
from selfheal_sandbox.kubelet.runtime import Runtime
from selfheal_sandbox.store.objects import Object

FIRST_LOOK_SECONDS = 1.0
"""How long ErrImagePull is shown before ImagePullBackOff."""

NEVER_RETRY_SECONDS = 10.0


class ImagePull:
    """Looks an image up for each start of a container."""

    def __init__(
        self,
        runtime: Runtime,
        spec: Object,
        waiting: Callable[[str, str], None],
        event: Callable[[str, str, Literal["Normal", "Warning"]], None],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._runtime = runtime
        self._reference: str = spec["image"]
        self._policy: str = spec.get("imagePullPolicy") or "IfNotPresent"
        self._waiting = waiting
        self._event = event
        self._pause = pause
        self._backoff = Backoff()

    async def image(self) -> images.Image | None:
        """Return the image, or None after one failed try and the pause that follows it."""
        try:
            image = images.find(self._runtime.options.images, self._reference)
        except images.InvalidImageNameError as error:
            await self._invalid_name(str(error))
            return None
        if image is None:
            await (self._never() if self._policy == "Never" else self._failed())
            return None
        self._backoff = Backoff()
        self._pulled()
        return image

    def _pulled(self) -> None:
        if self._policy == "Always":
            self._event("Pulling", f'Pulling image "{self._reference}"', "Normal")
            text = f'Successfully pulled image "{self._reference}" in 0s (0s including waiting). Image size: 0 bytes.'
        else:
            text = f'Container image "{self._reference}" already present on machine'
        self._event("Pulled", text, "Normal")

    async def _invalid_name(self, problem: str) -> None:
        text = f'Failed to apply default image tag "{self._reference}": {problem}'
        self._waiting("InvalidImageName", text)
        self._event("InspectFailed", text, "Warning")
        self._event("Failed", "Error: InvalidImageName", "Warning")
        await self._pause(self._runtime.at_speed(NEVER_RETRY_SECONDS))

    async def _never(self) -> None:
        text = f'Container image "{self._reference}" is not present with pull policy of Never'
        self._waiting("ErrImageNeverPull", text)
        self._event("ErrImageNeverPull", text, "Warning")
        self._event("Failed", "Error: ErrImageNeverPull", "Warning")
        await self._pause(self._runtime.at_speed(NEVER_RETRY_SECONDS))

    async def _failed(self) -> None:
        """Tell of a failed pull, then of its back-off, for as long as that lasts."""
        reference, table = self._reference, self._runtime.options.images
        problem = f'failed to pull and unpack image "{reference}": not found; the sandbox has {images.known(table)}'
        self._event("Pulling", f'Pulling image "{reference}"', "Normal")
        self._event("Failed", f'Failed to pull image "{reference}": {problem}', "Warning")
        self._event("Failed", "Error: ErrImagePull", "Warning")
        self._waiting("ErrImagePull", problem)
        policy = self._runtime.backoff
        if self._backoff == Backoff():
            self._backoff = self._backoff.after_failure(policy)
        self._backoff = self._backoff.after_failure(policy)
        first = min(self._runtime.at_speed(FIRST_LOOK_SECONDS), self._backoff.delay_seconds)
        await self._pause(first)
        self._event("BackOff", f'Back-off pulling image "{reference}"', "Normal")
        self._event("Failed", "Error: ImagePullBackOff", "Warning")
        self._waiting("ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {problem}')
        await self._pause(self._backoff.delay_seconds - first)

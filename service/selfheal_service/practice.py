"""Practice switches: break the service on purpose, over HTTP, where the setting allows it."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from quart import Blueprint, request
from werkzeug.exceptions import BadRequest

from selfheal_service.burn import Burner
from selfheal_service.faults import FaultInjector, Faults
from selfheal_service.state import ServiceState, Switches

MAX_BURN_MILLICORES = 16_000
MAX_BURN_SECONDS = 3600
MAX_LATENCY_SECONDS = 30


class _Body(BaseModel):
    """A request body: closed, and strict about types."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class HealthBody(_Body):
    """Body of `POST /practice/health`."""

    healthy: bool


class ReadyBody(_Body):
    """Body of `POST /practice/ready`."""

    ready: bool
    reason: Annotated[str, Field(min_length=1, max_length=200)] = Switches().not_ready_reason


class BurnBody(_Body):
    """Body of `POST /practice/burn`; 0 millicores stops what burns."""

    millicores: Annotated[int, Field(ge=0, le=MAX_BURN_MILLICORES)]
    seconds: Annotated[float, Field(ge=0, le=MAX_BURN_SECONDS)]


class FaultsBody(_Body):
    """Body of `POST /practice/faults`; what is left out is off."""

    error_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    latency_seconds: Annotated[float, Field(ge=0, le=MAX_LATENCY_SECONDS)] = 0.0
    seed: int | None = None


_BodyType = TypeVar("_BodyType", bound=_Body)


def parse_body(model: type[_BodyType], body: bytes | str) -> _BodyType:
    """Read a JSON body.

    Raises:
        BadRequest: The body is no JSON or does not fit; the description names each field and what it may hold.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        clauses = [
            ".".join(str(part) for part in detail["loc"] or ("body",)) + ": " + detail["msg"].lower()
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise BadRequest("; ".join(clauses)) from error


def practice_routes(state: ServiceState, faults: FaultInjector, burner: Burner) -> Blueprint:
    """The routes under `/practice`; each answers what is in force now."""
    routes = Blueprint("practice", __name__, url_prefix="/practice")

    @routes.post("/health")
    async def switch_health() -> dict[str, Any]:
        body = parse_body(HealthBody, await request.get_data())
        state.switches = Switches(body.healthy, state.switches.ready, state.switches.not_ready_reason)
        return {"healthy": body.healthy}

    @routes.post("/ready")
    async def switch_ready() -> dict[str, Any]:
        body = parse_body(ReadyBody, await request.get_data())
        state.switches = Switches(state.switches.healthy, body.ready, body.reason)
        return {"ready": body.ready} if body.ready else {"ready": False, "reason": body.reason}

    @routes.post("/burn")
    async def burn() -> dict[str, Any]:
        body = parse_body(BurnBody, await request.get_data())
        burner.start(body.millicores, body.seconds)
        return {"millicores": body.millicores, "seconds": body.seconds}

    @routes.post("/faults")
    async def inject_faults() -> dict[str, Any]:
        body = parse_body(FaultsBody, await request.get_data())
        faults.set(Faults(body.error_ratio, body.latency_seconds, body.seed))
        return {"error_ratio": body.error_ratio, "latency_seconds": body.latency_seconds, "seed": body.seed}

    return routes

"""Whether the service lives, whether it is ready for requests, and what it counts."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.api.dependencies import TheService
from server.api.openapi import problems
from server.http.problems import later

router = APIRouter(tags=["health"])


@router.get("/livez", response_class=PlainTextResponse, responses=problems())
async def lives() -> str:
    """The process responds."""
    return "alive"


@router.get("/readyz", response_class=PlainTextResponse, responses=problems(503))
async def is_ready(service: TheService) -> str:
    """The recipes are frozen, and the workers have loaded what they need."""
    if not service.is_ready:
        raise later(HTTPStatus.SERVICE_UNAVAILABLE, "recipes and workers are not ready yet", 2)
    return "ready"


@router.get("/metrics", response_class=PlainTextResponse, responses=problems())
async def metrics(service: TheService) -> Response:
    """Counters in Prometheus' text format."""
    for name, pool in service.pools.items():
        service.metrics.outstanding.labels(name, "waiting").set(pool.waiting)
        service.metrics.outstanding.labels(name, "outstanding").set(pool.outstanding)
    service.metrics.cache_bytes.set(service.cache.bytes)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

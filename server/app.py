"""The application: routes, middleware, and a service that starts and ends with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from server.api import anomalies, health, methods, models, page, pictures, recipes, reports
from server.api.openapi import complete_document
from server.catalogue import check_recipes
from server.http.middleware import (
    BodyLimitMiddleware,
    CapacityMiddleware,
    KeyMiddleware,
    OriginMiddleware,
    read_key,
)
from server.http.problems import install_problem_handlers
from server.observability import ObservingMiddleware
from server.service import Service
from server.settings import Settings
from server.virtual_shards import Shards
from synthgen.runtime.versions import DISTRIBUTION, version_of

DESCRIPTION = """Synthetic anomalies with exact masks, on the fly.

`POST /v1/anomalies` takes images of good products and gives them back with defects and masks.
`GET /v1/recipes/{name}/shards/000000.tar` is a shard of a recipe, whether it was made before or not.
Every error is a problem detail (RFC 9457)."""


def create_app(settings: Settings) -> FastAPI:
    """The application. Raises InputError where the settings name what cannot be used."""
    key = read_key(settings.api_key_file)
    check_recipes(settings)
    reports.check_reports(settings)
    service = Service(settings)
    shards = Shards(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await shards.stop()
            await service.stop()

    app = FastAPI(
        title="synthgen",
        description=DESCRIPTION,
        version=version_of(DISTRIBUTION),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service, app.state.shards, app.state.has_key = service, shards, bool(key)
    for each in (anomalies, recipes, methods, models, pictures, reports, health, page):
        app.include_router(each.router)
    page.mount_files(app)
    complete_document(app, has_key=bool(key))
    install_problem_handlers(app)
    app.add_middleware(
        BodyLimitMiddleware,
        max_bytes=settings.max_body_bytes,
        upload_seconds=settings.upload_seconds,
    )
    app.add_middleware(CapacityMiddleware, path="/v1/anomalies", require_capacity=service.require_capacity)
    app.add_middleware(OriginMiddleware, host=settings.host, has_key=bool(key))
    if key:
        app.add_middleware(KeyMiddleware, key=key, open_paths=page.OPEN_PATHS)
    app.add_middleware(ObservingMiddleware, metrics=service.metrics)
    return app

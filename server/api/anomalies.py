"""Anomalies on the fly: images come, and go back with defects and masks."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from server.api import responses
from server.api.dependencies import Client, TheService, unless_client_leaves
from server.api.openapi import ANOMALIES
from server.api.request_form import Asked, read_ask, read_form
from server.service import Service
from server.workers.jobs import Uploaded

router = APIRouter(prefix="/v1", tags=["anomalies"])


@router.post("/anomalies", response_class=Response, **ANOMALIES)
async def make_anomalies(request: Request, service: TheService, client: Client) -> Response:
    """Make anomalous samples of the images that are sent; the same recipe and seed make the same bytes."""
    media_type = responses.accepted_type(request)
    form = await read_form(request, service.settings)
    try:
        asked = await read_ask(form, service.catalogue, service.settings)
    finally:
        await form.close()
    responses.require_one(media_type, asked.n)
    return await unless_client_leaves(request, _made(service, client, media_type, asked))


async def _made(service: Service, client: str, media_type: str, asked: Asked) -> Response:
    recipe = asked.uploaded.recipe
    recipe = recipe.model_copy(update={"output": responses.output_of(media_type, recipe.output)})
    origin = Uploaded(recipe, asked.uploaded.category, asked.uploaded.images)
    pieces = service.made(client, origin, recipe, range(asked.n), responses.form_of(media_type))
    return await responses.answer(media_type, asked, pieces)

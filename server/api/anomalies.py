"""Anomalies on the fly: images come, and go back with defects and masks."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from server.api import responses
from server.api.dependencies import Client, TheService, unless_client_leaves
from server.api.openapi import ANOMALIES
from server.api.request_form import AnomalyRequest, read_request_form, receive_form
from server.service import Service
from server.workers.jobs import Uploaded

router = APIRouter(prefix="/v1", tags=["anomalies"])


@router.post("/anomalies", response_class=Response, **ANOMALIES)
async def make_anomalies(request: Request, service: TheService, client: Client) -> Response:
    """Make anomalous samples of the images that are sent; the same recipe and seed make the same bytes."""
    media_type = responses.accepted_type(request)
    form = await receive_form(request, service.settings)
    try:
        wanted = await read_request_form(form, service.catalogue, service.settings)
    finally:
        await form.close()
    responses.require_one(media_type, wanted.n)
    return await unless_client_leaves(request, _respond(service, client, media_type, wanted))


async def _respond(service: Service, client: str, media_type: str, wanted: AnomalyRequest) -> Response:
    recipe = wanted.uploaded.recipe
    recipe = recipe.model_copy(update={"output": responses.output_of(media_type, recipe.output)})
    origin = Uploaded(recipe, wanted.uploaded.category, wanted.uploaded.images)
    pieces = service.make_samples(client, origin, recipe, range(wanted.n), responses.encoding_of(media_type))
    return await responses.respond(media_type, wanted, pieces)

"""Anomalies on the fly: images come, and go back with defects and masks."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from server import answers
from server.asking import Asked, read_ask, read_form
from server.making.jobs import Uploaded
from server.routes.context import Client, TheService, unless_client_leaves
from server.routes.documentation import ANOMALIES
from server.service import Service

router = APIRouter(prefix="/v1", tags=["anomalies"])


@router.post("/anomalies", response_class=Response, **ANOMALIES)
async def make_anomalies(request: Request, service: TheService, client: Client) -> Response:
    """Make anomalous samples of the images that are sent; the same recipe and seed make the same bytes."""
    media_type = answers.accepted_type(request)
    form = await read_form(request, service.settings)
    try:
        asked = await read_ask(form, service.catalogue, service.settings)
    finally:
        await form.close()
    answers.require_one(media_type, asked.n)
    return await unless_client_leaves(request, _made(service, client, media_type, asked))


async def _made(service: Service, client: str, media_type: str, asked: Asked) -> Response:
    recipe = asked.uploaded.recipe
    recipe = recipe.model_copy(update={"output": answers.output_of(media_type, recipe.output)})
    origin = Uploaded(recipe, asked.uploaded.category, asked.uploaded.images)
    pieces = service.made(client, origin, recipe, range(asked.n), answers.form_of(media_type))
    return await answers.answer(media_type, asked, pieces)

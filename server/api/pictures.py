"""What a request may ask for: methods, models, and pictures to try them on."""

from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from server.api.dependencies import TheService
from server.api.openapi import problems
from server.catalogue import Catalogue
from server.http.problems import Problem
from synthgen.images import png
from synthgen.images.decode import decode
from synthgen.sources.builtin import BuiltinSource
from synthgen.synthesizers.registry import SYNTHESIZERS

router = APIRouter(prefix="/v1", tags=["offers"])

STRENGTHS = {"delta": [0.0, 1.0], "s": [0.0, 1.5]}
"""The ranges in which a strength is worth trying."""
SOURCE = BuiltinSource.model_validate(
    {"categories": ["brick", "cat", "cell", "coffee", "coins", "grass", "gravel"]}
)


@router.get("/methods", responses=problems(401))
async def list_methods(service: TheService) -> dict[str, Any]:
    """The methods, and the range of each one's strength."""
    return {"methods": _methods(service.catalogue)}


@router.get("/models", responses=problems(401))
async def list_models(service: TheService) -> dict[str, Any]:
    """The diffusion models that a request's recipe may name."""
    models = service.catalogue.models
    facts = {"size", "channels", "view", "image_size", "categories"}
    return {
        "models": [
            {"name": name, **pinned.facts.model_dump(mode="json", include=facts)}
            for name, pinned in models.items()
        ]
    }


@router.get("/pictures", responses=problems(401))
async def list_pictures() -> dict[str, Any]:
    """Photographs that come with scikit-image, to try a method on."""
    return {
        "pictures": [
            {
                "name": name,
                "title": name.replace("-", " ").capitalize(),
                "category": path.partition("/")[0],
                "href": f"/v1/pictures/{name}.png",
            }
            for name, path in _pictures().items()
        ]
    }


@router.get(
    "/pictures/{name}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(401, 404)},
)
def get_picture(name: str) -> Response:
    """One of the photographs."""
    if name not in _pictures():
        raise Problem(
            HTTPStatus.NOT_FOUND, f"there is no picture {name[:100]!r}, only {', '.join(_pictures())}"
        )
    return Response(_encoded(name), media_type="image/png", headers={"Cache-Control": "max-age=86400"})


@cache
def _pictures() -> dict[str, str]:
    """The photographs' names and paths: the first of each category by its name, the others numbered."""
    names = {}
    for entry in SOURCE.entries():
        number = int(entry.path.partition("/")[2].partition(".")[0])
        names[f"{entry.category}-{number + 1}" if number else entry.category] = entry.path
    return names


@cache
def _encoded(name: str) -> bytes:
    pixels = decode(SOURCE.read(_pictures()[name]))
    assert pixels.dtype == "uint8"
    return png.encode(pixels)  # type: ignore[arg-type]


def _methods(catalogue: Catalogue) -> list[dict[str, Any]]:
    methods = []
    for name, kind in SYNTHESIZERS.items():
        if kind.runs_network and not catalogue.runs_networks:
            continue
        synthesizer = kind(method=name)
        default = list(getattr(synthesizer, synthesizer.strength_kind))
        methods.append(
            {
                "method": name,
                "title": " ".join((kind.__doc__ or name).partition("\n")[0].split()).rstrip("."),
                "strength_kind": synthesizer.strength_kind,
                "strength": STRENGTHS[synthesizer.strength_kind],
                "default": default,
                "needs_other_images": synthesizer.needs_other_images(),
                "paired": kind.paired,
                "diffusion": kind.runs_network,
            }
        )
    return methods

"""Photographs to try a method on; they come with scikit-image."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, Field

from server.api.openapi import bytes_of, problems
from server.http.problems import Problem
from synthgen.images import png
from synthgen.images.decode import decode
from synthgen.sources.builtin import BuiltinSource

router = APIRouter(prefix="/v1", tags=["pictures"])

SOURCE = BuiltinSource.model_validate(
    {"categories": ["brick", "cat", "cell", "coffee", "coins", "grass", "gravel"]}
)


class Picture(BaseModel):
    """A photograph, and where it is fetched from."""

    name: str = Field(description="Its name in the path.")
    title: str = Field(description="Its name for people.")
    category: str = Field(description="What it shows; pictures of one category show the same thing.")
    href: str = Field(description="The path of the PNG.")


class Pictures(BaseModel):
    """All photographs."""

    pictures: list[Picture] = Field(description="They come with scikit-image.")


@router.get("/pictures", responses=problems())
async def list_pictures() -> Pictures:
    """List photographs to try a method on."""
    return Pictures(
        pictures=[
            Picture(
                name=name,
                title=name.replace("-", " ").capitalize(),
                category=path.partition("/")[0],
                href=f"/v1/pictures/{name}.png",
            )
            for name, path in _pictures().items()
        ]
    )


@router.get(
    "/pictures/{name}.png",
    response_class=Response,
    responses={200: {"content": bytes_of("image/png")}, **problems(404, 422)},
)
def get_picture(name: Annotated[str, Path(description="A picture's name.", max_length=200)]) -> Response:
    """Get one of the photographs."""
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

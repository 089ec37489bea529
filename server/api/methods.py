"""The methods, by which a request's recipe can make anomalies."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.api.dependencies import TheService
from server.api.openapi import problems
from server.catalogue import Catalogue
from synthgen.synthesizers.registry import SYNTHESIZERS

router = APIRouter(prefix="/v1", tags=["methods"])

STRENGTHS = {"delta": (0.0, 1.0), "s": (0.0, 1.5)}
"""The ranges in which a strength is worth trying."""


class Method(BaseModel):
    """A method, and the range of its strength."""

    method: str = Field(description="Its name in a recipe.")
    title: str = Field(description="What it does, in a few words.")
    strength_name: Literal["delta", "s"] = Field(description="The field of the recipe that strength sets.")
    strength: tuple[float, float] = Field(description="The range that is worth trying.")
    default: tuple[float, float] = Field(description="The range from which strength is drawn by default.")
    needs_other_images: bool = Field(description="Whether it takes pixels of another image of the product.")
    paired: bool = Field(description="Whether the normal image shows outside of the mask.")
    diffusion: bool = Field(description="Whether it needs a diffusion model.")


class Methods(BaseModel):
    """All methods."""

    methods: list[Method] = Field(description="Those that this server can use.")


@router.get("/methods", responses=problems())
async def list_methods(service: TheService) -> Methods:
    """List the methods that this server can use, with the range of each one's strength."""
    return Methods(methods=_methods(service.catalogue))


def _methods(catalogue: Catalogue) -> list[Method]:
    methods = []
    for name, method in SYNTHESIZERS.items():
        if method.runs_network and not catalogue.runs_networks:
            continue
        synthesizer = method(method=name)
        methods.append(
            Method(
                method=name,
                title=method.title,
                strength_name=method.strength_name,
                strength=STRENGTHS[method.strength_name],
                default=getattr(synthesizer, method.strength_name),
                needs_other_images=synthesizer.needs_other_images(),
                paired=method.paired,
                diffusion=method.runs_network,
            )
        )
    return methods

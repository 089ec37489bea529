"""The diffusion models, which a request's recipe names instead of a path."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from server.api.dependencies import TheService
from server.api.openapi import problems

router = APIRouter(prefix="/v1", tags=["models"])


class Model(BaseModel):
    """A diffusion model, and the images that it makes."""

    name: str = Field(description="As a recipe names it.")
    size: int = Field(description="Side of the square images that it makes, pixels.")
    channels: Literal[1, 3] = Field(description="1 grey, 3 RGB.")
    view: Literal["image", "patch"] = Field(
        description="Whether it was trained on whole images, resized, or on patches at their own scale."
    )
    image_size: tuple[int, int] = Field(
        description="Height and width of the images it was trained on, or that its patches were cut from."
    )
    categories: list[str] = Field(description="The products that it knows.")


class Models(BaseModel):
    """All models."""

    models: list[Model] = Field(description="Those that a request's recipe may name.")


@router.get("/models", responses=problems())
async def list_models(service: TheService) -> Models:
    """List the diffusion models that a request's recipe may name."""
    facts = set(Model.model_fields) - {"name"}
    return Models(
        models=[
            Model(name=name, **pinned.facts.model_dump(include=facts))
            for name, pinned in service.catalogue.models.items()
        ]
    )

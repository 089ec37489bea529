"""The recipes that the service holds, and their shards, which need not exist yet."""

import json
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field

from server.api.dependencies import Client, TheService, TheShards, unless_client_leaves
from server.api.openapi import bytes_of, problems
from server.api.responses import TAR
from server.api.shard_file import shard_response
from server.http.problems import Problem, later, without_folders
from server.service import Service
from server.shard_cache import identity
from synthgen.plan.plan import Plan
from synthgen.shards.card import write_plan_card
from synthgen.shards.mark import shard_name
from synthgen.shards.numbering import shard_count

router = APIRouter(prefix="/v1", tags=["recipes"])

Name = Annotated[str, Path(description="A recipe's name, such as quickstart or sia/mvtec.", max_length=200)]


def _six_digits(text: str) -> str:
    if len(text) != 6 or not (text.isascii() and text.isdecimal()):
        raise ValueError("expected six digits such as 000000")
    return text


Shard = Annotated[
    str,
    AfterValidator(_six_digits),
    Path(
        description="Its number, in six digits.",
        examples=["000000"],
        json_schema_extra={"pattern": "^[0-9]{6}$"},
    ),
]


class AvailableRecipe(BaseModel):
    """A recipe whose samples and shards can be had."""

    name: str = Field(description="As a request and a path name it.")
    available: Literal[True] = True
    reason: Literal[""] = ""
    methods: list[str] = Field(description="By which it makes anomalies.")
    count: int = Field(description="How many samples it has.")
    shards: int = Field(description="How many shards they fill.")
    categories: list[str] = Field(description="What its images show.")
    href: str = Field(description="The path of the recipe in full.")


class UnavailableRecipe(BaseModel):
    """A recipe that this server cannot freeze, and why."""

    name: str = Field(description="As its file is named.")
    available: Literal[False] = False
    reason: str = Field(description="One sentence: why it cannot be served.")
    methods: list[str] = Field(description="By which it would make anomalies, where it can be read.")


class Recipes(BaseModel):
    """All recipes."""

    recipes: list[AvailableRecipe | UnavailableRecipe] = Field(description="Sorted by name.")


class RecipeInFull(AvailableRecipe):
    """A recipe with all its fields, and what is known of its dataset."""

    fingerprint: str = Field(description="Decides, with the versions of the libraries, every sample.")
    shard_size: int = Field(description="Samples of a shard.")
    images: int = Field(description="How many normal images it uses.")
    recipe: dict[str, Any] = Field(description="The recipe without the path of its source.")
    card: str = Field(description="The dataset card, in Markdown.")


@router.get("/recipes", responses=problems())
async def list_recipes(service: TheService) -> Recipes:
    """List all recipes; of those that cannot be served, the reason."""
    catalogue = service.catalogue
    # Copied at once: a thread may still be freezing recipes into it.
    recipes: list[AvailableRecipe | UnavailableRecipe] = [
        AvailableRecipe(**_summary(name, plan)) for name, plan in list(catalogue.plans.items())
    ]
    for name, unavailable in list(catalogue.unavailable.items()):
        methods = _methods(unavailable.recipe.synthesizers) if unavailable.recipe else []
        recipes.append(UnavailableRecipe(name=name, reason=unavailable.reason, methods=methods))
    return Recipes(recipes=sorted(recipes, key=lambda each: each.name))


@router.head("/recipes/{name:path}/shards/{shard}.tar", include_in_schema=False)
@router.get(
    "/recipes/{name:path}/shards/{shard}.tar",
    response_class=Response,
    responses={
        200: {"description": "The shard.", "content": bytes_of(TAR)},
        206: {"description": "A part of the shard.", "content": bytes_of(TAR)},
        304: {"description": "The shard is what If-None-Match names."},
        **problems(404, 416, 422, 429, 503),
    },
)
async def get_shard(
    request: Request,
    *,
    name: Name,
    shard: Shard,
    service: TheService,
    shards: TheShards,
    client: Client,
) -> Response:
    """Get a shard, with the very bytes that `synthgen generate` writes; it is made now if it is new."""
    plan = _plan(service, name)
    number = int(shard)
    if number >= shard_count(plan):
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"{name} has {shard_count(plan)} shards, 000000 to {shard_count(plan) - 1:06d}, and no {shard}",
        )
    tag = f'"{identity(plan, {"shard": number})[:40]}"'
    if tag in (each.strip() for each in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    kept = await unless_client_leaves(request, shards.get(name, number, client))
    return shard_response(service.cache, kept, tag, f"{name.replace('/', '-')}-{shard_name(number)}")


@router.get("/recipes/{name:path}", responses=problems(404, 422, 503))
async def get_recipe(name: Name, service: TheService) -> RecipeInFull:
    """Get a recipe in full, how many samples and shards it has, and its dataset card."""
    plan = _plan(service, name)
    recipe = plan.recipe.model_dump_json(exclude={"source": {"path"}})
    return RecipeInFull(
        **_summary(name, plan),
        fingerprint=plan.fingerprint,
        shard_size=plan.recipe.output.shard_size,
        images=len(plan.images),
        recipe=json.loads(without_folders(recipe)),
        card=without_folders(write_plan_card(plan)),
    )


def _plan(service: Service, name: str) -> Plan:
    catalogue = service.catalogue
    if plan := catalogue.plans.get(name):
        return plan
    if unavailable := catalogue.unavailable.get(name):
        raise Problem(HTTPStatus.NOT_FOUND, f"{name} cannot be served: {unavailable.reason}")
    if not service.has_frozen:
        raise later(HTTPStatus.SERVICE_UNAVAILABLE, "the recipes are still being looked at", 2)
    raise Problem(
        HTTPStatus.NOT_FOUND, f"there is no recipe {name[:100]!r}; GET /v1/recipes lists what there is"
    )


def _summary(name: str, plan: Plan) -> dict[str, Any]:
    return {
        "name": name,
        "methods": _methods(plan.recipe.synthesizers),
        "count": plan.recipe.count,
        "shards": shard_count(plan),
        "categories": sorted({image.category for image in plan.images}),
        "href": f"/v1/recipes/{name}",
    }


def _methods(synthesizers: Any) -> list[str]:
    return sorted({each.method for each in synthesizers})

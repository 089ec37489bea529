"""The form of a request for anomalies: read within bounds, with every mistake named by its field."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from math import isfinite
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError, create_model
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from server.api.request_limits import require_modest, with_known_names
from server.catalogue import Catalogue
from server.http.problems import CLIENT_LEFT, Fault, Problem, refused
from server.settings import Settings
from server.workers.jobs import Uploaded
from synthgen.config.model import FrozenModel
from synthgen.config.reader import FieldError, parse_model
from synthgen.config.validation import all_faults, first_fault
from synthgen.errors import InputError
from synthgen.recipe.recipe import Recipe
from synthgen.sources.uploads import UploadSource
from synthgen.synthesizers.base import Synthesizer

FORM_FIELDS = ("images", "recipe", "n", "seed", "strength", "category")
MAX_RECIPE_BYTES = 16 * 1024
MAX_SEED = 2**53
"""Seeds that the service draws are whole numbers that JavaScript can hold."""
RECIPE_FIELDS = (
    "size",
    "resize",
    "intensity_range",
    "normal_share",
    "foreground",
    "judge",
    "attempts",
    "synthesizers",
    "output",
)
"""The fields of a recipe that a request may give; the rest is decided by the request itself."""


class _RequestRecipe(FrozenModel):
    renamed = Recipe.renamed


RequestRecipe = create_model(
    "RequestRecipe",
    __base__=_RequestRecipe,
    __doc__="A recipe in a request; the request itself says the rest of what a recipe says.",
    **{name: (Recipe.model_fields[name].annotation, Recipe.model_fields[name]) for name in RECIPE_FIELDS},  # type: ignore[call-overload]
)
"""A recipe in a request; its fields have the descriptions of those of Recipe."""


@dataclass(frozen=True, slots=True)
class AnomalyRequest:
    """Samples of a recipe on uploaded images."""

    uploaded: Uploaded
    n: int
    seed: int


async def receive_form(request: Request, settings: Settings) -> FormData:
    """The request's form. Raises Problem where it is none, or has too many parts."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected a form (multipart/form-data) with the fields {', '.join(FORM_FIELDS)}, found "
            f"{repr(content_type[:100]) if content_type else 'no Content-Type'}",
        )
    try:
        form = await request.form(
            max_files=settings.max_images, max_fields=len(FORM_FIELDS), max_part_size=MAX_RECIPE_BYTES
        )
    except ClientDisconnect as error:
        raise Problem(CLIENT_LEFT, "the client left") from error
    except HTTPException as error:  # what Starlette makes of a MultiPartException
        raise _bad_form(error.detail) from error
    except (AssertionError, KeyError, LookupError, ValueError) as error:
        raise _bad_form(str(error)) from error
    return form


async def read_request_form(form: FormData, catalogue: Catalogue, settings: Settings) -> AnomalyRequest:
    """The request that the form describes. Raises Problem where a field is wrong."""
    for name in form:
        if name not in FORM_FIELDS:
            raise refused(
                f"{name[:100]!r} is no field; the form has {', '.join(FORM_FIELDS)}",
                Fault(name[:100], "unknown"),
            )
    images = await _images(form, settings)
    n = _whole(form, "n", 1, 1, settings.max_samples)
    seed = _whole(form, "seed", secrets.randbelow(MAX_SEED), 0, 2**63 - 1)
    recipe = _recipe(_text(form, "recipe"), catalogue, settings)
    synthesizers = _with_strength(recipe.synthesizers, _text(form, "strength"))
    _require_enough(synthesizers, images)
    category = _text(form, "category") or "uploads"
    if len(category) > 100 or not category.isprintable():
        raise refused(
            f"category: expected a name of at most 100 printable characters, found {category[:100]!a}",
            Fault("category", "too long, or not printable"),
        )
    recipe = recipe.model_copy(
        update={
            "source": UploadSource(),
            "count": n,
            "seed": seed,
            "split": "all",
            "spread": "images",
            "on_bad_image": "skip",
            "synthesizers": synthesizers,
        }
    )
    return AnomalyRequest(Uploaded(recipe, category, images), n, seed)


def _bad_form(reason: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"the form cannot be read: {reason or 'it is damaged'}")


async def _images(form: FormData, settings: Settings) -> tuple[bytes, ...]:
    uploads = form.getlist("images")
    if not uploads:
        raise refused("images: expected one or more image files, found none", Fault("images", "missing"))
    images: list[bytes] = []
    for number, upload in enumerate(uploads):
        field = f"images.{number}"
        if not isinstance(upload, UploadFile):
            raise refused(
                f"{field}: expected a file (with a filename), found text", Fault(field, "not a file")
            )
        if (upload.size or 0) > settings.max_image_bytes:
            detail = f"a file has at most {settings.max_image_bytes} bytes, and this one {upload.size}"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{field}: {detail}", [Fault(field, detail)])
        images.append(await upload.read())
    return tuple(images)


def _text(form: FormData, field: str) -> str:
    values = form.getlist(field)
    if len(values) > 1 or any(not isinstance(value, str) for value in values):
        found = f"{len(values)} of them" if len(values) > 1 else "a file"
        raise refused(f"{field}: expected one text, found {found}", Fault(field, f"found {found}"))
    return str(values[0]).strip() if values else ""


def _whole(form: FormData, field: str, default: int, least: int, most: int) -> int:
    text = _text(form, field)
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or not least <= int(text) <= most:
        detail = f"expected a whole number from {least} to {most}, found {text[:40]!r}"
        raise refused(f"{field}: {detail}", Fault(field, detail))
    return int(text)


def _recipe(text: str, catalogue: Catalogue, settings: Settings) -> Recipe:
    """The recipe that is named or written in the form."""
    if not text:
        raise refused(
            "recipe: expected the name of a recipe, or a recipe in JSON", Fault("recipe", "missing")
        )
    if "{" not in text and ":" not in text:
        if text in catalogue.plans:
            return catalogue.plans[text].recipe
        if (unavailable := catalogue.unavailable.get(text)) and unavailable.recipe:
            return unavailable.recipe
        detail = f"there is no recipe {text[:100]!r}; GET /v1/recipes lists what there is"
        raise refused(f"recipe: {detail}", Fault("recipe", detail))
    written = _parsed(text)
    fields = {name: getattr(written, name) for name in RECIPE_FIELDS}
    try:
        recipe = Recipe(name="request", count=1, source={"kind": "builtin"}, **fields)
    except ValidationError as error:
        raise _invalid("recipe", error) from error
    require_modest(recipe, settings)
    return with_known_names(recipe, catalogue)


@lru_cache(maxsize=256)
def _parsed(text: str) -> BaseModel:
    try:
        return parse_model(text, "", RequestRecipe)
    except FieldError as error:
        faults = [
            Fault(".".join(map(str, ("recipe", *problem.path))), problem.message)
            for problem in error.problems
        ]
        raise refused("; ".join(f"{fault.field}: {fault.detail}" for fault in faults[:5]), *faults) from error
    except InputError as error:
        # The text has no name, so that the place of a mistake is ":line" or ":line:column".
        detail = re.sub(r"^:(\d+)(:\d+)?", r"line \1", " ".join(str(error).split()).removeprefix(": "))
        raise refused(f"recipe: {detail}", Fault("recipe", detail)) from error


def _with_strength(synthesizers: Sequence[Synthesizer[Any]], text: str) -> list[Synthesizer[Any]]:
    """The synthesizers with the request's strength in place of their own range: s, or delta."""
    if not text:
        return list(synthesizers)
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(map(isfinite, numbers)):
        detail = f"expected a number such as 0.5 or a range such as 0.2,0.5, found {text[:40]!r}"
        raise refused(f"strength: {detail}", Fault("strength", detail))
    bounds = [numbers[0], numbers[-1]]
    changed = []
    for each in synthesizers:
        try:
            changed.append(type(each).model_validate({**each.model_dump(), each.strength_name: bounds}))
        except ValidationError as error:
            reason = first_fault(error).message
            detail = f"{each.strength_name} of {each.method}: {reason}, found {text[:40]!r}"
            raise refused(f"strength: {detail}", Fault("strength", detail)) from error
    return changed


def _require_enough(synthesizers: Sequence[Synthesizer[Any]], images: Sequence[bytes]) -> None:
    if len(set(images)) > 1:
        return
    for each in synthesizers:
        if each.needs_other_images():
            otherwise = ", or give it patch_from: same" if "patch_from" in type(each).model_fields else ""
            detail = (
                f"{each.method} takes pixels of another image of the product, and only one was sent; send "
                f"two or more{otherwise}"
            )
            raise refused(f"images: {detail}", Fault("images", detail))


def _invalid(field: str, error: ValidationError) -> Problem:
    found = [
        Fault(f"{field}.{each.field}" if each.field else field, each.message) for each in all_faults(error)
    ]
    return refused("; ".join(f"{fault.field}: {fault.detail}" for fault in found[:5]), *found)

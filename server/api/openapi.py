"""What /docs says of problems, the key, and POST /v1/anomalies, whose form is read by hand to bound it."""

from functools import cache
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.api.request_form import RequestRecipe
from server.api.responses import IMAGE_FORMATS, JSON, MULTIPART, TAR, MadeSamples
from server.http.problems import ProblemDetail

EXAMPLE_RECIPE = '{"synthesizers": [{"method": "cutpaste"}], "output": {"keep_normal": true}}'

REASONS = {
    400: "The form cannot be read.",
    401: "The key is missing or wrong.",
    403: "A page of another origin sent it.",
    404: "There is no such thing.",
    406: "The response has no media type that Accept names.",
    408: "The request took too long to arrive.",
    413: "The request, or a file in it, is too large.",
    415: "The body is no form.",
    416: "The range lies outside of the file.",
    421: "Without a key, the server responds under no such name.",
    422: "A field is wrong; `errors` names it.",
    429: "As much is outstanding as may be; come again after Retry-After seconds.",
    503: "Not ready, or being made; come again after Retry-After seconds.",
}

ONLY_WITH_KEY, ONLY_WITHOUT_KEY = 401, 421
EVERYWHERE = (ONLY_WITH_KEY, 403, ONLY_WITHOUT_KEY)
"""What every route may respond with."""

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"

KEY_SCHEMES: dict[str, Schema] = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key; one of three ways.",
    },
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The key."},
    "Basic": {"type": "http", "scheme": "basic", "description": "The key as the password of any user."},
}
"""How a request brings the key, as `KeyMiddleware` takes it."""


def _reference(model: type[BaseModel]) -> Schema:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _text(description: str = "", **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _whole(description: str = "", **more: Any) -> Schema:
    return {"type": "integer", "description": description, **more}


_FORM = _object(
    ["images", "recipe"],
    images=_list(
        _text(format="binary"),
        minItems=1,
        description="Normal images of one product: PNG, JPEG, BMP, TIFF or WebP.",
    ),
    recipe=_text(
        "The name of a recipe (GET /v1/recipes), or a recipe in JSON: the schema RequestRecipe.",
        default=EXAMPLE_RECIPE,
    ),
    n=_whole("How many samples.", minimum=1, default=1),
    seed=_whole(
        "Decides everything random; drawn, and returned, where none is sent.",
        minimum=0,
        maximum=2**63 - 1,
        example=7,
    ),
    strength=_text(
        "A number, or a range such as 0.2,0.5: s for diffusion, opacity delta for the others.", example="0.8"
    ),
    category=_text(
        "What the images show, for a model that knows several products.", maxLength=100, example="uploads"
    ),
)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may respond with, for its documentation."""
    content = {"application/problem+json": {"schema": _reference(ProblemDetail)}}
    return {
        status: {"description": REASONS[status], "content": content}
        for status in sorted({*EVERYWHERE, *statuses})
    }


def bytes_of(*media_types: str) -> dict[str, dict[str, Schema]]:
    """The content of a response that is a file."""
    return {media_type: {"schema": _text(format="binary")} for media_type in media_types}


ANOMALIES: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The samples, in the media type that Accept names.",
            "headers": {"Synthgen-Seed": {"schema": _whole("The seed, drawn where none was sent.")}},
            "content": {
                JSON: {"schema": _reference(MadeSamples)},
                **bytes_of(*IMAGE_FORMATS, TAR, MULTIPART),
            },
        },
        **problems(400, 406, 408, 413, 415, 422, 429, 503),
    },
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
}


def complete_document(app: FastAPI, *, has_key: bool) -> None:
    """Put into the document what no route says: models that are read and written by hand, and the key."""
    from_routes = app.openapi

    @cache
    def openapi() -> Schema:
        document = from_routes()
        _, by_hand = models_json_schema(
            [(RequestRecipe, "validation"), (MadeSamples, "serialization"), (ProblemDetail, "serialization")],
            ref_template=REFERENCE,
        )
        components = document["components"]
        components["schemas"] |= by_hand["$defs"]
        operations = [each for path in document["paths"].values() for each in path.values()]
        for operation in operations:
            del operation["responses"][str(ONLY_WITHOUT_KEY if has_key else ONLY_WITH_KEY)]
            if has_key:
                operation["security"] = [{name: []} for name in KEY_SCHEMES]
        if has_key:
            components["securitySchemes"] = KEY_SCHEMES
        return document

    app.openapi = openapi  # type: ignore[method-assign]

"""What /docs says of problems, and of POST /v1/anomalies, whose form is read by hand to bound it."""

from typing import Any

from server.api.responses import IMAGE_FORMATS, JSON, MULTIPART, TAR

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

EVERYWHERE = (401, 403, 421)
"""What every route may respond with."""

Schema = dict[str, Any]


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties}


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _text(description: str = "", **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _whole(description: str = "", **more: Any) -> Schema:
    return {"type": "integer", "description": description, **more}


_PROBLEM = _object(
    ["type", "title", "status", "detail"],
    type=_text(),
    title=_text(),
    status=_whole(),
    detail=_text("One sentence: what, where, found, expected."),
    errors=_list(_object(["field", "detail"], field=_text(), detail=_text())),
)

_SAMPLE = _object(
    ["key", "media_type", "image", "mask", "facts"],
    key=_text("The sample's index, nine digits."),
    media_type=_text("Of the image."),
    image=_text("Base64."),
    mask=_text("Base64 of a PNG: 255 where the image is anomalous, else 0."),
    normal=_text("Base64 of a PNG, where the recipe's output.keep_normal is true."),
    facts={"type": "object", "description": "How the sample was made."},
)

_SAMPLES = _object(
    ["seed", "fingerprint", "samples"], seed=_whole(), fingerprint=_text(), samples=_list(_SAMPLE)
)

_FORM = _object(
    ["images", "recipe"],
    images=_list(
        _text(format="binary"),
        minItems=1,
        description="Normal images of one product: PNG, JPEG, BMP, TIFF or WebP.",
    ),
    recipe=_text(
        "The name of a recipe (GET /v1/recipes), or a recipe in JSON without name, source, count and seed.",
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
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {
        status: {"description": REASONS[status], "content": content}
        for status in sorted({*EVERYWHERE, *statuses})
    }


ANOMALIES: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The samples, in the media type that Accept names.",
            "headers": {"Synthgen-Seed": {"schema": _whole("The seed, drawn where none was sent.")}},
            "content": {
                JSON: {"schema": _SAMPLES},
                **{each: {"schema": _text(format="binary")} for each in (*IMAGE_FORMATS, TAR, MULTIPART)},
            },
        },
        **problems(400, 401, 406, 408, 413, 415, 422, 429, 503),
    },
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
    },
}

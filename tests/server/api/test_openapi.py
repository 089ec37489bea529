"""The OpenAPI document: Schemathesis finds no response that it does not describe, and its examples work."""

import json
import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks

from server.api.openapi import EXAMPLE_RECIPE
from server.api.request_form import RECIPE_FIELDS, RequestRecipe
from synthgen.synthesizers.scar import Scar
from tests.recipe.test_descriptions import undescribed
from tests.server.requests import form, picture
from tests.server.running import Running

EXAMPLES = 12
"""Requests for each operation."""


def document(server: Running) -> dict[str, Any]:
    """The OpenAPI document that the server gives."""
    status, _, body = server.get("/openapi.json")
    assert status == 200
    read: dict[str, Any] = json.loads(body)
    return read


def with_known_values(described: dict[str, Any]) -> dict[str, Any]:
    """The document with values among which some lead further than to "there is no such thing"."""
    known = {"name": ["patches", "kept", "missing", "brick", "nope"], "shard": ["000000", "000001", "999999"]}
    for operations in described["paths"].values():
        for parameter in operations.get("get", {}).get("parameters", []):
            parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    return described


def fuzzed(check: Callable[[Any], None], cases: st.SearchStrategy[Any]) -> None:
    """Run a check on the same few cases every time."""
    run = given(cases)(check)
    run = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(run)
    seed(0)(run)()


def test_no_response_is_one_that_the_document_does_not_describe(server: Running) -> None:
    schema = schemathesis.openapi.from_dict(with_known_values(document(server)))
    schema.config.update(base_url=server.url)
    statuses: dict[str, set[int]] = {}

    def check(case: Any) -> None:
        response = case.call()
        case.validate_response(
            response,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )
        statuses.setdefault(case.operation.label, set()).add(response.status_code)

    for result in schema.get_all_operations():
        fuzzed(check, result.ok().as_strategy())
    assert len(statuses) == sum(len(operations) for operations in document(server)["paths"].values())


def test_the_fields_of_a_recipe_are_described(server: Running) -> None:
    schemas = document(server)["components"]["schemas"]
    assert schemas["RequestRecipe"]["properties"].keys() == set(RECIPE_FIELDS)
    assert schemas["Scar"]["properties"]["width"]["description"] == Scar.model_fields["width"].description
    of_recipes = {"RequestRecipe", *RequestRecipe.model_json_schema()["$defs"]}
    assert [found for name in of_recipes for found in undescribed(schemas[name])] == []
    references = set(re.findall('"#/components/schemas/(\\w+)"', json.dumps(schemas)))
    assert {"Scar", "LatticeShape", "Output"} <= references <= schemas.keys()


JSON_RESPONSES = {
    "/v1/anomalies": ("post", "MadeSamples"),
    "/v1/recipes": ("get", "Recipes"),
    "/v1/recipes/{name}": ("get", "RecipeInFull"),
    "/v1/methods": ("get", "Methods"),
    "/v1/models": ("get", "Models"),
    "/v1/pictures": ("get", "Pictures"),
    "/v1/reports": ("get", "Reports"),
}
"""Every route that responds with JSON, and the model of its response."""


NAMES = {"pictures": "brick", "reports": "nuts"}
"""Something that is there, by the resource; elsewhere it is a recipe."""


def schema_of(described: dict[str, Any], path: str, method: str, status: int, kind: str) -> dict[str, Any]:
    """The schema of a response, with the components that it refers to."""
    schema: dict[str, Any] = described["paths"][path][method]["responses"][str(status)]["content"][kind][
        "schema"
    ]
    return {**schema, "components": described["components"]}


def test_every_json_response_has_a_model_with_described_fields(server: Running) -> None:
    described = document(server)
    schemas = described["components"]["schemas"]
    found = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                assert all(each.get("schema") for each in content.values()), (path, status)
                if "application/json" in content:
                    assert status == "200", (path, status)
                    found[path] = (method, content["application/json"]["schema"]["$ref"].rpartition("/")[2])
    assert found == JSON_RESPONSES
    reached = {*(name for _, name in found.values()), "ProblemDetail"}
    waiting = list(reached)
    while waiting:
        more = set(re.findall('"#/components/schemas/(\\w+)"', json.dumps(schemas[waiting.pop()]))) - reached
        reached |= more
        waiting += more
    assert {"Facts", "MadeSample", "UnavailableRecipe", "Fault"} <= reached
    assert [fault for name in sorted(reached) for fault in undescribed(schemas[name])] == []


def test_real_responses_are_as_they_are_described(server: Running) -> None:
    described = document(server)
    kept = {"synthesizers": [{"method": "cutout"}], "output": {"keep_normal": True}}
    requests = {
        path: [server.get(path.replace("{name}", "patches"))]
        for path, (method, _) in JSON_RESPONSES.items()
        if method == "get"
    }
    requests["/v1/anomalies"] = [
        server.send(form(server.url, [picture(1), picture(2)], recipe, n=2)) for recipe in (kept, "patches")
    ]
    for path, responses in requests.items():
        schema = schema_of(described, path, JSON_RESPONSES[path][0], 200, "application/json")
        for status, _, body in responses:
            assert status == 200, path
            jsonschema_rs.validator_for(schema).validate(json.loads(body))
    first, second = (json.loads(body)["samples"][0] for _, _, body in requests["/v1/anomalies"])
    assert "normal" in first and "normal" not in second
    available = {each["available"] for each in json.loads(requests["/v1/recipes"][0][2])["recipes"]}
    assert available == {True, False}


def test_real_problems_are_as_they_are_described(server: Running) -> None:
    described = document(server)
    responses = {
        ("/v1/recipes/{name}", "get", 404): server.get("/v1/recipes/nope"),
        ("/v1/recipes/{name}", "get", 422): server.get(f"/v1/recipes/{'n' * 201}"),
        ("/v1/recipes/{name}/shards/{shard}.tar", "get", 422): server.get("/v1/recipes/kept/shards/1.tar"),
        ("/v1/pictures/{name}.png", "get", 404): server.get("/v1/pictures/nope.png"),
        ("/v1/pictures/{name}.png", "get", 422): server.get(f"/v1/pictures/{'n' * 201}.png"),
        ("/v1/methods", "get", 403): server.get("/v1/methods", Origin="https://elsewhere.example"),
        ("/v1/methods", "get", 421): server.get("/v1/methods", Host="elsewhere.example"),
        ("/v1/anomalies", "post", 406): server.send(form(server.url, [picture(1)], "kept", "text/html")),
        ("/v1/anomalies", "post", 422): server.send(form(server.url, [picture(1)], "kept", n=0)),
    }
    for (path, method, expected), (status, headers, body) in responses.items():
        assert (status, headers["content-type"]) == (expected, "application/problem+json"), path
        schema = schema_of(described, path, method, status, "application/problem+json")
        problem = json.loads(body)
        jsonschema_rs.validator_for(schema).validate(problem)
        assert problem["status"] == status
        assert ("errors" in problem) == (status == 422), path


def test_without_a_key_none_is_asked_for(server: Running) -> None:
    described = document(server)
    assert "securitySchemes" not in described["components"]
    for operations in described["paths"].values():
        for operation in operations.values():
            assert "security" not in operation
            assert "401" not in operation["responses"] and "421" in operation["responses"]


def test_the_examples_of_the_documentation_work_as_they_stand(server: Running) -> None:
    described = document(server)
    body = described["paths"]["/v1/anomalies"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    recipe = body["properties"]["recipe"]["default"]
    assert recipe == EXAMPLE_RECIPE
    n = body["properties"]["n"]["default"]
    status, _, response = server.send(form(server.url, [picture(1)], recipe, n=n))
    assert status == 200 and len(json.loads(response)["samples"]) == n
    for path, operations in described["paths"].items():
        if "get" in operations:
            given = {
                "name": next((name for part, name in NAMES.items() if part in path), "patches"),
                "shard": next(
                    (
                        parameter["schema"]["examples"][0]
                        for parameter in operations["get"].get("parameters", [])
                        if parameter["name"] == "shard"
                    ),
                    "",
                ),
            }
            status, headers, _ = server.get(path.replace("{name:path}", "{name}").format(**given))
            assert status == 200, path
            kind = headers["content-type"].partition(";")[0]
            assert kind in operations["get"]["responses"]["200"]["content"], (path, kind)

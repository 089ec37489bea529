"""The OpenAPI document: Schemathesis finds no response that it does not describe, and its examples work."""

import json
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks

from server.api.openapi import EXAMPLE_RECIPE
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


def test_every_json_response_names_its_fields(server: Running) -> None:
    described = document(server)
    for path, operations in described["paths"].items():
        for operation in operations.values():
            content = operation["responses"]["200"]["content"]
            if "application/json" in content:
                schema = content["application/json"]["schema"]
                if "$ref" in schema:
                    schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
                assert schema["properties"], path


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
                "name": "brick" if "pictures" in path else "patches",
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

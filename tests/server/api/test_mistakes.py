"""What a stranger gets wrong with curl: one sentence each, with what was found and what is expected."""

import json
import re
import urllib.parse
import urllib.request

import pytest

from tests.server.requests import CUTPASTE, form, picture
from tests.server.running import Running


def detail(server: Running, request: urllib.request.Request, status: int) -> str:
    """The sentence of a problem with the status."""
    found, headers, body = server.send(request)
    assert (found, headers["content-type"]) == (status, "application/problem+json"), body
    sentence: str = json.loads(body)["detail"]
    assert "\n" not in sentence
    return sentence


def at(server: Running, path: str, method: str = "GET", **headers: str) -> urllib.request.Request:
    data = b"{}" if method == "POST" else None
    return urllib.request.Request(server.url + path, data, headers, method=method)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"strength": "nan"},
            "strength: expected a number such as 0.5 or a range such as 0.2,0.5, found 'nan'",
        ),
        ({"strength": "0.5,inf"}, "strength: expected a number such as 0.5 .*, found '0.5,inf'"),
        ({"strength": "1e999"}, "strength: expected a number such as 0.5 .*, found '1e999'"),
        ({"n": "-3"}, "n: expected a whole number from 1 to 1000, found '-3'"),
        ({"n": "NaN"}, "n: expected a whole number from 1 to 1000, found 'NaN'"),
        ({"seed": "9" * 30}, "seed: expected a whole number from 0 to 9223372036854775807, found '999"),
        ({"category": "a\tb"}, r"category: expected a name of .* printable characters, found 'a\\tb'"),
        ({"image": "x"}, "'image' is no field; the form has images, recipe, n, seed, strength, category"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_right(server: Running, fields: dict[str, str], told: str) -> None:
    found = detail(server, form(server.url, [picture(1)], CUTPASTE, **fields), 422)
    assert re.match(told, found), found


def test_two_values_of_a_field_are_told(server: Running) -> None:
    request = form(server.url, [picture(1)], CUTPASTE, n=1)
    assert isinstance(request.data, bytes)
    line = b"--a-line-between-parts\r\n"
    again = line + b'Content-Disposition: form-data; name="n"\r\n\r\n2\r\n'
    request.data = again + request.data
    assert detail(server, request, 422) == "n: expected one text, found 2 of them"


def test_a_body_that_is_no_form_is_told(server: Running) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        request = at(server, "/v1/anomalies", "POST", **{"Content-Type": kind})
        told = detail(server, request, 415)
        assert told.startswith("expected a form (multipart/form-data) with the fields images, recipe, n, ")
        assert told.endswith(f", found '{kind}'")


def test_a_wrong_method_is_told_with_the_right_one(server: Running) -> None:
    told = detail(server, at(server, "/v1/anomalies"), 405)
    assert told == "GET is not allowed at '/v1/anomalies', only POST"
    assert detail(server, at(server, "/v1/methods", "DELETE"), 405).endswith(", only GET")


@pytest.mark.parametrize("shard", ["0", "0000000", "-00001", "00000a", "٠٠٠٠٠٠"])
def test_a_wrong_number_of_a_shard_is_told(server: Running, shard: str) -> None:
    path = f"/v1/recipes/kept/shards/{urllib.parse.quote(shard)}.tar"
    assert detail(server, at(server, path), 422) == (
        f"shard: expected six digits such as 000000, found '{shard}'"
    )

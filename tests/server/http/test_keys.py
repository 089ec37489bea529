"""The key, and wrong options of `synthgen serve`: refused in one sentence."""

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.http.middleware import read_key
from synthgen.errors import InputError
from tests.server.http.hostile import exchange, head
from tests.server.running import Running, running, small_settings

KEY = b"a-key-of-letters"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that wants a key."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "key").write_bytes(KEY + b"\n")
    with running(small_settings(folder, api_key_file=folder / "key", workers=1)) as started:
        yield started


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"POST", b"DELETE"])
def test_nothing_is_served_without_the_key(locked: Running, method: bytes) -> None:
    paths = [
        "/",
        "/metrics",
        "/livez",
        "/readyz",
        "/page/app.js",
        "/page/docs.js/../app.js",
        "/docs/",
        "/docs/files",
        "/nope",
        "/v1/anomalies",
    ]
    for path in paths:
        response = exchange(locked.port, head(method + b" " + path.encode()))
        assert response.status == 401, path
        assert response.headers["www-authenticate"].startswith("Basic")


DOCUMENTATION = ("/docs", "/docs/files/swagger-ui.css", "/openapi.json", "/page/docs.js", "/page/icon.svg")


@pytest.mark.parametrize("path", DOCUMENTATION)
def test_the_documentation_is_read_without_the_key(locked: Running, path: str) -> None:
    assert exchange(locked.port, head(b"GET " + path.encode())).status == 200
    assert exchange(locked.port, head(b"POST " + path.encode())).status == 401


def test_the_document_says_how_the_key_is_brought(locked: Running) -> None:
    described = json.loads(locked.get("/openapi.json")[2])
    schemes = described["components"]["securitySchemes"]
    for operations in described["paths"].values():
        for operation in operations.values():
            assert [list(each) for each in operation["security"]] == [[name] for name in schemes]
            assert "401" in operation["responses"] and "421" not in operation["responses"]
    assert locked.get("/v1/methods")[0] == 401
    key = KEY.decode()
    for scheme in schemes.values():
        brought = {
            "bearer": {"Authorization": f"Bearer {key}"},
            "basic": {"Authorization": f"Basic {b64encode(b'me:' + KEY).decode()}"},
            "apiKey": {scheme.get("name", ""): key},
        }[scheme.get("scheme", scheme["type"])]
        assert locked.get("/v1/methods", **brought)[0] == 200, scheme
    assert len(schemes) == 3


def test_the_refusal_says_how_the_key_is_brought(locked: Running) -> None:
    for headers in ({}, {"Api-Key": KEY.decode()}, {"Authorization": KEY.decode()}, {"X-API-Key": "wrong"}):
        status, _, body = locked.get("/v1/methods", **headers)
        assert status == 401
        assert "expected 'Authorization: Bearer KEY', 'X-API-Key: KEY', or " in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer " + KEY,
        b"authorization: bearer  " + KEY,
        b"X-API-Key: " + KEY,
        b"Authorization: Basic " + b64encode(b"anybody:" + KEY),
        b"Authorization: Basic " + b64encode(b":" + KEY),
    ],
)
def test_the_key_opens_in_every_way_and_under_every_name(locked: Running, line: bytes) -> None:
    assert exchange(locked.port, head(b"GET /livez", line, host=b"anomalies.example.com")).status == 200
    foreign = head(b"GET /v1/recipes", line, b"Sec-Fetch-Site: cross-site")
    assert exchange(locked.port, foreign).status == 403


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization:",
        b"Authorization: Bearer",
        b"Authorization: Bearer \xff\xfe",
        b"Authorization: Basic \xc3\xa9",
        b"Authorization: Basic =",
        b"Authorization: Basic " + b64encode(KEY),
        b"Authorization: Basic " + b64encode(b"\xff\xfe:" + KEY),
        b"Authorization: Digest " + KEY,
        b"X-API-Key:",
        b"X-API-Key: \xff",
        b"X-API-Key: " + b"a" * 60_000,
        b"X-API-Key: " + KEY + b"x",
        b"X-API-Key: " + KEY[:-1],
        b"X-API-Key: " + KEY.upper(),
    ],
)
def test_wrong_keys_of_every_kind_are_refused(locked: Running, line: bytes) -> None:
    assert exchange(locked.port, head(b"GET /livez", line)).status == 401


@pytest.mark.parametrize("content", [b"", b"short", b"two words that are long", b"\xff" * 20, None])
def test_files_that_hold_no_key_are_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(InputError, match=r"^--api-key-file .*/key: ") as error:
        read_key(tmp_path / "key")
    assert "\n" not in str(error.value)


WRONG = {
    "port": (["--port", "99999"], {}, "--port: "),
    "recipes": (["--recipes", "nowhere"], {}, "--recipes nowhere: is not a folder"),
    "no recipe": (["--recipes", "empty"], {}, "--recipes empty: holds no recipe"),
    "model": (["--model", "empty"], {}, "model empty: "),
    "key": (["--api-key-file", "nowhere"], {}, "--api-key-file nowhere: "),
    "workers": ([], {"SYNTHGEN_WORKERS": "0"}, "SYNTHGEN_WORKERS: "),
    "models": ([], {"SYNTHGEN_MODELS": "a"}, "SYNTHGEN_MODELS: "),
    "cache": ([], {"SYNTHGEN_CACHE_DIR": "file"}, "file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_are_one_line_and_code_2(tmp_path: Path, case: str) -> None:
    options, environment, message = WRONG[case]
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "synthgen.cli", "serve", *options],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_taken_port_is_reported(locked: Running, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "synthgen.cli", "serve", "--port", str(locked.port)],
        env={**os.environ, "SYNTHGEN_CACHE_DIR": str(tmp_path), "SYNTHGEN_WORKERS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "is the port taken" in done.stderr

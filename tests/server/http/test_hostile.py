"""The service in hostile hands: clear refusals at once, memory that stays flat, no harm to anybody else."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.server.http import hostile
from tests.server.http.hostile import anomaly_request, body_of, exchange, file, head, post, text
from tests.server.requests import CUTPASTE, picture

pytestmark = pytest.mark.timeout(300)  # the first test waits for the server and fills its caches

MIB = 2**20
QUICK = 3.0
"""Seconds in which a refusal comes, also on a machine that is busy with other tests."""
BOUND = 1.0
"""The bounds of time that the server is started with, in seconds."""
SETTINGS = {
    "WORKERS": 1,
    "UPLOAD_SECONDS": BOUND,
    "STALL_SECONDS": BOUND,
    "MAX_BODY_BYTES": 8 * MIB,
    "MAX_IMAGE_BYTES": 2 * MIB,
}
GROWTH = 48 * MIB
"""How much memory a process may gain, whose caches are full: what its heap keeps between pieces in use."""
RECIPES = {
    "small": "source: {kind: builtin, categories: [brick]}\nsynthesizers: [{method: cutpaste}]",
    "bad": "source: {kind: folder, path: FOLDER/secret/images}\nsynthesizers: [{method: cutout}]",
    "masked": "source: {kind: builtin, categories: [brick]}\nforeground: {masks: FOLDER/secret/masks}\n"
    "synthesizers: [{method: cutout}]",
    "textured": "source: {kind: builtin, categories: [brick]}\n"
    "synthesizers: [{method: perlin-texture, textures: FOLDER/secret/none}]",
}
GOOD = anomaly_request(picture(1), seed="7")
LARGE = anomaly_request(picture(1, 512), recipe={**CUTPASTE, "size": [512, 512]}, n="100", seed="1")
SHARD = b"/v1/recipes/small/shards/000000.tar"


@dataclass(frozen=True)
class Attacked:
    """`synthgen serve` as users start it."""

    process: psutil.Process
    port: int
    folder: Path
    log: Path

    def send(self, pieces: Any, seconds: float = 20.0) -> hostile.Response:
        """Send something, and read the response."""
        return exchange(self.port, pieces, seconds)

    def memory(self) -> dict[int, int]:
        """Resident bytes of the process and of those that work for it."""
        every = [self.process, *self.process.children(recursive=True)]
        return {process.pid: process.memory_info().rss for process in every}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A server in a process of its own; at the end its log holds no traceback, and its memory is flat."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "recipes").mkdir()
    for name, lines in RECIPES.items():
        head_lines = f"name: {name}\ncount: 4\nsize: [48, 64]\n"
        (folder / "recipes" / f"{name}.yaml").write_text(head_lines + lines.replace("FOLDER", str(folder)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--port", str(port), "--recipes", str(folder / "recipes"), "--device", "cpu"]
    named = {f"SYNTHGEN_{name}": str(value) for name, value in SETTINGS.items()}
    environment = {**os.environ, **named, "SYNTHGEN_CACHE_DIR": str(folder / "cache")}
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "synthgen.cli", "serve", *options], env=environment, stderr=errors
        )
    try:
        server = Attacked(psutil.Process(process.pid), port, folder, log)
        _await_ready(server)
        for data in _requests_that_fill_caches():
            assert exchange(port, data).status == 200
        before = exchange(port, GOOD)
        memory = server.memory()
        yield server
        started = time.monotonic()
        after = exchange(port, GOOD)
        assert (after.status, after.body) == (200, before.body) and time.monotonic() - started < QUICK
        now = server.memory()
        shown = {pid: (was // MIB, now.get(pid, 0) // MIB) for pid, was in memory.items()}
        print(f"memory in MiB, before and after: {shown}")
        assert now.keys() == memory.keys(), "a process was lost"
        assert all(now[pid] - was < GROWTH for pid, was in memory.items()), shown
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    logged = log.read_text()
    assert "Traceback" not in logged and '"level": "error"' not in logged, logged[-3000:]


def _requests_that_fill_caches() -> Iterator[bytes]:
    """What is allowed, and before and after it what takes the most memory, which may be kept too."""
    yield LARGE
    yield from (anomaly_request(data, seed="1") for data in hostile.unusual().values())
    yield from (anomaly_request(picture(1), recipe=recipe, seed="1") for recipe in EXTREME_RECIPES.values())
    yield LARGE


def _await_ready(server: Attacked) -> None:
    for _ in range(600):
        try:
            if server.send(head(b"GET /readyz")).status == 200:
                return
        except ConnectionRefusedError:
            pass
        time.sleep(0.1)
    raise AssertionError(server.log.read_text())


def refused(
    server: Attacked, data: Any, *statuses: int, field: str = "", quick: float = QUICK
) -> dict[str, Any]:
    """The problem with which something is refused: quickly, in one sentence, without a path of the server."""
    response = server.send(data)
    assert response.status in (statuses or (422,)), (response.status, response.body[:300])
    assert response.seconds < quick
    problem = response.problem
    assert problem["status"] == response.status and problem["detail"] and "\n" not in problem["detail"]
    assert len(response.body) < 8000 and str(server.folder) not in response.body.decode()
    if field:
        assert field in [fault["field"] for fault in problem["errors"]], problem
    return problem


@pytest.mark.parametrize("group", ["bombs", "truncations", "foreign"])
def test_files_that_cannot_be_used_are_refused_by_their_number(attacked: Attacked, group: str) -> None:
    for name, data in getattr(hostile, group)().items():
        problem = refused(attacked, anomaly_request(picture(1), data), field="images.1")
        assert problem["detail"].startswith("images.1: "), (name, problem)


def test_files_with_turned_bits_are_refused_or_used(attacked: Attacked) -> None:
    for name, data in hostile.flips().items():
        response = attacked.send(anomaly_request(data))
        assert response.status in (200, 422) and response.seconds < QUICK, (name, response)


def test_unusual_files_are_used(attacked: Attacked) -> None:
    for name, data in hostile.unusual().items():
        response = attacked.send(anomaly_request(data, seed="1"))
        assert response.status == 200, (name, response.body)


def test_images_that_are_too_large_or_too_many_together_are_refused_before_they_are_decoded(
    attacked: Attacked,
) -> None:
    refused(attacked, anomaly_request(picture(1), bytes(2 * MIB + 1)), 413, field="images.1")
    flat = hostile.flat_png(6000)
    memory = attacked.memory()
    refused(attacked, anomaly_request(*(flat + bytes([number]) for number in range(5))), field="images")
    refused(attacked, anomaly_request(hostile.flat_png(6500)), field="images.0")
    assert all(attacked.memory()[pid] - was < 16 * MIB for pid, was in memory.items())
    parts = [text("recipe", json.dumps(CUTPASTE)), *[file(picture(1))] * 33]
    refused(attacked, post(body_of(parts)), 400)


def cutpaste(**fields: str) -> str:
    """A recipe as JSON text, with fields of its synthesizer as they shall stand there."""
    more = "".join(f', "{name}": {value}' for name, value in fields.items())
    return '{"size": [64, 64], "synthesizers": [{"method": "cutpaste"' + more + "}]}"


def other(method: str, name: str, value: str) -> str:
    """A recipe of another method with one field."""
    return '{"size": [64, 64], "synthesizers": [{"method": ' + f'"{method}", "{name}": {value}' + "}]}"


ONE = "recipe.synthesizers.0"
HOSTILE_RECIPES = {
    "nan": (cutpaste(area="[NaN, 0.1]"), f"{ONE}.area.0"),
    "infinity": (cutpaste(area="[0.1, Infinity]"), f"{ONE}.area.1"),
    "beyond floats": (cutpaste(area="[0.1, 1e999]"), f"{ONE}.area.1"),
    "400 digits": (cutpaste(weight="1" * 400), f"{ONE}.weight"),
    "15,000 digits": ('{"attempts": %s}' % ("9" * 15_000), "recipe.attempts"),
    "digits for a regex": ('{"attempts": %s}' % ("1_" * 7000 + "x"), "recipe.attempts"),
    "more digits for a regex": ('{"attempts": ' + "1" * 7000 + "." + "1" * 7000 + "-}", "recipe.attempts"),
    "turned far": (cutpaste(rotation="[-1e308, 1e308]"), f"{ONE}.rotation.0"),
    "deep mappings": ('{"a":' * 2500 + "1" + "}" * 2500, "recipe"),
    "deep lists": ('{"a": ' + "[" * 7000 + "]" * 7000 + "}", "recipe"),
    "deep YAML": ("\n".join(" " * depth + "a:" for depth in range(150)), "recipe"),
    "aliases of aliases": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "\n".join(
            f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "recipe",
    ),
    "an alias of itself": ("a: &a [*a]", "recipe"),
    "Python's tags": ("size: !!python/object/apply:os.system ['id']", "recipe.size"),
    "many values": ("{" + ",".join(f'"k{number}":1' for number in range(1400)) + "}", "recipe.k0"),
    "a long text": ('{"foreground": "%s"}' % ("a" * 15_000), "recipe.foreground"),
    "a long name": ("a" * 15_000, "recipe"),
    "500 synthesizers": (
        '{"synthesizers": [' + ", ".join(['{"method": "nsa"}'] * 500) + "]}",
        "recipe.synthesizers",
    ),
    "given twice": (
        '{"size": [64, 64], "size": [32, 32], "synthesizers": [{"method": "nsa"}]}',
        "recipe.size",
    ),
    "NUL": ('{"foreground": "\0"}', "recipe"),
    "a terminal's escape": ('{"foreground": "\x1b[2J"}', "recipe"),
    "half a character": ('{"foreground": "\\ud800"}', "recipe.foreground"),
    "a name with ..": ("../small", "recipe"),
    "a path": ("/etc/passwd", "recipe"),
    "a name with NUL": ("small\0", "recipe"),
    "a list": ("[1, 2]", "recipe"),
    "nothing": ("", "recipe"),
    "two documents": ("a: 1\n---\nb: 2", "recipe"),
    "half": ('{"synthesizers": [{"method"', "recipe"),
    "a source": (
        '{"source": {"kind": "folder", "path": "/etc"}, "synthesizers": [{"method": "nsa"}]}',
        "recipe.source",
    ),
    "count": ('{"count": 1000000000, "synthesizers": [{"method": "nsa"}]}', "recipe.count"),
    "textures": (other("perlin-texture", "textures", '"/etc"'), f"{ONE}.textures"),
    "textures' URL": (other("perlin-texture", "textures", '"s3://bucket/x"'), f"{ONE}.textures"),
    "a bank": (other("sdas", "bank", '"/etc"'), f"{ONE}.bank"),
    "a model": (other("sdas", "model", '"/etc/passwd"'), f"{ONE}.model"),
    "a model's URL": (other("sdas", "model", '"http://169.254.169.254/"'), f"{ONE}.model"),
    "masks": (
        '{"foreground": {"masks": "/etc"}, "synthesizers": [{"method": "nsa"}]}',
        "recipe.foreground.masks",
    ),
    "published": (
        '{"foreground": {"published": "../../x"}, "synthesizers": [{"method": "nsa"}]}',
        "recipe.foreground.published",
    ),
    "steps": (other("sdas", "sampling", '{"steps": 1000}'), f"{ONE}.sampling.steps"),
    "a batch": (other("sdas", "sampling", '{"batch": 1024}'), f"{ONE}.sampling.batch"),
    "attempts": ('{"attempts": 1000, "synthesizers": [{"method": "nsa"}]}', "recipe.attempts"),
    "size": ('{"size": [8192, 8192], "synthesizers": [{"method": "cutpaste"}]}', "recipe.size"),
    "no size": ('{"size": [0, 0], "synthesizers": [{"method": "cutpaste"}]}', "recipe.size.0"),
    "grid": (other("perlin-self-shuffle", "grid", "[4096, 4096]"), f"{ONE}.grid.0"),
    "a method": ('{"synthesizers": [{"method": "rm -rf /"}]}', f"{ONE}.method"),
    "a crop": (
        '{"size": [512, 512], "resize": "crop", "synthesizers": [{"method": "cutpaste"}]}',
        "images.0",
    ),
    "a tile": (
        '{"size": [512, 512], "resize": "tile", "synthesizers": [{"method": "cutpaste"}]}',
        "images.0",
    ),
    "a tile of no size": (
        '{"size": "native", "resize": "tile", "synthesizers": [{"method": "cutpaste"}]}',
        "recipe.resize",
    ),
}


@pytest.mark.parametrize("case", HOSTILE_RECIPES)
def test_hostile_recipes_are_refused_by_their_field(attacked: Attacked, case: str) -> None:
    recipe, field = HOSTILE_RECIPES[case]
    refused(attacked, anomaly_request(picture(1), recipe=recipe), field=field)


EXTREME_RECIPES = {
    "aspect": cutpaste(aspect="[1e-300, 1e300]"),
    "weight": cutpaste(weight="1e300"),
    "small area": other("cutout", "area", "[1e-300, 1e-300]"),
    "wide scar": other("scar", "width", "[1e300, 1e300]"),
    "gamma": other("nsa", "patch_from", '"same", "gamma": [1e-300, 1e300]'),
    "scales": other("perlin-texture", "mask", '{"scales": [8, 8]}'),
    "octaves": other("perlin-texture", "mask", '{"field": "classic", "octaves": 12}'),
    "contrast": '{"judge": {"min_contrast": 255}, "size": [64, 64], "synthesizers": [{"method": "scar"}]}',
    "byte order mark": "\ufeff" + cutpaste(),
}


@pytest.mark.parametrize("case", EXTREME_RECIPES)
def test_extreme_recipes_that_are_allowed_are_made(attacked: Attacked, case: str) -> None:
    response = attacked.send(anomaly_request(picture(1), recipe=EXTREME_RECIPES[case], seed="1"))
    assert response.status == 200, response.body


HOSTILE_FIELDS = {
    "n": ["0", "-1", "1e3", "1001", "9" * 30, "٣", "NaN", "1.0", "0x10", "1" * 15_000, "1\0", "+1"],
    "seed": ["-1", str(2**63), "1e5", "٣", "9" * 15_000, "null"],
    "strength": ["nan", "inf", "-1", "0", "1e308", "1,0", "0,0,0", ",", "1" + ",1" * 5000, "a", "0.5,nan"],
    "category": ["a" * 101, "a\0b", "\x1b[2J", "a\nb", "\u202e"],
}


@pytest.mark.parametrize("field", HOSTILE_FIELDS)
def test_hostile_values_are_refused_by_their_field(attacked: Attacked, field: str) -> None:
    for value in HOSTILE_FIELDS[field]:
        refused(attacked, anomaly_request(picture(1), **{field: value}), field=field)


@pytest.mark.parametrize("category", ["é", "😀", 'a"b', "../../etc", "<script>", "a.b", "a/b"])
def test_odd_categories_stand_in_the_facts_as_they_are(attacked: Attacked, category: str) -> None:
    parts = [text("recipe", json.dumps(CUTPASTE)), text("category", category), file(picture(1))]
    response = attacked.send(post(body_of(parts), more=[b"Accept: image/png"]))
    assert response.status == 200
    assert json.loads(response.headers["synthgen-facts"])["category"] == category


RECIPE = text("recipe", json.dumps(CUTPASTE))
IMAGE = file(picture(1))
WHOLE = body_of([RECIPE, IMAGE])
LINE = hostile.LINE
BROKEN_FORMS = {
    "no boundary": (post(WHOLE, b"multipart/form-data"), 400),
    "an empty boundary": (post(WHOLE, b"multipart/form-data; boundary="), 400),
    "another boundary": (post(WHOLE, b"multipart/form-data; boundary=x"), 400),
    "a long boundary": (post(WHOLE, b"multipart/form-data; boundary=" + b"a" * 5000), 400),
    "a foreign boundary": (post(WHOLE, b"multipart/form-data; boundary=\xff"), 400),
    "UTF-16": (post(WHOLE, hostile.FORM_TYPE + b"; charset=utf-16"), 422),
    "JSON": (post(b"{}", b"application/json"), 415),
    "urlencoded": (post(b"recipe=x", b"application/x-www-form-urlencoded"), 415),
    "no type": (head(b"POST /v1/anomalies", b"Content-Length: 2") + b"{}", 415),
    "no end": (post(WHOLE[: -len(LINE) - 8]), 422),
    "nothing": (post(b""), 422),
    "zeros": (post(bytes(1000)), 400),
    "line feeds alone": (post(WHOLE.replace(b"\r\n", b"\n")), 400),
    "no name": (post(body_of([(b"x", b"y")])), 400),
    "no disposition": (post(b"--%s\r\nX: y\r\n\r\nx\r\n--%s--\r\n" % (LINE, LINE)), 400),
    "nonsense for a header": (post(b"--%s\r\nnonsense\r\n\r\nx\r\n--%s--\r\n" % (LINE, LINE)), 400),
    "a long name": (post(body_of([(b'name="%s"' % (b"a" * 100_000), b"x")])), 400),
    "a long filename": (post(body_of([RECIPE, file(picture(1), b"a" * 60_000)])), 400),
    "a long value": (post(body_of([text("recipe", "a" * 70_000), IMAGE])), 400),
    "10,000 fields": (post(body_of([text(f"f{number}", "x") for number in range(10_000)])), 400),
    "10,000 files": (post(body_of([file(b"x")] * 10_000)), 400),
    "a field twice": (post(body_of([RECIPE, RECIPE, IMAGE])), 422),
    "a file for a text": (post(body_of([file(b"small", name=b"recipe"), IMAGE])), 422),
    "a text for a file": (post(body_of([RECIPE, text("images", "x")])), 422),
    "a URL": (post(body_of([RECIPE, IMAGE, text("url", "http://169.254.169.254/")])), 422),
    "a name with escapes": (post(body_of([RECIPE, IMAGE, (b'name="a\0\x1b[2J"', b"x")])), 422),
    "a name of no text": (post(body_of([RECIPE, IMAGE, (b'name="\xff\xfe"', b"x")])), 422),
    "a value of no text": (post(body_of([text("recipe", b"\xff\xfe{:"), IMAGE])), 422),
    "nothing accepted": (post(WHOLE, more=[b"Accept: text/html"]), 406),
    "not even a number accepted": (post(WHOLE, more=[b"Accept: */*;q=nan"]), 406),
    "10,000 types accepted": (post(WHOLE, more=[b"Accept: " + b"a/b," * 10_000]), 406),
}


@pytest.mark.parametrize("case", BROKEN_FORMS)
def test_broken_forms_are_refused(attacked: Attacked, case: str) -> None:
    data, status = BROKEN_FORMS[case]
    refused(attacked, data, status)


P = b"POST /v1/anomalies"
FORM = b"Content-Type: " + hostile.FORM_TYPE
CHUNKED = b"Transfer-Encoding: chunked"
BROKEN_HTTP = {
    "shorter than it is": (head(P, FORM, b"Content-Length: 10") + WHOLE, 422),
    "a negative length": (head(P, b"Content-Length: -1"), 400),
    "a length with a sign": (head(P, b"Content-Length: +5"), 400),
    "two lengths": (head(P, b"Content-Length: 5", b"Content-Length: 6"), 400),
    "a length of 5,000 digits": (head(P, b"Content-Length: " + b"9" * 5000), 400),
    "a length of 20 digits": (head(P, FORM, b"Content-Length: " + b"9" * 20), 413),
    "a gigabyte": (head(P, FORM, b"Content-Length: 1073741824"), 413),
    "another coding": (head(P, b"Transfer-Encoding: gzip, chunked"), 400),
    "two codings": (head(P, CHUNKED, b"Transfer-Encoding: identity"), 400),
    "a wrong chunk": (head(P, FORM, CHUNKED) + b"zz\r\n", 400),
    "a wrong second chunk": (head(P, FORM, CHUNKED) + b"5\r\n--a-l\r\n-1\r\n", 400),
    "long headers": (head(b"GET /livez")[:-2] + b"X: " + b"a" * 2_000_000, 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two hosts": (head(b"GET /livez", b"Host: evil"), 400),
    "TLS": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500), 400),
    "noise": (b"\0\xff" * 500 + b"\r\n\r\n", 400),
    "a NUL in a header": (head(b"GET /livez", b"X: a\0b"), 400),
    "a carriage return in a header": (head(b"GET /livez", b"X: a\rY: b"), 400),
    "a space before the colon": (head(b"GET /livez", b"Content-Length : 5"), 400),
    "a request inside": (
        head(b"POST /livez", b"Content-Length: 33") + b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        405,
    ),
    "another server": (head(b"GET http://evil/livez"), 404),
    "a proxy": (head(b"CONNECT evil:80"), 404),
    "no method": (head(b"A" * 10_000 + b" /livez"), 405),
    "out of the page's folder": (head(b"GET /page/..%2f..%2fapp.py"), 404),
    "out of it otherwise": (head(b"GET /page/%2e%2e/app.py"), 404),
    "NUL for a file": (head(b"GET /docs/files/%00"), 404),
    "a long file": (head(b"GET /page/" + b"a" * 5000), 404),
    "a recipe's path": (head(b"GET /v1/recipes/..%2f..%2fetc%2fpasswd"), 404),
    "a recipe at the root": (head(b"GET /v1/recipes//etc/passwd"), 404),
    "a long recipe": (head(b"GET /v1/recipes/" + b"a" * 50_000), 422),
    "a recipe with a header": (head(b"GET /v1/recipes/a%0d%0aX:%20y"), 404),
    "a recipe without images": (head(b"GET /v1/recipes/bad/shards/000000.tar"), 404),
    "a shard's path": (head(b"GET /v1/recipes/small/shards/..%2f000000.tar"), 404),
    "a shard with NUL": (head(b"GET /v1/recipes/small/shards/000000%00.tar"), 422),
    "a shard in other digits": (head(b"GET /v1/recipes/small/shards/" + b"%D9%A0" * 6 + b".tar"), 422),
    "a shard beyond the last": (head(b"GET /v1/recipes/small/shards/999999.tar"), 404),
    "a picture's path": (head(b"GET /v1/pictures/..%2fbrick.png"), 404),
    "no range": (head(b"GET " + SHARD, b"Range: bytes=a-b"), 400),
    "a range backwards": (head(b"GET " + SHARD, b"Range: bytes=5-2"), 400),
    "a range of items": (head(b"GET " + SHARD, b"Range: items=0-5"), 400),
    "a range beyond the end": (head(b"GET " + SHARD, b"Range: bytes=99999999999-"), 416),
    "a range of 6,000 digits": (head(b"GET " + SHARD, b"Range: bytes=" + b"9" * 6000 + b"-"), 400),
    "deleting": (head(b"DELETE " + SHARD), 405),
    "a foreign page's form": (post(WHOLE, more=[b"Origin: https://evil.example"]), 403),
    "a page on another port": (post(WHOLE, more=[b"Sec-Fetch-Site: same-site"]), 403),
    "a picture on a foreign page": (head(b"GET /v1/pictures/brick.png", b"Sec-Fetch-Site: cross-site"), 403),
    "a file's page": (post(WHOLE, more=[b"Origin: null"]), 403),
    "a name that leads here": (head(b"GET /v1/recipes", host=b"evil.example:8000"), 421),
}


@pytest.mark.parametrize("case", BROKEN_HTTP)
def test_broken_http_is_refused(attacked: Attacked, case: str) -> None:
    data, status = BROKEN_HTTP[case]
    refused(attacked, data, status)


@pytest.mark.parametrize(
    "lines",
    [
        [b"Origin: http://localhost"],
        [b"Sec-Fetch-Site: same-origin", b"Origin: http://elsewhere"],
        [b"Sec-Fetch-Site: none"],
        [b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Dest: document"],
        [b"X: " + b"a" * 60_000],
        [b"X-%d: y" % number for number in range(3000)],
        [b"Connection: Upgrade", b"Upgrade: websocket"],
    ],
)
def test_odd_requests_that_are_allowed_are_served(attacked: Attacked, lines: list[bytes]) -> None:
    assert attacked.send(head(b"GET /livez", *lines)).status == 200


@pytest.mark.parametrize(
    "host", [b"localhost:8000", b"127.0.0.1", b"[::1]:80", b"192.168.1.5:80", b"gpu-box", b"a.localhost"]
)
def test_names_that_nobody_owns_on_the_internet_are_served(attacked: Attacked, host: bytes) -> None:
    assert attacked.send(head(b"GET /livez", host=host)).status == 200


def test_no_response_names_a_folder_of_the_server(attacked: Attacked) -> None:
    for path in ("recipes", "recipes/small", "recipes/bad", "recipes/masked", "recipes/textured", "models"):
        assert str(attacked.folder).encode() not in attacked.send(head(f"GET /v1/{path}".encode())).body
    for name in ("masked", "textured"):
        refused(attacked, anomaly_request(picture(1), recipe=name))


def test_a_gigabyte_in_chunks_is_refused_long_before_its_end(attacked: Attacked) -> None:
    sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal sent
        yield head(P, FORM, CHUNKED)
        for piece in hostile.chunks(1024 * MIB):
            sent += len(piece)
            yield piece

    memory = attacked.memory()
    assert attacked.send(counted()).status in (413, 0)  # 0: the response was lost on the way it came too soon
    assert sent < 64 * MIB
    assert all(attacked.memory()[pid] - was < 32 * MIB for pid, was in memory.items())


def test_uploads_and_headers_that_do_not_end_are_given_up(attacked: Attacked) -> None:
    slow = {
        "body": hostile.drip(GOOD[:-1], 0.02),
        "headers": hostile.drip(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 1000, 0.02),
        "silence": [head(P, FORM, b"Content-Length: 1000")],
        "nothing at all": [b""],
        "half a header": [b"GET /li"],
    }
    responses: dict[str, hostile.Response] = {}

    def attack(name: str) -> None:
        responses[name] = attacked.send(slow[name])

    threads = [threading.Thread(target=attack, args=(name,)) for name in slow]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {"body": 408, "headers": 408, "silence": 408, "nothing at all": 0, "half a header": 408}
    assert {name: response.status for name, response in responses.items()} == expected
    assert all(response.seconds < BOUND + QUICK for response in responses.values())


def test_readers_that_never_read_are_left_and_hold_nobody_up(attacked: Attacked) -> None:
    idle = []
    for _ in range(8):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", attacked.port))
        connection.sendall(LARGE)
        idle.append(connection)
    time.sleep(0.5)
    assert attacked.send(GOOD).seconds < QUICK
    deadline = time.monotonic() + 15
    while len(attacked.process.net_connections()) > 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    left = attacked.process.net_connections()
    for connection in idle:
        connection.close()
    assert len(left) <= 2, left


def test_clients_that_vanish_leave_no_work_behind(attacked: Attacked) -> None:
    many = anomaly_request(picture(1), n="1000", seed="2")
    for data in (many, GOOD[: len(GOOD) // 2], head(P, FORM, CHUNKED) + b"5\r\n--a-l\r\n", b"GET /"):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", attacked.port)) as connection:
                connection.sendall(data)
    deadline = time.monotonic() + QUICK
    while (
        b'synthgen_queue_depth{lane="paste",state="outstanding"} 0.0'
        not in attacked.send(head(b"GET /metrics")).body
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)

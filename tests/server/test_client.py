"""The client: what it sends arrives, what comes back is what was made, and errors are one sentence."""

import numpy as np
import pytest

from synthgen.client import Anomalies, Client
from synthgen.errors import InputError, RunError
from synthgen.images.decode import decode
from tests.server.api.test_anomalies import MANY, made_here
from tests.server.requests import CUTPASTE, picture
from tests.server.running import Running


def test_the_samples_are_the_plan_s(server: Running) -> None:
    images = [picture(1), picture(2)]
    made = Client(server.url).anomalies(images, MANY, n=5, seed=8, strength=(0.4, 0.6))
    recipe = {**MANY, "synthesizers": [{**each, "delta": [0.4, 0.6]} for each in MANY["synthesizers"]]}
    expected = list(made_here(images, recipe, 5, 8).samples(range(5)))
    assert made.seed == 8 and len(made.samples) == 5
    for sample, other in zip(made.samples, expected, strict=True):
        assert np.array_equal(sample.image, other.image) and np.array_equal(sample.mask, other.mask)
        assert sample.normal is not None and np.array_equal(sample.normal, other.normal)
        assert sample.facts == other.facts


def test_images_may_be_bytes_paths_or_pixels(server: Running, tmp_path) -> None:
    data = picture(1)
    (tmp_path / "good.png").write_bytes(data)
    client = Client(server.url)

    def first(made: Anomalies) -> bytes:
        return made.samples[0].image.tobytes()

    found = {
        first(client.anomalies([image], CUTPASTE, seed=1))
        for image in (data, tmp_path / "good.png", str(tmp_path / "good.png"))
    }
    pixels = client.anomalies([np.asarray(decode(data), np.uint8)], CUTPASTE, seed=1)
    assert len(found) == 1 and pixels.samples[0].image.shape == (64, 64, 3)


def test_shards_and_their_urls(server: Running) -> None:
    client = Client(server.url)
    assert client.shard("kept", 2) == server.get("/v1/recipes/kept/shards/000002.tar")[2]
    assert client.shard_urls("kept") == f"{server.url}/v1/recipes/kept/shards/{{000000..000003}}.tar"
    with pytest.raises(InputError, match="no recipe 'nothing'"):
        client.shard_urls("nothing")


def test_what_is_refused_says_why(server: Running) -> None:
    with pytest.raises(InputError, match=r"recipe\.synthesizers\.0\.method.*did you mean cutpaste.*\(422\)"):
        Client(server.url).anomalies([picture(1)], {"synthesizers": [{"method": "cutpast"}]})


def test_a_service_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RunError, match="cannot be reached"):
        Client("http://127.0.0.1:9").recipes()

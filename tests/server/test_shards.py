"""Virtual shards: the very bytes that generate writes, as files with ranges, from a sound cache."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

import synthgen
from server.shard_cache import ShardCache
from synthgen.engines.worker import make_shard
from synthgen.errors import SynthgenError
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.files import dump_recipe, load_recipe, shipped_names
from synthgen.shards.mark import Mark
from synthgen.shards.numbering import shard_count
from synthgen.storage.output import OutputDirectory
from tests.server.running import RECIPES, Running, running, small_settings


def generated(plan: Plan, out: Path) -> dict[str, bytes]:
    """The oracle: what a worker of `synthgen generate` writes."""
    directory = OutputDirectory(str(out))
    directory.create()
    for shard in range(shard_count(plan)):
        make_shard(directory, Pipeline(plan), shard, lambda _: None)
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.tar"))}


def shipped_plans(folder: Path) -> dict[str, Plan]:
    """All shipped recipes that can be frozen here, each with few samples and few steps."""
    plans = {}
    for name in shipped_names():
        few = ["count=5", "output.shard_size=3"]
        recipe = load_recipe(name, few)
        for number, synthesizer in enumerate(recipe.synthesizers):
            if synthesizer.runs_network:
                few += [f"synthesizers.{number}.sampling.{each}" for each in ("steps=4", "batch=2")]
                few.append("attempts=3")
        recipe = load_recipe(name, few)
        try:
            plans[name] = synthgen.freeze(recipe)
        except SynthgenError:
            continue  # its data set or model is not here
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_recipe(recipe))
    return plans


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_shipped_recipe_has_the_bytes_of_generate(tmp_path: Path) -> None:
    plans = shipped_plans(tmp_path / "shipped")
    assert {"mixed", "nsa", "quickstart", "sia", "sdas-local", "realnet-training"} <= set(plans)
    settings = small_settings(tmp_path, recipes=tmp_path / "shipped")
    with running(settings) as server:
        for name, plan in plans.items():
            expected = generated(plan, tmp_path / "out" / name)
            assert len(expected) == 2
            for shard, data in expected.items():
                status, headers, body = server.get(f"/v1/recipes/{name}/shards/{shard}")
                assert status == 200 and body == data, (name, shard)
                assert headers["x-content-sha256"] == sha256(data).hexdigest()


@pytest.mark.parametrize("name", ["patches", "kept", "grown"])
def test_shards_and_marks_are_those_of_generate(server: Running, tmp_path: Path, name: str) -> None:
    recipes = server.service.settings.recipes
    assert recipes
    expected = generated(synthgen.freeze(load_recipe(recipes / f"{name}.yaml")), tmp_path)
    with ThreadPoolExecutor(8) as threads:
        responses = list(
            threads.map(lambda shard: server.get(f"/v1/recipes/{name}/shards/{shard}"), expected)
        )
    assert [body for _, _, body in responses] == list(expected.values())
    marks = list(server.service.settings.cache_dir.rglob("*.json"))
    ours = {Mark.model_validate_json(path.read_bytes()).sha256: path.read_bytes() for path in marks}
    for shard, data in expected.items():
        assert ours[sha256(data).hexdigest()] == (tmp_path / shard).with_suffix(".json").read_bytes()


def test_a_shard_is_a_file_with_ranges_and_a_tag(server: Running) -> None:
    path = "/v1/recipes/kept/shards/000001.tar"
    _, headers, whole = server.get(path)
    assert headers["content-length"] == str(len(whole)) and headers["accept-ranges"] == "bytes"
    status, part_headers, part = server.get(path, Range="bytes=1000-1999")
    assert (status, part) == (206, whole[1000:2000])
    assert part_headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    assert server.get(path, Range="bytes=-512")[2] == whole[-512:]
    assert server.get(path, Range=f"bytes={len(whole)}-")[0] == 416
    tag = headers["etag"]
    assert server.get(path, **{"If-None-Match": tag})[0] == 304
    assert server.get(path, **{"If-None-Match": '"other"'})[0] == 200
    assert server.get(path, **{"Range": "bytes=0-9", "If-Range": tag})[0] == 206
    assert server.get(path, **{"Range": "bytes=0-9", "If-Range": '"other"'})[0] == 200
    status, head, body = server.send(urllib.request.Request(server.url + path, method="HEAD"))
    assert (status, body) == (200, b"")
    assert {name: head[name] for name in ("content-length", "etag")} == {
        "content-length": str(len(whole)),
        "etag": tag,
    }
    assert server.get("/v1/recipes/kept/shards/000002.tar")[1]["etag"] != tag


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/recipes/kept/shards/000004.tar", 404),
        ("/v1/recipes/kept/shards/4.tar", 422),
        ("/v1/recipes/nothing/shards/000000.tar", 404),
        ("/v1/recipes/missing/shards/000000.tar", 404),
        ("/v1/recipes/kept/shards/000000.json", 404),
    ],
)
def test_what_is_no_shard_is_refused(server: Running, path: str, status: int) -> None:
    found, headers, body = server.get(path)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert b"detail" in body


def test_recipes_are_listed_with_what_they_hold(server: Running) -> None:
    import json

    listed = {each["name"]: each for each in json.loads(server.get("/v1/recipes")[2])["recipes"]}
    assert set(listed) == set(RECIPES)
    assert (listed["patches"]["count"], listed["patches"]["shards"]) == (70, 2)
    assert listed["missing"]["available"] is False and "does not exist" in listed["missing"]["reason"]
    whole = json.loads(server.get("/v1/recipes/patches")[2])
    assert whole["recipe"]["synthesizers"][1]["method"] == "nsa" and whole["shard_size"] == 40
    assert whole["card"].startswith("# patches") and "KEY.mask.png" in whole["card"]


def test_a_data_loader_with_four_workers_reads_an_epoch(server: Running) -> None:
    webdataset = pytest.importorskip("webdataset")
    from torch.utils.data import DataLoader

    url = f"{server.url}/v1/recipes/kept/shards/{{000000..000003}}.tar"
    dataset = webdataset.WebDataset(url, shardshuffle=False).decode("pill").to_tuple("__key__", "jpg", "cls")
    seen = []
    for key, image, label in DataLoader(dataset, batch_size=None, num_workers=4):
        assert image.size == (32, 32) and label in (0, 1)
        seen.append(key)
    assert sorted(seen) == [f"{number:09d}" for number in range(20)]


def test_a_shard_that_takes_long_is_promised_and_then_there(tmp_path: Path) -> None:
    with running(small_settings(tmp_path, shard_seconds=0.05, workers=1)) as server:
        path = "/v1/recipes/grown/shards/000000.tar"
        status, headers, _ = server.get(path)
        assert status == 503 and int(headers["retry-after"]) >= 1
        deadline = time.monotonic() + 30
        while server.get(path)[0] == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert server.get(path)[2] == next(iter((tmp_path / "cache").rglob("*.tar"))).read_bytes()


def test_a_shard_that_many_request_is_made_once(server: Running) -> None:
    before = next(server.service._numbers)
    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(lambda _: server.get("/v1/recipes/kept/shards/000003.tar"), range(8)))
    assert len({body for _, _, body in responses}) == 1
    assert next(server.service._numbers) - before <= 2


@pytest.mark.timeout(300)
def test_a_killed_service_leaves_no_bad_shard(tmp_path: Path) -> None:
    """Killed while it writes; what is served afterwards is right and whole."""
    settings = small_settings(tmp_path)
    (tmp_path / "recipes/patches.yaml").write_text(
        RECIPES["patches"].replace("count: 70", "count: 800").replace("shard_size: 40", "shard_size: 700")
    )
    environment = {**os.environ, "SYNTHGEN_CACHE_DIR": str(settings.cache_dir)}
    port = _free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "synthgen.cli", "serve", "--port", str(port)),
            *("--recipes", str(settings.recipes), "--device", "cpu"),
        ],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    _wait_until_ready(url)
    client = threading.Thread(target=_request_in_vain, args=(f"{url}/v1/recipes/patches/shards/000000.tar",))
    client.start()
    while not list(settings.cache_dir.rglob("*.partial")):
        time.sleep(0.005)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    client.join()
    assert not list(settings.cache_dir.rglob("*.tar"))
    assert list(settings.cache_dir.rglob("*.partial"))
    plan = synthgen.freeze(load_recipe(tmp_path / "recipes/patches.yaml"))
    expected = generated(plan, tmp_path / "out")
    with running(settings) as server:
        assert not list(settings.cache_dir.rglob("*.partial"))
        for shard, data in expected.items():
            assert server.get(f"/v1/recipes/patches/shards/{shard}")[2] == data


def test_a_stopping_service_finishes_what_it_took_on(tmp_path: Path) -> None:
    from tests.server.requests import CUTPASTE, form, picture

    with running(small_settings(tmp_path)) as server:
        request = form(
            server.url, [picture(1)], {**CUTPASTE, "size": [256, 256]}, "application/x-tar", n=600, seed=1
        )
        expected = server.send(request)[2]
        with ThreadPoolExecutor(4) as threads:
            responses = [threads.submit(server.send, request) for _ in range(4)]
            while server.service.pools["paste"].outstanding < 8:
                time.sleep(0.005)
            server.stop()
            assert all(response.result()[2] == expected for response in responses)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return synthgen.freeze(
        load_recipe("scar", ["count=40", "output.shard_size=5", "size=[32, 32]"]).model_copy()
    )


def made_into(cache: ShardCache, plan: Plan, shard: int) -> Path:
    cache.add(plan, make_shard(cache.directory(plan), Pipeline(plan), shard, lambda _: None))
    kept = cache.find(plan, shard)
    assert kept
    return kept.path


def test_the_cache_keeps_what_was_read_last_within_its_bytes(plan: Plan, tmp_path: Path) -> None:
    assert shard_count(plan) == 8
    first = ShardCache(tmp_path / "cache", 10**9)
    first.open()
    size = made_into(first, plan, 0).stat().st_size
    cache = ShardCache(tmp_path / "bounded", int(3.9 * size))
    cache.open()
    for shard in range(3):
        made_into(cache, plan, shard)
    oldest = cache.find(plan, 0)
    assert oldest
    with cache.reading(oldest):
        pass
    made_into(cache, plan, 3)
    assert [cache.find(plan, shard) is not None for shard in range(4)] == [True, False, True, True]
    assert cache.bytes <= 3.9 * size
    files = sorted(path.name for path in (tmp_path / "bounded").rglob("*.*"))
    assert files == [f"{number:06d}.{kind}" for number in (0, 2, 3) for kind in ("json", "tar")]


def test_what_is_read_stays_until_it_was_read(plan: Plan, tmp_path: Path) -> None:
    cache = ShardCache(tmp_path / "cache", 1)
    cache.open()
    path = made_into(cache, plan, 0)
    kept = cache.find(plan, 0)
    assert kept
    with cache.reading(kept):
        made_into(cache, plan, 1)
        assert path.exists()
    assert not path.exists() and cache.find(plan, 0) is None
    assert cache.find(plan, 1)


def test_an_opened_cache_takes_over_what_is_whole_and_removes_the_rest(plan: Plan, tmp_path: Path) -> None:
    cache = ShardCache(tmp_path, 10**9)
    cache.open()
    paths = [made_into(cache, plan, shard) for shard in range(3)]
    paths[0].write_bytes(paths[0].read_bytes()[:-100])
    paths[1].with_suffix(".json").unlink()
    again = ShardCache(tmp_path, 10**9)
    again.open()
    assert [again.find(plan, shard) is not None for shard in range(3)] == [False, False, True]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["000002.json", "000002.tar"]


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz"):
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _request_in_vain(url: str) -> None:
    try:
        with urllib.request.urlopen(url) as response:
            response.read()
    except OSError:
        pass

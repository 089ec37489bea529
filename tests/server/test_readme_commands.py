"""The README's requests to the service run as they stand."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from synthgen.images.decode import decode
from tests.conftest import REPOSITORY
from tests.server.requests import picture
from tests.server.running import running, small_settings
from tests.test_readme import blocks, run_commands

ADDRESS = "http://127.0.0.1:8000"


def test_the_requests_and_the_client_run(tmp_path: Path) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for name in ("quickstart", "cutpaste"):
        text = (REPOSITORY / f"recipes/{name}.yaml").read_text()
        (recipes / f"{name}.yaml").write_text(text.replace("[256, 256]", "[64, 64]"))
    (tmp_path / "good.png").write_bytes(picture(1))
    with running(small_settings(tmp_path / "server", recipes=recipes)) as server:
        [commands] = blocks("bash")
        assert commands.count(ADDRESS) == 3
        run_commands(commands.replace(ADDRESS, server.url), tmp_path)
        _, code, *_ = blocks("python")
        check = "assert len(made.samples) == 4 and sum(1 for _ in dataset) == 240\n"
        done = subprocess.run(
            [sys.executable, "-c", code.replace(ADDRESS, server.url) + check],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        shard = server.get("/v1/recipes/quickstart/shards/000000.tar")[2]
    assert decode((tmp_path / "anomalous.png").read_bytes()).shape == (64, 64, 3)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "sixteen.tar").read_bytes())) as archive:
        assert len(archive.getnames()) == 16 * 4
    assert (tmp_path / "000000.tar").read_bytes() == shard

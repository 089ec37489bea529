"""The container files, checked without an engine: all that they name is there, and nothing runs as root."""

import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.cli.main import parser
from synthgen.errors import InputError, RunError, TransientError
from tests.conftest import REPOSITORY

DOCKERFILES = sorted((REPOSITORY / "docker").glob("Dockerfile.*"))


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile as (name, arguments), with continued lines joined."""
    text = dockerfile.read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    parts = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [(name.upper(), arguments) for name, arguments in parts]


def arguments_of(dockerfile: Path, name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions(dockerfile) if instruction == name]


def copied(dockerfile: Path) -> list[str]:
    """What is copied from the repository."""
    copies = [line.split() for line in arguments_of(dockerfile, "COPY") if not line.startswith("--from")]
    return [source for words in copies for source in words[:-1]]


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a path at the top of the repository through; the last fitting rule wins."""
    included = True
    for rule in (REPOSITORY / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#") and fnmatch(path, rule.removeprefix("!")):
            included = rule.startswith("!")
    return included


def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_both_images_are_checked() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile.cpu", "Dockerfile.cuda"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_what_is_copied_is_in_the_repository_and_in_the_context(dockerfile: Path) -> None:
    sources = copied(dockerfile)
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert in_context(source), source


def test_the_job_is_indexed_and_tries_again_by_exit_code() -> None:
    job = yaml.safe_load((REPOSITORY / "docker" / "job.yaml").read_text())["spec"]
    (container,) = job["template"]["spec"]["containers"]
    assert job["completionMode"] == "Indexed" and job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["backoffLimitPerIndex"] > 0 and job["podReplacementPolicy"] == "Failed"
    fails = job["podFailurePolicy"]["rules"][0]
    assert fails["action"] == "FailIndex" and fails["onExitCodes"]["containerName"] == container["name"]
    assert fails["onExitCodes"]["values"] == [RunError.exit_code, InputError.exit_code]
    assert TransientError.exit_code not in fails["onExitCodes"]["values"]
    options = parser().parse_args([{"$(CPUS)": "4"}.get(word, word) for word in container["args"]])
    assert options.num_workers == job["completions"] == job["parallelism"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in job["template"]["spec"]["volumes"]
    }


@pytest.mark.parametrize(
    ("code", "restarts", "requeued"), [(0, "0", False), (1, "0", False), (75, "0", True), (75, "3", False)]
)
def test_the_slurm_script_makes_a_share_and_tries_again(
    code: int, restarts: str, requeued: bool, tmp_path: Path
) -> None:
    for name, script in (
        ("synthgen", f'echo "$@" > asked; exit {code}'),
        ("scontrol", 'echo "$@" > requeued'),
    ):
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"ARRAY_JOB_ID": "9", "ARRAY_TASK_ID": "7", "CPUS_PER_TASK": "8"}
    environment = {f"SLURM_{name}": value for name, value in slurm.items()}
    environment |= {"SLURM_RESTART_COUNT": restarts, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run([REPOSITORY / "docker" / "slurm.sh"], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == code
    options = parser().parse_args((tmp_path / "asked").read_text().split())
    assert (options.command, options.num_workers, options.workers) == ("generate", 50, 8)
    assert (tmp_path / "requeued").exists() == requeued
    if requeued:
        assert (tmp_path / "requeued").read_text() == "requeue 9_7\n"


def test_data_and_environments_stay_out_of_the_context() -> None:
    for path in (".git", ".venv", "data", "out", "demo", "tests"):
        assert not in_context(path), path


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_all_that_the_package_is_built_from_is_copied(dockerfile: Path) -> None:
    configuration = project()
    wheel = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        "pyproject.toml",
        "constraints.txt",
        configuration["project"]["readme"],
        *configuration["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    }
    assert needed <= set(copied(dockerfile))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_the_image_installs_the_pinned_package_and_runs_its_command(dockerfile: Path) -> None:
    configuration = project()["project"]
    install = next(line for line in arguments_of(dockerfile, "RUN") if "pip install" in line)
    assert '-c constraints.txt ".[readers,sdas,server]"' in install
    assert "readers" in configuration["optional-dependencies"]
    (command,) = yaml.safe_load(arguments_of(dockerfile, "ENTRYPOINT")[-1])
    assert command in configuration["scripts"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_the_last_stage_does_not_run_as_root(dockerfile: Path) -> None:
    lines = instructions(dockerfile)
    last_stage = max(number for number, (name, _) in enumerate(lines) if name == "FROM")
    user = [arguments for name, arguments in lines[last_stage:] if name == "USER"][-1]
    assert user.split(":")[0] not in {"0", "root"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_every_stage_stands_on_a_declared_image_or_an_earlier_stage(dockerfile: Path) -> None:
    known = {f"${{{line.split('=')[0]}}}" for line in arguments_of(dockerfile, "ARG") if "=" in line}
    for line in arguments_of(dockerfile, "FROM"):
        base, *name = line.split(" AS ")
        assert base in known
        known.update(name)
    for line in arguments_of(dockerfile, "COPY"):
        if line.startswith("--from="):
            assert line.split()[0].removeprefix("--from=") in known


def test_compose_names_files_that_exist_and_guards_the_data() -> None:
    folder = REPOSITORY / "docker"
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    assert set(services) == {"cpu", "gpu"}
    for name, service in services.items():
        assert service["profiles"] == [name]
        context = (folder / service["build"]["context"]).resolve()
        assert context == REPOSITORY
        assert (context / service["build"]["dockerfile"]) in DOCKERFILES
        assert set(service["build"]["args"]) <= set(
            arguments_of(context / service["build"]["dockerfile"], "ARG")
        )
        mounts = {Path(mount["source"]).name: mount for mount in service["volumes"]}
        assert set(mounts) == {"data", "out"}
        assert mounts["data"]["read_only"]
        assert not mounts["out"].get("read_only")
        workdir = arguments_of(context / service["build"]["dockerfile"], "WORKDIR")[-1]
        for mount in mounts.values():
            assert mount["target"] == f"{workdir}/{Path(mount['source']).name}"
    assert services["gpu"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_the_licence_is_apache_2_in_full() -> None:
    text = (REPOSITORY / "LICENSE").read_text()
    assert project()["project"]["license"] == "Apache-2.0"
    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) == 202

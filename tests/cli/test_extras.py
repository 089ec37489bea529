"""Commands and functions without the optional packages: the extra is named, before any work is done."""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import synthgen
from synthgen.cli.main import parser
from synthgen.config.document import one_line
from synthgen.runtime.extras import EXTRAS, missing_extra
from tests.cli.helpers import RECIPE, write_pictures
from tests.conftest import REPOSITORY

NEEDED_BY = {
    "safetensors": ("accelerate", "diffusers"),
    "huggingface_hub": ("accelerate", "diffusers"),
}
"""What else is not there where a package is missing, because it cannot be installed without it."""

SMALL = ("--set", "image_size=32", "--set", "channels=20", "--weights", "random")
FAST = ("--set", "synthesizers.0.sampling.steps=1", "--count", "1")
COMMANDS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "init": (None, ("good", "--out", "new.yaml")),
    "check": (None, ("r.yaml",)),
    "plan": (None, ("r.yaml", "--out", "plan.json")),
    "preview": (None, ("r.yaml", "-n", "1", "--out", "sheet.png")),
    "generate": (None, ("r.yaml", "--out", "new", "--workers", "1")),
    "finish": (None, ("grown",)),
    "verify": (None, ("grown",)),
    "inspect": (None, ("grown", "--out", "histograms.png")),
    "readers": (None, ("grown",)),
    "replay": ("sdas", ("grown/000000.tar", "000000000", "--out", "out")),
    "sdas train": ("sdas", ("good", "--out", "out", "--steps", "1")),
    "pretrain": ("pretraining", ("good", "--out", "out.safetensors", "--steps", "1")),
    "attention": ("detectors", ("random", "cutpaste", "--out", "out", "--source", "good")),
    "detect fit": ("detectors", ("padim", "good", "--out", "out", *SMALL)),
    "detect calibrate": ("detectors", ("fitted", "--normal", "good")),
    "detect score": ("detectors", ("fitted", "good", "--out", "out", "--maps", "out")),
    "evaluate": ("detectors", ("padim", "grown", "--out", "out", *SMALL)),
    "validate": ("detectors", ("nsa", "--source", "good", "--out", "out")),
    "tune": ("report", ("cutpaste", "--source", "good", "--detectability", "0.8", "--out", "out/new.yaml")),
    "serve": ("server", ()),
}
"""Each command, the extra that it needs, and options with which it works where everything is installed."""
OTHER_USES = {
    "check": ("sdas", ("sdas-quickstart", *FAST)),
    "plan": ("sdas", ("sia", "--source", "good", "--set", "synthesizers.0.model=builtin", "--out", "out")),
    "preview": ("sdas", ("sdas-local", "--source", "good", *FAST, "--out", "out")),
    "generate": ("sdas", ("sdas-quickstart", *FAST, "--out", "out", "--workers", "1")),
    "detect fit": ("detectors", ("simplenet", "good", "--out", "out")),
    "evaluate": ("detectors", ("fitted", "grown", "--out", "out")),
    "serve": ("server", ("--model", "nowhere", "--api-key-file", "nowhere")),
}
ON_RAY = {"generate": ("ray", ("r.yaml", "--out", "out", "--engine", "ray"))}
USES = [(name, *use) for table in (COMMANDS, OTHER_USES, ON_RAY) for name, use in table.items()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a recipe, a directory that stands for a fitted detector, and a shard grown by diffusion."""
    folder = tmp_path_factory.mktemp("extras")
    write_pictures(folder / "good")
    (folder / "r.yaml").write_text(RECIPE)
    (folder / "fitted").mkdir()
    recipe = synthgen.load_recipe("sdas-quickstart", ["synthesizers.0.sampling.steps=1", "count=1"])
    synthgen.generate(recipe, str(folder / "grown"), workers=1)
    return folder


def answers(
    folder: Path, pairs: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]
) -> list[list[tuple[int, str]]]:
    """Exit code and standard error of commands, each list of them without its packages."""
    lines = printed(folder, "-m", "tests.cli.without_packages", json.dumps(pairs))
    return [[(code, errors) for code, errors in json.loads(line)] for line in lines]


def printed(folder: Path, *arguments: str) -> list[str]:
    """The lines that Python prints in a process of its own, with nothing else on its paths."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def words(use: tuple[str, str | None, tuple[str, ...]]) -> list[str]:
    return [*use[0].split(), *use[2]]


def all_commands(of: argparse.ArgumentParser, above: str = "") -> Iterator[str]:
    """The names of all commands, such as ``detect fit``."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from all_commands(below, f"{above} {name}".strip())
            return
    yield above


def test_the_table_has_every_command() -> None:
    assert set(COMMANDS) == set(all_commands(parser()))


def test_the_extras_are_those_of_the_installation() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        names = {
            requirement.partition(">")[0].replace("-", "_")
            for requirement in declared[extra]
            if ";" not in requirement  # the others are not for every system
        }
        assert names == set(packages)


def test_a_missing_package_is_one_sentence_with_its_extra_and_no_work(folder: Path) -> None:
    packages = sorted({package for extra in EXTRAS.values() for package in extra})
    missing = [(package, *NEEDED_BY.get(package, ())) for package in packages]
    concerned = [
        [use for use in USES if use[1] and set(EXTRAS[use[1]]) & set(without)] for without in missing
    ]
    found = answers(
        folder,
        [(without, [words(use) for use in uses]) for without, uses in zip(missing, concerned, strict=True)],
    )
    for without, uses, told in zip(missing, concerned, found, strict=True):
        assert uses, without
        for use, (code, errors) in zip(uses, told, strict=True):
            assert code == 2, (without, use, errors)
            assert errors.count("\n") == 1 and "bug" not in errors, (without, use, errors)
            assert f"pip install 'synthgen-anomaly[{use[1]}]'" in errors, (without, use, errors)
            assert any(f" the package {package}; " in errors for package in without), (without, use, errors)
    assert not (folder / "out").exists()


def test_a_base_installation_does_all_the_rest(folder: Path) -> None:
    base = sorted({package for extra in EXTRAS.values() for package in extra} | {"starlette", "uvloop"})
    for use, (code, errors) in zip(USES, answers(folder, [(base, [*map(words, USES)])])[0], strict=True):
        assert code == (2 if use[1] else 0), (use, errors)
        assert not use[1] or f"'synthgen-anomaly[{use[1]}]'" in errors, (use, errors)


FUNCTIONS = {
    "detectors": (
        "synthgen.fit_detector('padim', 'good', 'out')",
        "synthgen.load_detector('fitted')",
        "synthgen.score('fitted', 'good')",
        "synthgen.calibrate('fitted', 'good')",
        "synthgen.evaluate('padim', 'grown', 'out')",
        "synthgen.evaluate('fitted', 'grown', 'out')",
        "synthgen.DetectorChoice.of('padim').make()",
        "synthgen.validate(['nsa'], 'good', 'out')",
        "synthgen.attention_of('random', 'cutpaste', 'out', source='good')",
    ),
    "pretraining": ("synthgen.pretrain('good', 'out.safetensors')",),
    "report": ("synthgen.tune('cutpaste', 0.8, 'good', 'out/new.yaml')",),
    "sdas": (
        "synthgen.train_diffusion('good', 'out')",
        "synthgen.load_model('builtin')",
        "synthgen.freeze(synthgen.load_recipe('sdas-quickstart'))",
        "synthgen.generate(synthgen.load_recipe('sdas-quickstart'), 'out')",
        "synthgen.preview(synthgen.load_recipe('sdas-quickstart'), 1, 'out')",
        "synthgen.replay('grown/000000.tar', '000000000')",
    ),
}
IN_A_BASE_INSTALLATION = """
import sys
from tests.cli.without_packages import take_away
take_away({packages})
import synthgen
for name in synthgen.__all__:
    getattr(synthgen, name)
for call in {calls}:
    try:
        eval(call)
    except synthgen.errors.InputError as error:
        print(error)
    else:
        print(call, "works")
"""


def test_functions_can_be_imported_and_name_the_extra_when_they_are_called(folder: Path) -> None:
    calls = [(extra, call) for extra, each in FUNCTIONS.items() for call in each]
    packages = {package for extra in EXTRAS.values() for package in extra}
    code = IN_A_BASE_INSTALLATION.format(packages=packages, calls=[call for _, call in calls])
    for (extra, call), line in zip(calls, printed(folder, "-c", code), strict=True):
        assert f"'synthgen-anomaly[{extra}]'" in line, (call, line)
    assert not (folder / "out").exists()


def test_an_import_that_nobody_foresaw_is_explained_all_the_same() -> None:
    for name in ("diffusers", "diffusers.models.unets"):
        found = missing_extra(ModuleNotFoundError(f"No module named '{name}'", name=name))
        assert found and "'synthgen-anomaly[sdas]'" in one_line(str(found))
    assert missing_extra(ModuleNotFoundError("No module named 'numpy'", name="numpy")) is None
    assert missing_extra(ImportError("cannot import name 'x'")) is None

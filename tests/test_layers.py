"""Both houses: every file stands in a room, and imports only from rooms below its own.

Late imports and those for type checkers count as any other.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HOUSES = {
    "synthgen": (
        "__init__.py",
        "__main__.py",
        "cli",
        "validation",
        "evaluation",
        "pretraining",
        "engines",
        "figures",
        "pipeline",
        "shards",
        "plan",
        "recipe",
        "synthesizers",
        "diffusion",
        "regions",
        "sources",
        "client.py",
        "sample.py",
        "defect.py",
        "scene.py",
        "normality",
        "detectors",
        "storage",
        "config",
        "runtime",
        "images",
        "streams.py",
        "errors.py",
    ),
    "server": (
        "__init__.py",
        "serve.py",
        "app.py",
        "api",
        "virtual_shards.py",
        "service.py",
        "shard_cache.py",
        "catalogue.py",
        "observability.py",
        "workers",
        "http",
        "settings.py",
    ),
}
"""The rooms of each package, from the top of the house to its ground."""


def modules(root: Path, package: str) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    files = sorted((root / package).rglob("*.py"))
    return {dotted(file.relative_to(root)): file for file in files}


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The package's modules that a file imports, wherever the import stands in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports are not followed"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known or node.module in known:
                    yield whole if whole in known else str(node.module)


def room(file: str, rooms: Sequence[str]) -> int | None:
    """The position of a file's room in the house, 0 at the top; None for one in no room."""
    return next(
        (number for number, name in enumerate(rooms) if file == name or file.startswith(f"{name}/")), None
    )


def faults(root: Path, package: str, rooms: Sequence[str]) -> list[str]:
    """What is wrong with the house of a package below a root, a line each."""
    known = modules(root, package)
    assert known, f"{root / package} holds no modules"
    within = {name: file.relative_to(root / package).as_posix() for name, file in known.items()}
    found = []
    arrows: dict[str, set[str]] = {}
    for name, own in within.items():
        if room(own, rooms) is None:
            found.append(f"{package}/{own} stands in no room")
            continue
        arrows[name] = set(imports(known[name], known)) - {name}
        for target in sorted(arrows[name]):
            other = within[target]
            if (room(other, rooms) or 0) < (room(own, rooms) or 0):
                found.append(f"{package}/{own} imports {package}/{other}, which stands above it")
    return found + [f"a circle: {' -> '.join(circle)}" for circle in circles(arrows)]


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Modules that import each other, each group once."""
    reached: dict[str, set[str]] = {}
    for start, targets in arrows.items():
        seen: set[str] = set()
        waiting = list(targets)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += arrows.get(name, ())
        reached[start] = seen
    found = []
    for name, seen in reached.items():
        group = sorted(other for other in seen if name in reached.get(other, ()))
        if group and group[0] == name:
            found.append(group)
    return found


@pytest.mark.parametrize("package", HOUSES)
def test_every_file_stands_in_a_room_and_imports_only_downwards(package: str) -> None:
    assert faults(REPOSITORY, package, HOUSES[package]) == []


@pytest.mark.parametrize("package", HOUSES)
def test_every_room_is_there(package: str) -> None:
    assert [name for name in HOUSES[package] if not (REPOSITORY / package / name).exists()] == []


SOUND = {
    "house/__init__.py": "from house.attic.roof import Roof\n",
    "house/attic/__init__.py": "",
    "house/attic/roof.py": "import house.cellar\nfrom house.cellar import wine\n\n\nclass Roof: ...\n",
    "house/attic/window.py": "from house.attic.roof import Roof\n",
    "house/stairs.py": "from os import path\n",
    "house/cellar/__init__.py": "",
    "house/cellar/wine.py": "",
}
UPWARDS = "house/cellar/wine.py imports house/attic/roof.py, which stands above it"
FAULTY = {
    "an import upwards": ({"house/cellar/wine.py": "from house.attic.roof import Roof\n"}, UPWARDS),
    "a module by its package": ({"house/cellar/wine.py": "from house.attic import roof\n"}, UPWARDS),
    "a plain import": ({"house/cellar/wine.py": "import house.attic.roof as top\n"}, UPWARDS),
    "the package's own names": (
        {"house/stairs.py": "from house import Roof\n"},
        "house/stairs.py imports house/__init__.py, which stands above it",
    ),
    "in a function": (
        {"house/cellar/wine.py": "def pour():\n    from house.attic.roof import Roof\n"},
        UPWARDS,
    ),
    "for type checkers": (
        {
            "house/cellar/wine.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
            "    from house.attic.roof import Roof\n"
        },
        UPWARDS,
    ),
    "a circle": (
        {"house/attic/roof.py": "def look():\n    from house.attic.window import glass\n"},
        "a circle: house.attic.roof -> house.attic.window",
    ),
    "a loose module": ({"house/shed.py": ""}, "house/shed.py stands in no room"),
    "a new room": ({"house/garage/car.py": ""}, "house/garage/car.py stands in no room"),
}


def built(root: Path, files: dict[str, str]) -> list[str]:
    """The faults of a house that is made of these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return faults(root, "house", ("__init__.py", "attic", "stairs.py", "cellar"))


def test_a_sound_house_has_no_faults(tmp_path: Path) -> None:
    assert built(tmp_path, SOUND) == []


@pytest.mark.parametrize("case", FAULTY)
def test_a_fault_is_found(tmp_path: Path, case: str) -> None:
    files, fault = FAULTY[case]
    found = built(tmp_path, {**SOUND, **files})
    assert fault in found
    # An arrow upwards may close a circle as well; nothing else is wrong.
    assert [line for line in found if line != fault and not line.startswith("a circle: ")] == []

"""What a validation compares, and all else that decides its numbers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from synthgen.errors import InputError
from synthgen.pipeline.freeze import Pins, ingredients
from synthgen.recipe.files import load_recipe
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.progress import Stages
from synthgen.runtime.versions import versions
from synthgen.sources.base import Source
from synthgen.sources.habits import Role, folder_role
from synthgen.sources.named import named_source
from synthgen.storage.place import local_path
from synthgen.validation.entrants import Network
from synthgen.validation.job import Job
from synthgen.validation.product import Product, read_product
from synthgen.validation.protocol import (
    BUDGETS,
    CONTROL,
    CONTROL_RECIPE,
    PROTOCOL_VERSION,
    REFERENCE_RECIPES,
    BudgetName,
    control,
    fixed,
)
from synthgen.validation.real import RealImages, read_real
from synthgen.validation.report import Fault


@dataclass(frozen=True)
class Found:
    """The pictures that a validation looks at."""

    product: Product
    real: RealImages | None
    faults: list[Fault]


@dataclass(frozen=True)
class Setting:
    """All that decides the numbers."""

    recipes: dict[str, Recipe]
    """Those that were asked for, by name."""
    found: Found
    budget: BudgetName
    seeds: int
    network: Network
    parts: str | None

    @property
    def references(self) -> dict[str, Recipe]:
        """The recipes that every validation compares, but for those that were asked for."""
        return {name: load_recipe(name) for name in REFERENCE_RECIPES if name not in self.recipes}

    @property
    def fingerprint(self) -> str:
        """The hash of it all."""
        product, real = self.found.product, self.found.real
        whole = {
            "protocol": PROTOCOL_VERSION,
            "recipes": {name: recipe.model_dump(mode="json") for name, recipe in self.recipes.items()},
            "ingredients": _contents([*self.recipes.values(), *self.references.values()]),
            "product": product.name,
            "side": product.side,
            "images": [_hash(product.learning.images.tobytes()), _hash(product.held_out.images.tobytes())],
            "real": None
            if real is None
            else [_hash(real.images.tobytes()), _hash(real.masks.tobytes()), real.parts, real.defect_types],
            "budget": asdict(BUDGETS[self.budget]),
            "seeds": self.seeds,
            "network": [self.network.backbone, _weights_hash(self.network.weights), self.network.device],
            "parts": self.parts,
            "versions": versions(),
        }
        return _hash(json.dumps(whole, sort_keys=True).encode())

    def job(self, out: Path) -> Job:
        """What every task needs to know."""
        product, real = self.found.product, self.found.real
        recipes = {name: fixed(recipe) for name, recipe in (self.recipes | self.references).items()}
        recipes[CONTROL] = control(load_recipe(CONTROL_RECIPE))
        return Job(
            run=self.fingerprint,
            out=out,
            category=product.name,
            side=product.side,
            budget=BUDGETS[self.budget],
            network=self.network,
            recipes=recipes,
            learning=(product.learning.sha256s, product.learning.parts),
            held_out=(product.held_out.sha256s, product.held_out.parts),
            real_anomalous=() if real is None else tuple(map(bool, real.anomalous)),
            real_parts=() if real is None else real.parts,
        )


def named_recipes(recipes: Sequence[str | Path | Recipe]) -> dict[str, Recipe]:
    """The recipes by name. Raises InputError where two have the same one, and for one that has no masks."""
    if not recipes:
        raise InputError("no recipe is given; at least one is expected")
    loaded = [each if isinstance(each, Recipe) else load_recipe(each) for each in recipes]
    named: dict[str, Recipe] = {}
    for recipe in loaded:
        if recipe.name in named:
            raise InputError(
                f"two of the recipes are called {recipe.name}; give one another name, or leave one out"
            )
        if unpaired := [each.method for each in recipe.synthesizers if not each.paired]:
            raise InputError(
                f"recipe {recipe.name}: {unpaired[0]} makes whole images that have no mask of their own, and "
                "detectors learn from masks; leave it out"
            )
        named[recipe.name] = recipe
    return named


def look(
    place: str | Source,
    real: str | None,
    category: str | None,
    tile: int | None,
    parts: str | None,
    *,
    progress: Stages,
) -> Found:
    """Read all pictures."""
    source = place if isinstance(place, Source) else named_source(place)
    names = sorted({entry.category for entry in source.entries()})
    if category in names and len(names) > 1:
        source, names = source.model_copy(update={"categories": [category]}), [category]
    if len(names) > 1:
        raise InputError(
            f"{source.location or source.kind}: holds {len(names)} products ({', '.join(names[:5])}"
            f"{' …' if len(names) > 5 else ''}); choose one by --category"
        )
    if real is not None and tile is not None:
        raise InputError("--tile cuts normal pictures alone; leave it out with --real, or leave --real out")
    with progress("reading the normal images", "images") as report:
        product = read_product(source, names[0], tile, parts, report)
    if real is None:
        if category not in (None, *names):
            raise InputError(f"--category {category}: the source's only product is {names[0]}; leave it out")
        return Found(replace(product, name=_called(names[0])), None, [])
    with progress("reading the real test images", "images") as report:
        test, faults = read_real(real, category or names[0], product, parts, report)
    if category not in (None, *names, test.category):
        raise InputError(
            f"--category {category}: {place} holds {names[0]}, and {real} {test.category}; leave it out"
        )
    return Found(replace(product, name=test.category), test, faults)


def _called(category: str) -> str:
    """The product's name, where its folder does not only say that it is good."""
    return "this product" if folder_role(category) is Role.NORMAL else category


def _contents(recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """What lies in the recipes' textures, models and banks: files may change under the same name."""
    pins = Pins()
    found = [ingredients(recipe, pins) for recipe in recipes]
    return [
        {
            "textures": {name: [file.sha256 for file in each.pinned] for name, each in one.textures.items()},
            "models": {name: each.model_dump(mode="json") for name, each in one.models.items()},
            "banks": {name: each.model_dump(mode="json") for name, each in one.banks.items()},
        }
        for one in found
    ]


def _weights_hash(weights: str) -> str:
    path = local_path(weights)
    return _hash(path.read_bytes()) if path.is_file() else weights


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()

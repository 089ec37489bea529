"""The record in the facts' ``params``: all that is needed to render a sample again."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from synthgen.config.model import FrozenModel
from synthgen.images.preparation import Preparation, Tile
from synthgen.normality.pinned import PinnedMemory
from synthgen.plan.plan import Plan
from synthgen.regions.foreground import ForegroundRule
from synthgen.sources.records import NormalImage
from synthgen.synthesizers.base import Params


class Record(FrozenModel):
    """What a replay reads back."""

    preparation: Preparation
    foreground: ForegroundRule
    foreground_mask_sha256: str
    """The user's own foreground mask; empty where the rule applies."""
    other_tiles: dict[str, Tile] = Field({})
    """The tiles of other normal images that the method drew from, by their sha256, with ``resize: tile``."""
    kept_cells: str = ""
    """With ``judge.abnormal.otherwise: clip``: which of the cells that the defect's box touches were kept,
    row by row, a bit each, in hexadecimal; empty where the defect is as it was made."""
    normality: PinnedMemory | None = None
    """With ``judge.abnormal``: what the defect was compared with."""
    drawn: dict[str, Any]
    """The method's drawn parameters; empty for a normal sample."""


class Recorder:
    """Writes records; what all samples of a category share is turned into JSON only once."""

    def __init__(self, plan: Plan) -> None:
        preparation = plan.preparation.model_dump_json()
        self._shared = {
            category: f'{{"preparation":{preparation},"foreground":{rule.model_dump_json(exclude={"reason"})}'
            for category, rule in plan.foreground.items()
        }
        self._normality = {
            category: f',"normality":{pinned.model_dump_json()}'
            for category, pinned in plan.normality.items()
        }

    def record(
        self, image: NormalImage, params: Params | None, other_tiles: Mapping[str, Tile], kept_cells: str = ""
    ) -> str:
        """The JSON text of a record."""
        mask = image.foreground_mask.sha256 if image.foreground_mask else ""
        drawn = params.model_dump_json() if params else "{}"
        shared = f'{self._shared[image.category]},"foreground_mask_sha256":{json.dumps(mask)}'
        places = {sha256: tile.model_dump() for sha256, tile in other_tiles.items()}
        tiles = f',"other_tiles":{json.dumps(places)}' if places else ""
        kept = f',"kept_cells":"{kept_cells}"' if kept_cells else ""
        normality = self._normality.get(image.category, "") if params else ""
        return f'{shared}{tiles}{kept}{normality},"drawn":{drawn}}}'

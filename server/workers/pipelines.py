"""The plans of one process: those that the service holds, and a few of uploaded images."""

import json
from collections.abc import Sequence
from hashlib import sha256

from server.workers.jobs import Origin, Stored, Uploaded
from synthgen.diffusion.model_files import model_directory
from synthgen.errors import InputError
from synthgen.images.decode import UnusableImage, size_of
from synthgen.pipeline.freeze import Ground, Pins, find_ground, freeze_on
from synthgen.pipeline.image_store import Shelf, load_pinned
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.recipe.recipe import Recipe
from synthgen.runtime.bounded_cache import BoundedCache
from synthgen.sources.records import RejectedFile
from synthgen.sources.survey import NoUsableImageError
from synthgen.sources.uploads import HELD_OUT, UploadSource

UPLOADS_KEPT = 8
"""Plans of uploaded images that are kept, in case that the next job is of the same."""
GROUNDS_KEPT = 64
"""What was found of uploaded images is kept longer: it is small, and finding the foreground takes time."""
LARGEST_IMAGES = 4
"""How many images of the largest size a request may bring; of smaller ones more."""
UPLOAD_CACHE_BYTES = 32 * 1024 * 1024


class RefusedImagesError(InputError):
    """Uploaded images that cannot be used: (field, reason) of each."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in faults))


class Plans:
    """Gives the pipeline of a job's plan. Not for several threads at once."""

    def __init__(self, max_image_pixels: int, max_sample_pixels: int) -> None:
        self._max_image_pixels, self._max_sample_pixels = max_image_pixels, max_sample_pixels
        self._shelf, self._pins = Shelf(), Pins()
        self._stored: dict[str, Pipeline] = {}
        self._uploaded: BoundedCache[Pipeline] = BoundedCache(UPLOADS_KEPT)
        self._grounds: BoundedCache[Ground] = BoundedCache(GROUNDS_KEPT)

    def load(self, model: str, device: str) -> None:
        """Load a diffusion model, so that the first job need not wait for it."""
        pinned = self._pins.model(model)
        self._shelf.models[pinned.sha256, device] = load_pinned(model_directory(model), pinned.sha256, device)

    def learn(self, name: str, plan: Plan) -> None:
        """Take over a plan that the service holds."""
        self._stored[name] = Pipeline(plan, shelf=self._shelf)

    def pipeline(self, origin: Origin) -> Pipeline:
        """The pipeline of a plan. Raises InputError where uploaded images cannot be used."""
        match origin:
            case Stored(name):
                return self._stored[name]
            case Uploaded():
                recipe = origin.recipe.model_dump_json(exclude={"source"})
                return self._uploaded.get(_key(origin, recipe), lambda: self._freeze(origin))

    def _freeze(self, uploaded: Uploaded) -> Pipeline:
        self._require_images(uploaded.images)
        held_out = HELD_OUT if uploaded.recipe.judge.abnormal else 0.0
        source = UploadSource.of(uploaded.images, uploaded.category, held_out)
        recipe = uploaded.recipe.model_copy(update={"source": source})
        seen = recipe.model_dump_json(include={"size", "resize", "intensity_range", "foreground"})
        ground = self._grounds.get(_key(uploaded, f"{seen} {held_out}"), lambda: _ground(recipe))
        self._require_size(ground)
        return Pipeline(
            freeze_on(ground, recipe, self._pins), cache_bytes=UPLOAD_CACHE_BYTES, shelf=self._shelf
        )

    def _require_images(self, images: Sequence[bytes]) -> None:
        """Raise RefusedImagesError for images that are unfit by their headers, before one is decoded."""
        faults = []
        pixels = 0
        for number, data in enumerate(images):
            try:
                pixels += self._pixels(data)
            except UnusableImage as error:
                faults.append((f"images.{number}", str(error)))
        most = self._max_image_pixels * LARGEST_IMAGES
        if pixels > most:
            detail = (
                f"the images have {pixels / 1e6:.1f} megapixels together; at most {most / 1e6:.1f} are taken"
            )
            faults.append(("images", detail))
        if faults:
            raise RefusedImagesError(faults)

    def _pixels(self, data: bytes) -> int:
        height, width = size_of(data)
        if height * width > self._max_image_pixels:
            raise UnusableImage(
                f"the image is {width} x {height} pixels, {height * width / 1e6:.1f} megapixels; at most "
                f"{self._max_image_pixels / 1e6:.1f} are taken"
            )
        return height * width

    def _require_size(self, ground: Ground) -> None:
        height, width = ground.preparation.size
        if height * width > self._max_sample_pixels:
            raise InputError(
                f"the samples would be {width} x {height} pixels; at most {self._max_sample_pixels} pixels "
                "are made for a request: give a smaller size"
            )


def _ground(recipe: Recipe) -> Ground:
    try:
        ground = find_ground(recipe)
    except NoUsableImageError as error:
        raise _refused(error.rejected) from error
    if ground.rejected:
        raise _refused(ground.rejected)
    return ground


def _refused(files: Sequence[RejectedFile]) -> RefusedImagesError:
    return RefusedImagesError([(file.path, file.reason) for file in files])


def _key(uploaded: Uploaded, rest: str) -> str:
    images = [sha256(image).hexdigest() for image in uploaded.images]
    return json.dumps([images, uploaded.category, rest])

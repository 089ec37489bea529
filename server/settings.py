"""What the service is started with: options of `synthgen serve`, else the environment (``SYNTHGEN_…``)."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from synthgen.storage.place import local_path

MIB = 2**20

Place = Annotated[Path, AfterValidator(local_path)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings with their bounds; ``SYNTHGEN_PORT=80`` in the environment sets ``port``."""

    model_config = SettingsConfigDict(env_prefix="SYNTHGEN_", frozen=True, use_attribute_docstrings=True)

    recipes: Place | None = None
    """A folder of recipes to serve; those that come with synthgen where there is none."""
    models: tuple[Place, ...] = ()
    """Directories of diffusion models that a request's recipe may name, by their last part."""
    reports: Place | None = None
    """A folder with the directories of `synthgen validate`, whose reports are shown."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks and fields are computed; auto takes a GPU where there is one."""
    api_key_file: Place | None = None
    """A file with the key that every request must bring."""
    workers: Count | None = None
    """Processes that make samples; one for each core where it is not given. Diffusion has its own."""
    diffusion_workers: Count | None = None
    """Processes that run diffusion models; one for each GPU, or one, where it is not given."""

    cache_dir: Place = Path(tempfile.gettempdir()) / "synthgen-shards"
    """Where finished shards are kept."""
    cache_bytes: Annotated[int, Field(ge=0)] = 10 * 1024 * MIB
    """Most bytes of the shards that are kept; the longest unread go first."""

    max_body_bytes: Count = 64 * MIB
    """Most bytes of a request."""
    max_image_bytes: Count = 16 * MIB
    """Most bytes of an uploaded file."""
    max_image_pixels: Count = 40_000_000
    """Most pixels of an uploaded image, by its header."""
    max_images: Count = 32
    """Most images of a request."""
    max_samples: Count = 1000
    """Most samples of a request (``n``)."""
    max_sample_pixels: Count = 2048 * 2048
    """Most pixels of one sample of a request."""
    max_attempts: Count = 50
    """Most attempts that a request's recipe may allow for a sample."""
    max_steps: Count = 250
    """Most steps of a diffusion sampler that a request's recipe may set."""
    max_sampling_batch: Count = 16
    """Largest ``sampling.batch`` of a request's recipe: a single picture costs as much as a whole batch."""
    max_outstanding: Count = 64
    """Jobs that may wait or be under way, for diffusion and for the rest; beyond that: 429."""
    max_outstanding_bytes: Count = 512 * MIB
    """Bytes of uploaded images and of samples that nobody has taken yet, beyond which requests get 429."""
    upload_seconds: Seconds = 30.0
    """Longest time in which a request must have arrived."""
    stall_seconds: Seconds = 30.0
    """Longest time for which a reader may take nothing of its response."""
    request_seconds: Seconds = 120.0
    """Longest time for the next samples of a request; a worker that is silent for so long is replaced."""
    shard_seconds: Seconds = 20.0
    """How long a request waits for a shard that is being made, before it gets 503 and may come again."""
    shutdown_seconds: Count = 120
    """How long requests under way are given to finish when the service is stopped."""

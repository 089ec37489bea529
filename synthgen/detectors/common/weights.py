"""Pretrained weights: from a local file, or from the Hugging Face hub at a pinned revision."""

from collections.abc import Collection, Mapping
from hashlib import file_digest
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple
from zipfile import BadZipFile

import torch
from torch import Tensor

from synthgen.errors import InputError, RunError

HUB_FILE_NAME = "model.safetensors"

MAX_PTH_BYTES = 2**30
"""A .pth file is read as a whole; the largest backbone's has 276 MB."""


class HubWeights(NamedTuple):
    """A repository's `model.safetensors`, pinned by commit and by content."""

    repository: str
    commit: str
    sha256: str


IMAGENET_WEIGHTS = {
    "resnet18": HubWeights(
        "timm/resnet18.tv_in1k",
        "bbd144b3e5565108aad885f145491d11bc6ce807",
        "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
    ),
    "resnet34": HubWeights(
        "timm/resnet34.tv_in1k",
        "1b7b21cca82ff974d341713f777bf740c2db38c4",
        "0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235",
    ),
    "resnet50": HubWeights(
        "timm/resnet50.tv_in1k",
        "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
        "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
    ),
    "wide_resnet50_2": HubWeights(
        "timm/wide_resnet50_2.tv_in1k",
        "343c5fa59ca8a131e0cdf42144a641b36a0387c2",
        "df6fb6c4824769769de18e14088475fd6ee94236849aa4e5d8022ba9d9a9a16c",
    ),
}
"""Copies of torchvision's IMAGENET1K_V1, with its parameter names."""


def file_from_hub(weights: HubWeights) -> Path:
    """The pinned file in the hub's cache, downloaded where it is not there yet.

    Raises RunError without network, or where the file's sha256 is not the pinned one.
    """
    path = _cached(weights) or _downloaded(weights)
    with path.open("rb") as file:
        sha256 = file_digest(file, "sha256").hexdigest()
    if sha256 != weights.sha256:
        raise RunError(
            f"{path}: sha256 is {sha256}, and {weights.repository} had {weights.sha256} when it was pinned; "
            "delete the file to download it again"
        )
    return path


def _cached(weights: HubWeights) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(weights.repository, HUB_FILE_NAME, revision=weights.commit)
    return Path(path) if isinstance(path, str) else None


def _downloaded(weights: HubWeights) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository, commit = weights.repository, weights.commit
    try:
        # Without network this fails at once, where the download would try again for half a minute.
        get_hf_file_metadata(hf_hub_url(repository, HUB_FILE_NAME, revision=commit))
        return Path(hf_hub_download(repository, HUB_FILE_NAME, revision=commit))
    except Exception as error:  # the client's own errors, those of its HTTP library and the system's
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RunError(
            f"{repository} is not in the cache of the Hugging Face hub and cannot be downloaded ({reason}); "
            "name a .safetensors or .pth file of weights instead, or 'random' for untrained ones"
        ) from error


def read_weights(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    """Those of the named tensors that a .safetensors or .pth file has, as float32.

    A .pth file holds a dict of tensors by name; it is read without running pickled code.
    Raises InputError where the file cannot be read, or a tensor has values that are not finite.
    """
    tensors = _read_safetensors(path, names) if _is_safetensors(path) else _read_pth(path, names)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise InputError(f"{path}: {name} is {tensor.dtype}; floating-point weights are expected")
        tensors[name] = tensor.float()
        if not tensors[name].isfinite().all():
            raise InputError(f"{path}: {name} has NaN or infinite values; the file is not usable as weights")
    return tensors


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a .safetensors or .pth file. Raises InputError as `read_weights` does."""
    if _is_safetensors(path):
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path}: not a readable safetensors file ({error})") from error
    return {name: tuple(value.shape) for name, value in _load_pth(path).items() if isinstance(value, Tensor)}


def _is_safetensors(path: Path) -> bool:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; a .safetensors or .pth file of weights is expected")
    if path.suffix not in (".safetensors", ".pth"):
        raise InputError(f"{path}: the name ends in '{path.suffix}'; .safetensors or .pth is expected")
    return path.suffix == ".safetensors"


def _read_safetensors(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name in names}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error


def _read_pth(path: Path, names: Collection[str]) -> dict[str, Tensor]:
    content = _load_pth(path)
    return {name: value for name, value in content.items() if name in names and isinstance(value, Tensor)}


def _load_pth(path: Path) -> Mapping[str, object]:
    size = path.stat().st_size
    if size > MAX_PTH_BYTES:
        raise InputError(f"{path}: {size} bytes; a .pth file of at most {MAX_PTH_BYTES} is read")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise InputError(f"{path}: not a readable file of weights ({reason})") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds a {type(content).__name__}; a dict of tensors by name is expected")
    return content

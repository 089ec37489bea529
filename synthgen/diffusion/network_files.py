"""Reading a network, a UNet2DModel of diffusers, from the directory of its config.json and its weights."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
from pydantic import ConfigDict, Field, ValidationError

from synthgen.config.model import FrozenModel
from synthgen.config.validation import first_fault
from synthgen.diffusion.model_files import read_object
from synthgen.errors import InputError
from synthgen.runtime.memory import is_out_of_memory

if TYPE_CHECKING:
    from diffusers import UNet2DModel

CONFIG = "config.json"


class NetworkConfig(FrozenModel):
    """What bounds the time and memory of building the network, before it is built."""

    model_config = ConfigDict(extra="ignore")

    class_name: Annotated[Literal["UNet2DModel"], Field(alias="_class_name")]
    layers_per_block: Annotated[int, Field(ge=1, le=32)] = 2
    block_out_channels: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8192)], ...], Field(min_length=1, max_length=16)
    ] = (224, 448, 672, 896)


def read_network(what: str, directory: Path, dtype: torch.dtype = torch.float32) -> "UNet2DModel":
    """The network in a directory, on the CPU; ``what`` begins the sentence of an error.

    Raises InputError where config.json is of another network or not that of the weights, where the weights
    are damaged, or not all of them are numbers. Never asks the hub.
    """
    from diffusers import UNet2DModel

    read_network_config(what, directory)
    try:
        with _silent():
            network, faults = UNet2DModel.from_pretrained(
                directory,
                torch_dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:  # diffusers lets through whatever a damaged file makes it stumble over
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"{what}: the weights cannot be loaded ({_line(error)}); give another model"
        ) from error
    unfit = [name for names in faults.values() for name in names]
    if unfit:
        raise InputError(
            f"{what}: the weights are not those of its config.json ({unfit[0]}); give another model"
        )
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise InputError(f"{what}: some of the weights are not numbers; give another model")
    return network


def read_network_config(what: str, directory: Path) -> NetworkConfig:
    """The config.json of a network. Raises InputError where it is of something else, or beyond all bounds."""
    config = read_object(what, directory / CONFIG)
    try:
        return NetworkConfig.model_validate(config)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.field == "_class_name":
            network = config.get(fault.field, "thing without a name")
            fault_found = f"is of a {network}; expected a UNet2DModel of diffusers"
        else:
            fault_found = f"cannot be used ({fault}); give another model"
        raise InputError(f"{what}: its {CONFIG} {fault_found}") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Keep diffusers from logging what the error says in one sentence."""
    logger = logging.getLogger("diffusers")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]

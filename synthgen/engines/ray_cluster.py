"""The connection to a Ray cluster; what is wrong with it is one sentence."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection

from synthgen.config.document import one_line
from synthgen.errors import InputError, TransientError
from synthgen.runtime.stopping import keeping_handlers

CONNECTION_SECONDS = 5.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to the cluster; one that the caller has is used, and stays. Raises InputError."""
    import ray

    if ray.is_initialized():
        yield
        return
    require_answer(address)
    try:
        with keeping_handlers():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise InputError(
            "no Ray cluster runs on this machine; start one by `ray start --head`, or give the --address "
            "HOST:PORT of another"
        ) from error
    except Exception as error:  # of several kinds, such as another version of Ray or Python there
        raise InputError(f"the Ray cluster at {address} cannot be used: {first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def require_answer(address: str) -> None:
    """Raise InputError where nobody listens at HOST:PORT, at once: Ray itself tries for two minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")  # which Ray asks first
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"address {address}: expected HOST:PORT of a Ray cluster, such as 10.0.0.5:6379")
    try:
        create_connection((host.strip("[]"), int(port)), CONNECTION_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"no Ray cluster answers at {address} ({error}); give the --address that `ray start --head` "
            "printed"
        ) from error


def no_room(seconds: float) -> TransientError:
    """What to say where no worker could start within so many seconds."""
    import ray

    there = ray.cluster_resources()  # type: ignore[no-untyped-call]
    free = ray.available_resources()  # type: ignore[no-untyped-call]
    has = " and ".join(f"{free.get(name, 0):g} of {there.get(name, 0):g} {name}s" for name in ("CPU", "GPU"))
    return TransientError(
        f"no worker could start within {seconds:.0f} s: the Ray cluster has {has} free; ask for less a "
        "worker, or wait until the cluster is free"
    )


def first_line(error: Exception) -> str:
    """The beginning of what Ray says, which goes on for many lines."""
    return one_line(str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error))

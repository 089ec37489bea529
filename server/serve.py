"""Running the application with uvicorn."""

import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError

from server.app import create_app
from server.http.protocol import PatientProtocol
from server.observability import log_config
from server.settings import Settings
from synthgen.config.validation import first_fault
from synthgen.errors import InputError, RunError

KEEP_ALIVE_SECONDS = 30
MAX_HEADER_BYTES = 64 * 1024
BACKLOG = 2048


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings: those given, else the environment's. Raises InputError for a wrong one."""
    try:
        return Settings(**given)
    except SettingsError as error:
        raise InputError(
            f'SYNTHGEN_MODELS: expected a list in JSON, such as ["models/one"] ({error})'
        ) from error
    except ValidationError as error:
        fault = first_fault(error)
        name = fault.field.partition(".")[0]
        where = f"--{name.replace('_', '-')}" if name in given else f"SYNTHGEN_{name.upper()}"
        raise InputError(f"{where}: {fault.message}, found {str(fault.found)[:60]!r}") from error


def config_of(app: FastAPI, settings: Settings, log: dict[str, Any] | None) -> uvicorn.Config:
    """How the application is served."""
    protocol = partial(
        PatientProtocol, header_seconds=settings.upload_seconds, stall_seconds=settings.stall_seconds
    )
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol,  # type: ignore[arg-type]  # uvicorn only calls it
        ws="none",
        log_config=log,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )


def run(settings: Settings) -> None:
    """Serve until a signal stops it, when what is under way is finished. Raises InputError, RunError."""
    config = config_of(create_app(settings), settings, log_config())
    try:
        # Bound before anything is started, so that a taken port is reported at once.
        listening = config.bind_socket()
        server = uvicorn.Server(config)
        # uvicorn knows SIGINT and SIGTERM; a terminal that closes ends the service as SIGTERM does.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda _, frame: server.handle_exit(signal.SIGTERM, frame))
        server.run(sockets=[listening])
    except SystemExit as error:
        raise RunError(
            f"the service could not start on {settings.host}:{settings.port}; is the port taken, or the host "
            "no address of this machine?"
        ) from error

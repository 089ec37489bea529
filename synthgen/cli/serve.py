"""The command serve."""

from argparse import Namespace

from synthgen.cli.arguments import Commands, command, path

SETTINGS = ("recipes", "models", "reports", "host", "port", "device", "api_key_file")


def add(commands: Commands) -> None:
    """Add the command."""
    added = command(commands, "serve", "make anomalies over HTTP; a page at /, the API at /docs", serve)
    added.add_argument(
        "--recipes", type=path, help="folder of the recipes to serve (default: the shipped ones)"
    )
    added.add_argument(
        "--model",
        type=path,
        action="append",
        dest="models",
        metavar="DIR",
        help="a diffusion model that requests may name by its folder's name; can be given several times",
    )
    added.add_argument(
        "--reports", type=path, help="folder of reports to show, which validate wrote: /v1/reports"
    )
    added.add_argument("--host", help="address to listen at (default: 127.0.0.1, this machine alone)")
    added.add_argument("--port", type=int, help="port to listen at (default: 8000)")
    added.add_argument("--device", choices=["auto", "cpu", "cuda"], help="default: auto")
    added.add_argument("--api-key-file", type=path, help="refuse every request without the key in this file")


def serve(options: Namespace) -> int:
    """Make anomalies over HTTP until stopped."""
    from synthgen.runtime.devices import require_device
    from synthgen.runtime.extras import require_extra

    require_extra("server", "synthgen serve")
    from server.serve import run, settings_of

    given = {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    settings = settings_of(given)
    require_device(settings.device)
    run(settings)
    return 0

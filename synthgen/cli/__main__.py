"""Where `synthgen` and `python -m synthgen.cli` begin: Ctrl-C is known before anything is imported."""

import sys


def main() -> None:
    """Run `synthgen`; Ctrl-C is one line and exit code 130 from the first import on."""
    try:
        from synthgen.cli.main import main as run

        run()
    except KeyboardInterrupt:
        print("synthgen: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

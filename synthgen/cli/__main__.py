"""Where `synthgen` and `python -m synthgen.cli` begin: signals are heard before anything is imported."""


def main() -> None:
    """Run `synthgen`; Ctrl-C, SIGTERM and SIGHUP are one line and 128 + the signal's number, from the first
    import on.
    """
    try:
        from synthgen.runtime.stopping import listen

        listen()
        from synthgen.cli.main import main as run

        run()
    except KeyboardInterrupt as stop:
        from synthgen.runtime.stopping import leave

        leave(stop)


if __name__ == "__main__":
    main()

"""`python -m synthgen` is `synthgen`."""

from synthgen.cli.__main__ import main

if __name__ == "__main__":
    main()

"""`python -m synthgen.cli`."""

from synthgen.cli.main import main

main()

"""The synthesizers, one method a file; the table of them is in `registry`."""

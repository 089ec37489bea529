"""The errors a user can meet: one sentence each, with the process's exit code."""


class SynthgenError(Exception):
    """Something that the user can act on; printed as one line, without a traceback."""

    exit_code = 1


class InputError(SynthgenError):
    """Wrong usage or input: a recipe, a path, an image or an option that cannot be used."""

    exit_code = 2


class RunError(SynthgenError):
    """A run that started from good input and could not finish."""

    exit_code = 1


class TransientError(RunError):
    """A run that may succeed when it is tried again: a killed worker, a full disk, shards to come."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h, by which schedulers tell it from what fails every time."""

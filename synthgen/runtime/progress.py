"""How work of several steps reports how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total), 0 <= done <= total; a smaller done than the last one begins the next part."""

"""The one cache: the most recently used values, within a bound."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """The most recently used values, up to a sum of their sizes or, without ``size``, to a number of them.

    The newest value stays, however large. ``dropped`` is called with a value that made room for another.
    For several threads.
    """

    def __init__(
        self,
        limit: int,
        size: Callable[[V], int] = lambda _: 1,
        dropped: Callable[[V], None] = lambda _: None,
    ) -> None:
        self._limit, self._size, self._dropped, self._total = limit, size, dropped, 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made and kept where it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._total += self._size(value)
                while self._total > self._limit and len(self._values) > 1:
                    oldest = self._values.popitem(last=False)[1]
                    self._total -= self._size(oldest)
                    self._dropped(oldest)
            return self._values[key]

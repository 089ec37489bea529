"""The one cache: the most recently used values, within a bound."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """The most recently used values, up to a sum of bytes; for several threads."""

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        self._limit, self._size, self._total = limit, size, 0
        self._values: OrderedDict[Any, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Any, make: Callable[[], V]) -> V:
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
                    self._total -= self._size(self._values.popitem(last=False)[1])
            return self._values[key]

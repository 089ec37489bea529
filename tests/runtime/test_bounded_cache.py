"""The bounded cache: what stays, what goes, and who hears of it."""

from synthgen.runtime.bounded_cache import BoundedCache


def test_without_a_size_values_are_counted_and_the_least_recently_used_goes() -> None:
    dropped: list[str] = []
    cache: BoundedCache[str] = BoundedCache(2, dropped=dropped.append)
    for key in ("a", "b", "a", "c"):
        assert cache.get(key, lambda key=key: key.upper()) == key.upper()  # type: ignore[misc]
    assert dropped == ["B"]
    assert cache.get("a", lambda: "made again") == "A"
    assert cache.get("b", lambda: "made again") == "made again"
    assert dropped == ["B", "C"]


def test_with_a_size_their_sum_is_bounded_and_the_newest_stays_however_large() -> None:
    dropped: list[bytes] = []
    cache: BoundedCache[bytes] = BoundedCache(10, len, dropped.append)
    for key, size in enumerate((4, 6, 1)):
        cache.get(key, lambda size=size: bytes(size))  # type: ignore[misc]
    assert [len(value) for value in dropped] == [4]
    cache.get("large", lambda: bytes(99))
    assert [len(value) for value in dropped] == [4, 6, 1]
    assert len(cache.get("large", lambda: b"")) == 99

"""Content negotiation: the media type that a request likes best."""

import pytest
from starlette.requests import Request

from server.api.responses import accepted_type
from server.http.problems import Problem


def chosen(*headers: str) -> str:
    raw = [(b"accept", header.encode("latin-1")) for header in headers]
    return accepted_type(Request({"type": "http", "headers": raw}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "application/json"),
        (["*/*"], "application/json"),
        ([""], "application/json"),
        (["application/x-tar"], "application/x-tar"),
        (["image/*"], "image/png"),
        (["image/webp, image/png;q=0.5"], "image/webp"),
        (["text/html,application/xhtml+xml,*/*;q=0.8"], "application/json"),
        (["application/json;q=0.2, multipart/mixed;q=0.3"], "multipart/mixed"),
        (["image/png;q=0, image/*;q=0.4"], "image/jpeg"),
        (["application/json;q=0, */*;q=0.1"], "image/png"),
        (["application/x-tar;q=0.5", "image/png"], "image/png"),
        (["APPLICATION/X-TAR ; Q=1"], "application/x-tar"),
    ],
)
def test_the_best_liked_type_is_chosen(headers: list[str], expected: str) -> None:
    assert chosen(*headers) == expected


@pytest.mark.parametrize("header", ["text/html", "image/gif", "application/json;q=0", "application/json;q=x"])
def test_a_type_that_there_is_not_is_406(header: str) -> None:
    with pytest.raises(Problem) as caught:
        chosen(header)
    assert caught.value.status == 406

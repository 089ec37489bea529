"""The loader of batches on a device: the pipeline's samples, whoever makes them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

import synthgen
from synthgen.errors import InputError, RunError, TransientError
from synthgen.pipeline.device_loader import DeviceBatch, DeviceLoader
from synthgen.pipeline.pipeline import Pipeline
from synthgen.plan.plan import Plan
from synthgen.sample import Sample
from tests.cli.helpers import write_pictures
from tests.recipes import small_recipe


def assert_same(batches: list[DeviceBatch], samples: list[Sample]) -> None:
    """The batches hold the samples, all of them, in their order."""
    assert [index for batch in batches for index in batch.indices] == [each.facts.index for each in samples]
    for name in ("image", "normal"):
        tensors = torch.cat([getattr(batch, name) for batch in batches]).permute(0, 2, 3, 1)
        assert tensors.dtype == torch.uint8
        assert np.array_equal(tensors.cpu(), [getattr(sample, name) for sample in samples])
    masks = torch.cat([batch.mask for batch in batches])
    assert masks.dtype == torch.uint8
    assert np.array_equal(masks[:, 0].cpu() * 255, [sample.mask for sample in samples])
    labels = torch.cat([batch.label for batch in batches])
    assert labels.tolist() == [sample.facts.label for sample in samples]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_hold_the_samples_of_the_pipeline(plan: Plan, samples: list[Sample], workers: int) -> None:
    loader = DeviceLoader(plan, "cpu", batch_size=7, workers=workers)
    assert {sample.facts.label for sample in samples} == {0, 1}
    for _ in range(2):  # every pass is the same
        batches = list(loader)
        assert [len(batch.label) for batch in batches] == [7, 7, 7, 3] and len(loader) == 4
        assert_same(batches, samples)


def test_images_lie_in_memory_as_convolutions_are_fast(plan: Plan) -> None:
    batch = next(iter(DeviceLoader(plan, "cpu", batch_size=4, workers=0)))
    assert batch.image.shape == batch.normal.shape == (4, 3, 64, 64) and batch.mask.shape == (4, 1, 64, 64)
    for images in (batch.image, batch.normal):
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_rejected_sample_is_its_normal_image() -> None:
    invisible = small_recipe(
        count=3,
        normal_share=0,
        judge={"min_contrast": 255},
        attempts=1,
        synthesizers=[{"method": "cutpaste"}],
    )
    for batch in DeviceLoader(synthgen.freeze(invisible), "cpu", workers=0):
        assert torch.equal(batch.image, batch.normal)
        assert not batch.mask.any() and not batch.label.any()


def test_generated_images_and_tiles_come_whole() -> None:
    for name, more in (
        ("sdas-quickstart", [f"synthesizers.{place}.sampling={{steps: 5, batch: 1}}" for place in range(2)]),
        ("cutpaste", ["size=[64, 64]", "resize=tile"]),
    ):
        plan = synthgen.freeze(synthgen.load_recipe(name, ["count=3", *more]))
        batches = list(DeviceLoader(plan, "cpu", batch_size=2, workers=0))
        assert_same(batches, list(Pipeline(plan).samples(range(3))))


def test_a_pass_that_is_left_leaves_no_process_behind(plan: Plan) -> None:
    before = {child.pid for child in psutil.Process().children()}
    for _ in DeviceLoader(plan, "cpu", batch_size=2, workers=2):
        break
    left = [child for child in psutil.Process().children() if child.pid not in before]
    psutil.wait_procs(left, timeout=20)
    assert not [child for child in left if child.is_running()]


AFTER_THREADS = """
import cv2, numpy, synthgen
if __name__ == "__main__":
    cv2.setNumThreads(4)
    cv2.GaussianBlur(numpy.zeros((2000, 2000, 3), numpy.uint8), (0, 0), 3)
    plan = synthgen.freeze(synthgen.load_recipe("cutpaste", ["count=3", "size=[64, 64]"]))
    print(sum(len(batch.label) for batch in synthgen.DeviceLoader(plan, "cpu", workers=1)))
"""


def test_workers_start_in_a_program_that_has_used_opencvs_threads(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(AFTER_THREADS)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "3"


SLEEPING = """
import sys, time, synthgen
if __name__ == "__main__":
    plan = synthgen.freeze(synthgen.load_recipe("cutpaste", ["count=400", "size=[64, 64]"]))
    for batch in synthgen.DeviceLoader(plan, "cpu", batch_size=2, workers=2):
        print("begun", flush=True)
        time.sleep(60)
"""


def test_workers_end_with_a_program_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SLEEPING)
    program = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert program.stdout and program.stdout.readline() == "begun\n"
    left = psutil.Process(program.pid).children(recursive=True)
    assert len(left) > 2  # the workers, and the server that forked them
    program.kill()
    program.wait()
    _, alive = psutil.wait_procs(left, timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_that_is_killed_is_one_sentence(plan: Plan) -> None:
    batches = iter(DeviceLoader(plan, "cpu", batch_size=1, workers=1))
    next(batches)
    for child in psutil.Process().children(recursive=True):
        if "forkserver" in " ".join(child.cmdline()) and child.parent() != psutil.Process():
            child.kill()
    with pytest.raises(TransientError, match="a worker of the loader ended unexpectedly") as raised:
        list(batches)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_read_any_more_is_one_sentence(tmp_path: Path, workers: int) -> None:
    source = tmp_path / "good"
    write_pictures(source, 4)
    recipe = small_recipe(source={"kind": "folder", "path": str(source)}, synthesizers=[{"method": "scar"}])
    plan = synthgen.freeze(recipe)
    for picture in source.iterdir():
        picture.unlink()
    with pytest.raises(RunError) as raised:
        list(DeviceLoader(plan, "cpu", workers=workers))
    assert "\n" not in str(raised.value) and "Traceback" not in str(raised.value)


def test_wrong_numbers_and_devices_are_one_sentence(plan: Plan) -> None:
    with pytest.raises(InputError, match="batch_size is 0; give a whole number of 1 or more"):
        DeviceLoader(plan, "cpu", batch_size=0)
    with pytest.raises(InputError, match="workers is -1; give a whole number of 0 or more"):
        DeviceLoader(plan, "cpu", workers=-1)
    with pytest.raises(InputError, match=r"batch_size is 1\.5; give a whole number"):
        DeviceLoader(plan, "cpu", batch_size=1.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="device 'tpu': expected auto, cpu or cuda"):
        DeviceLoader(plan, "tpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device cuda: torch finds no CUDA device"):
            DeviceLoader(plan, "cuda")

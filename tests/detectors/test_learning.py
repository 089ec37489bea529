"""What every detector promises of how it is fitted: a killed fit goes on, and samples go to those that learn
from them; a row of METHODS each."""

import pytest
import torch

from synthgen.detectors.common import training
from synthgen.detectors.registry import DETECTORS
from synthgen.errors import InputError
from tests.detectors.checkpoints import KilledCheckpoint, KilledError
from tests.detectors.images import SIZE, Images, Spots, no_progress, normal_images
from tests.detectors.methods import fit, looked_at, message, ready, unfitted


@pytest.mark.parametrize("kept", [1, 3])
def test_a_fit_that_was_killed_goes_on_to_the_same_bits(
    method: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not DETECTORS[method].trains:
        pytest.skip("it does not train")
    monkeypatch.setattr(training, "SAVE_SECONDS", 0)
    expected = ready(method).state
    checkpoint = KilledCheckpoint(kept)
    killed = unfitted(method)
    with pytest.raises(KilledError):
        fit(killed, Images(normal_images(6)), checkpoint=checkpoint)
    assert checkpoint.state
    checkpoint.most = None
    found = unfitted(method)
    fit(found, Images(normal_images(6)), checkpoint=checkpoint)
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(expected[name], tensor) for name, tensor in found.state.items())


def test_samples_with_anomalies_are_given_to_those_that_learn_from_them(method: str) -> None:
    found = unfitted(method)
    wrong = None if found.learns_from_anomalies else Spots(normal_images(6))
    with pytest.raises(InputError) as error:
        found.fit(Images(normal_images(6)), wrong, 0, no_progress)
    said = "was given none" if found.learns_from_anomalies else "leave the recipe out"
    assert said in message(error)


def test_companions_score_as_the_method_does(method: str) -> None:
    found = ready(method)
    loaded = unfitted(method)
    loaded.restore(found.state)
    for name in found.companions:
        scores, maps = found.predict_companion(name, looked_at())
        assert scores.shape == (3,)
        assert maps.shape == (3, SIZE, SIZE)
        assert all(
            torch.equal(ours, theirs)
            for ours, theirs in zip((scores, maps), loaded.predict_companion(name, looked_at()), strict=True)
        )

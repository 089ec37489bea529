"""VisA's published splits: which images each trains and tests on, and how many shots."""

from pathlib import Path

import pytest

from synthgen.errors import InputError
from synthgen.sources.visa_protocol import PROTOCOLS, VisaProtocol
from tests.sources.roots import NORMAL, TRAINED, visa_splits


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return visa_splits(tmp_path / "visa")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_is_its_split_file(root: Path, protocol: str) -> None:
    source = VisaProtocol.model_validate({"path": str(root), "protocol": protocol})
    trained = [entry.path for entry in source.entries()]
    tests = {category: source.tests(category) for category in source.test_categories()}
    assert len(trained) == 2 * TRAINED[protocol]
    assert all("Normal" in path for path in trained)
    for category, images in tests.items():
        anomalous = [image.path for image in images if image.anomalous]
        assert len(images) - len(anomalous) == NORMAL - TRAINED[protocol]
        assert len(anomalous) == (4 if protocol == "1cls" else 2)
        assert all(path.startswith(category) for path in anomalous)
        assert not set(trained) & {image.path for image in images}
    assert source.layout == f"visa {protocol}"


def test_shots_are_drawn_the_same_each_time_of_every_category(root: Path) -> None:
    source = VisaProtocol(path=str(root), shots=5)
    found = [entry.path for entry in source.entries()]
    assert found == [entry.path for entry in VisaProtocol(path=str(root), shots=5).entries()]
    assert [path.split("/")[0] for path in found] == ["candle"] * 5 + ["pcb1"] * 5
    assert set(found) < {entry.path for entry in VisaProtocol(path=str(root)).entries()}
    assert len(set(found)) == 10
    assert source.layout == "visa 1cls, 5 shots"
    alone = VisaProtocol(path=str(root), shots=5, categories=["pcb1"])
    assert [entry.path for entry in alone.entries()] == found[5:]
    with pytest.raises(InputError, match="has 3 normal training images of candle, and 5 shots are asked for"):
        VisaProtocol(path=str(root), protocol="2cls_fewshot", shots=5).entries()

"""The card of the model that is installed: what the code writes of the model's own record."""

from typing import Any

from synthgen.diffusion.model_files import CARD, model_directory, read_facts
from synthgen.diffusion.network_files import read_network
from synthgen.diffusion.training.card import model_card

BUILTIN = model_directory("builtin")


def test_the_shipped_card_is_what_the_code_writes() -> None:
    network = read_network("the built-in model", BUILTIN / "unet")
    assert (BUILTIN / CARD).read_text() == model_card(read_facts(BUILTIN), network)


def test_the_code_of_the_shipped_card_makes_a_picture() -> None:
    code = (BUILTIN / CARD).read_text().split("```python\n")[1].split("```")[0]
    made: dict[str, Any] = {}
    exec(code.replace("path/to/this/directory", str(BUILTIN)).replace("steps=20", "steps=2"), made)
    assert [picture.shape for picture in made["pictures"]] == [(64, 64, 3)]


def test_the_shipped_card_says_what_the_record_knows() -> None:
    card = (BUILTIN / CARD).read_text()
    assert card.startswith("---\nlibrary_name: diffusers\nlicense: other\n")
    for fact in ("brick, coffee, coins, grass, gravel", "2925 of 16 images; seed 0"):
        assert fact in card

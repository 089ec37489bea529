"""A sample as the members of a shard: extension → bytes."""

from synthgen.images import png
from synthgen.images.encode import encode_jpeg, encode_webp
from synthgen.recipe.recipe import Output
from synthgen.sample import Sample


def extensions(output: Output) -> list[str]:
    """The extensions that every sample of a shard has, in the order in which its members stand."""
    normal = ["normal.png"] if output.keep_normal else []
    return sorted(["cls", "json", "mask.png", output.image_format, *normal])


def encode(sample: Sample, output: Output) -> dict[str, bytes]:
    """The members of one sample."""
    members = {
        "cls": str(sample.facts.label).encode(),
        "json": sample.facts.model_dump_json().encode(),
        "mask.png": png.encode_mask(sample.mask),
        output.image_format: encode_image(sample, output),
    }
    if output.keep_normal:
        members["normal.png"] = sample.scene.png.encode()
    return members


def encode_image(sample: Sample, output: Output) -> bytes:
    """The sample's image in the output's format."""
    match output.image_format:
        case "jpg":
            return encode_jpeg(sample.image, output.quality)
        case "webp":
            return encode_webp(sample.image)
        case "png":
            if not sample.facts.paired:
                return png.encode(sample.image)
            _, top, _, bottom = sample.facts.box
            return sample.scene.png.encode_variant(sample.image, top, bottom)

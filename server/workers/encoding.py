"""Samples encoded for their response; done in the worker that made them, to spare the HTTP process."""

from base64 import b64encode
from collections.abc import Sequence

from server.workers.jobs import Encoded, Encoding
from synthgen.recipe.recipe import ImageFormat, Output
from synthgen.sample import Sample
from synthgen.shards.encode import encode
from synthgen.shards.writer import Block, block

MEDIA_TYPES: dict[ImageFormat, str] = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
"""By the image format of a recipe's output."""


def encode_samples(encoding: Encoding, samples: Sequence[Sample], output: Output) -> Block | Encoded:
    """Encode samples as their response needs them."""
    if encoding == "block":
        return block(samples, output)
    write = {"json": _json, "image": _image, "multipart": _parts}[encoding]
    between = b"," if encoding == "json" else b""
    return Encoded(
        between.join(write(sample, output) for sample in samples),
        [sample.facts.model_dump_json(exclude={"params"}) for sample in samples],
    )


def boundary(fingerprint: str) -> str:
    """The line between the parts of a multipart response: the same for the same samples."""
    return f"synthgen-{fingerprint[:40]}"


def _json(sample: Sample, output: Output) -> bytes:
    members = encode(sample, output)
    fields = {
        "image": members[output.image_format],
        "mask": members["mask.png"],
        **({"normal": members["normal.png"]} if output.keep_normal else {}),
    }
    encoded = b"".join(b',"%s":"%s"' % (name.encode(), b64encode(data)) for name, data in fields.items())
    head = f'{{"key":"{sample.facts.key}","media_type":"{MEDIA_TYPES[output.image_format]}"'.encode()
    return head + encoded + b',"facts":' + members["json"] + b"}"


def _image(sample: Sample, output: Output) -> bytes:
    return encode(sample, output)[output.image_format]


def _parts(sample: Sample, output: Output) -> bytes:
    members = encode(sample, output)
    types = {"json": "application/json", output.image_format: MEDIA_TYPES[output.image_format]}
    types["mask.png"] = "image/png"
    if output.keep_normal:
        types["normal.png"] = "image/png"
    line = f"--{boundary(sample.facts.fingerprint)}".encode()
    return b"".join(
        b'%s\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename="%s.%s"\r\n\r\n%s\r\n'
        % (line, media_type.encode(), sample.facts.key.encode(), extension.encode(), members[extension])
        for extension, media_type in types.items()
    )

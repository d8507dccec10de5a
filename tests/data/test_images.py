"""The one decode."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import write_image

from gfr.data import images
from gfr.data.synthetic import generate
from gfr.errors import InputError


def test_the_decode_equals_tensorflows_accurate_one(tmp_path):
    """Bit for bit TensorFlow's INTEGER_ACCURATE, and not TensorFlow's default."""
    generate.write(tmp_path, 8, seed=5)
    default_differs = False
    for path in sorted((tmp_path / "images").iterdir()):
        data = path.read_bytes()
        accurate = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
        default_differs |= bool((accurate != tf.io.decode_jpeg(data, channels=3).numpy()).any())
        assert np.array_equal(accurate, images.decode(path).pixels)
    assert default_differs


def test_batches_keep_the_order(tmp_path):
    """Decoding ahead in threads changes nothing for the reader."""
    paths = [tmp_path / f"{i}.jpg" for i in range(7)]
    for i, path in enumerate(paths):
        write_image(path, i)
    batches = list(images.batches(paths, 3))
    assert [3, 3, 1] == [len(batch) for batch in batches]
    flat = [pixels for batch in batches for pixels in batch]
    assert all(
        np.array_equal(images.decode(path).pixels, pixels)
        for path, pixels in zip(paths, flat, strict=True)
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "missing"), (b"", "not an image"), (b"no image", "not an image"), ("cut", "truncated")],
)
def test_what_cannot_be_decoded_says_why(tmp_path, content, words):
    """The reason ends up in the run record, by name."""
    path = tmp_path / "face.jpg"
    if content == "cut":
        write_image(path, 1)
        path.write_bytes(path.read_bytes()[:2000])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(images.Undecodable, match=words):
        images.decode(path)


def test_an_image_that_is_gone_since_is_named(tmp_path):
    """Data that were moved while a run was interrupted: the path and what to do."""
    paths = [tmp_path / f"{i}.jpg" for i in range(3)]
    write_image(paths[0], 1)
    with pytest.raises(InputError, match=r"/1\.jpg: missing, but it could be .*start a new run"):
        list(images.batches(paths, 2))

"""Perceptual hashes: near for the same picture saved anew, far for another."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from studyplatform.stimuli.fingerprints import BITS, NEAR, distance, fingerprint


def landscape(seed: int) -> Image.Image:
    """A smooth picture of a few blobs, as unlike others as photographs are."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((224, 224), Image.Resampling.BICUBIC)


def as_jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file).convert("RGB")


def bits_between(one: Image.Image, other: Image.Image) -> int:
    return distance(fingerprint(np.asarray(one)), fingerprint(np.asarray(other)))


@pytest.mark.parametrize(
    "change",
    [
        as_jpeg,
        lambda image: image.resize((96, 96)),
        lambda image: image.convert("L").convert("RGB"),
        lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    ],
)
def test_the_same_picture_saved_anew_is_near(change) -> None:
    for seed in range(20):
        image = landscape(seed)
        assert bits_between(image, change(image)) <= NEAR


def test_other_pictures_are_far() -> None:
    """The control: with such pictures the hashes do tell apart."""
    hashes = [fingerprint(np.asarray(landscape(seed))) for seed in range(20)]
    apart = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[i + 1 :]]
    assert min(apart) > NEAR
    assert 25 < np.mean(apart) < 37  # half of the bits


def test_a_hash_is_sixteen_digits_and_counts_its_bits() -> None:
    assert len(fingerprint(np.zeros((16, 16, 3), np.uint8))) == 16
    assert distance("0" * 16, "7" + "f" * 15) == BITS
    assert distance("00000000000000ff", "00000000000000f0") == 4

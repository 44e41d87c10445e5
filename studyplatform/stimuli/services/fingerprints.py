"""Perceptual hashes of images: computed once and kept."""

from collections.abc import Iterable

from .. import pictures
from ..fingerprints import fingerprint
from ..models import Image


def fingerprints_ensure(*, images: Iterable[Image]) -> None:
    """Compute and store the perceptual hashes that are missing; also set on these instances.

    An image whose file is missing stays without one: that is an error of its own.
    """
    computed = []
    for image in images:
        if not image.fingerprint:
            try:
                image.fingerprint = fingerprint(pictures.pixels_of(image.sha256))
            except FileNotFoundError:
                continue
            computed.append(image)
    Image.objects.bulk_update(computed, ["fingerprint"], batch_size=200)

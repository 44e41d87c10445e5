"""Whether what is served tells more than it should: addresses, bytes, captions."""

import hashlib
import re
from collections.abc import Iterator

from .. import media
from .completeness import NAMES
from .finding import Rule, Severity, Trouble
from .material import Material

_CONTENT_NAME = re.compile(r"[0-9a-f]{64}")
# WebP container, RFC 9649: the extended header's flags for colour profile, EXIF and XMP.
_EXTENDED, _FLAGS_AT, _METADATA_FLAGS = b"VP8X", 20, 0x20 | 0x08 | 0x04
_AGAIN = "Import the image again, or render the heatmap again: files are then written anew."


def _names(material: Material) -> Iterator[Trouble]:
    for name in _served(material):
        if not _CONTENT_NAME.fullmatch(name):
            yield Trouble(
                f"A picture is served under the name {name!r}, which can tell what it shows; "
                "expected its content's hash.",
                _AGAIN,
                where=name,
            )


def _metadata(material: Material) -> Iterator[Trouble]:
    for name in _served(material):
        content = _content(name)
        extended = content[12:16] == _EXTENDED and len(content) > _FLAGS_AT
        if extended and content[_FLAGS_AT] & _METADATA_FLAGS:
            yield Trouble(
                f"The picture {name[:12]} carries metadata (EXIF, XMP or a colour profile), where "
                "a label or a file's name can stand.",
                _AGAIN,
                where=name,
            )


def _changed(material: Material) -> Iterator[Trouble]:
    for name in _served(material):
        content = _content(name) if _CONTENT_NAME.fullmatch(name) else b""
        if content and hashlib.sha256(content).hexdigest() != name:
            yield Trouble(
                f"The file of the picture {name[:12]} is no longer what its name says: it was "
                "changed or damaged.",
                "Put the file back from the backup of the media folder.",
                where=name,
            )


def _captions(material: Material) -> Iterator[Trouble]:
    for item in material.spec.screening.items:
        said = item.figure.caption.lower()
        terms = [term for term in NAMES.values() if term in said]
        if terms:
            yield Trouble(
                f"screening.items.{item.key}: the caption says {terms[0]!r}, which is what such "
                "an item asks about.",
                "Say in the caption what is in the picture and what the program did, and leave "
                "the term to the participant.",
                where=f"screening.items.{item.key}",
                evidence=(item.prompt, item.figure.caption),
            )


def _served(material: Material) -> list[str]:
    names = {image.display_sha256 for image in material.images}
    names |= {row.overlay_sha256 for row in material.needed if row.overlay_sha256}
    return sorted(names)


def _content(name: str) -> bytes:
    """Return a picture's file; nothing where it is missing, which is a rule of its own."""
    try:
        return media.display_path(name).read_bytes()
    except FileNotFoundError:
        return b""


NAME = Rule("picture-name", Severity.ERROR, _names)
METADATA = Rule("picture-metadata", Severity.ERROR, _metadata)
CHANGED = Rule("picture-changed", Severity.ERROR, _changed)
CAPTION = Rule("caption-tells", Severity.WARNING, _captions)

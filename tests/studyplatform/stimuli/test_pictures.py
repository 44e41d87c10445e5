"""What may come in as an image, and what is made of it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from studyplatform.stimuli import media, pictures

RNG = np.random.default_rng(5)


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 255, (height, width, 3), dtype=np.uint8))


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that claims this size, with hardly any data behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    )
    return path


def test_what_is_no_image_is_refused(tmp_path: Path):
    path = tmp_path / "note.jpg"
    path.write_text("not a picture")
    with pytest.raises(pictures.PictureError, match=r"no image; expected JPEG, PNG or WebP"):
        pictures.read(path)


def test_svg_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "drawing.png"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>')
    with pytest.raises(pictures.PictureError, match="SVG"):
        pictures.read(path)


def test_other_formats_are_refused(tmp_path: Path):
    path = tmp_path / "still.gif"
    noise(20, 20).save(path)
    with pytest.raises(pictures.PictureError, match="expected JPEG, PNG or WebP"):
        pictures.read(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_truncated_is_refused_and_whole_is_not(tmp_path: Path, ending: str):
    whole = tmp_path / f"whole.{ending}"
    noise(80, 80).save(whole)
    assert pictures.read(whole).size == (80, 80)
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(pictures.PictureError, match="truncated or damaged"):
        pictures.read(cut)


@pytest.mark.parametrize(
    ("width", "height", "limit"),
    [
        (20_000, 10, "12,000 pixels a side"),
        (10, 12_001, "12,000 pixels a side"),
        (8_000, 5_001, "40 megapixels"),
        (11_999, 11_999, "40 megapixels"),
    ],
)
def test_too_large_is_refused_by_its_header(tmp_path: Path, width: int, height: int, limit: str):
    path = png_header(tmp_path / "huge.png", width, height)
    with pytest.raises(pictures.PictureError, match=limit):
        pictures.read(path)


def test_greyscale_becomes_rgb(tmp_path: Path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(path)
    assert np.asarray(pictures.read(path)).tolist() == np.full((4, 4, 3), 77).tolist()


def test_sixteen_bit_greyscale_is_scaled(tmp_path: Path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(path)
    assert np.asarray(pictures.read(path)).tolist() == np.full((4, 4, 3), 0x80).tolist()


def test_transparency_lies_over_white(tmp_path: Path):
    path = tmp_path / "alpha.png"
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 128, 255)  # black: invisible, half, full
    Image.fromarray(pixels).save(path)
    assert np.asarray(pictures.read(path))[0, :, 0].tolist() == [255, 127, 0]


def test_palette_with_transparency_lies_over_white(tmp_path: Path):
    path = tmp_path / "palette.png"
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(path, transparency=0)
    assert np.asarray(pictures.read(path))[0].tolist() == [[255, 255, 255], [0, 0, 255]]


def test_orientation_is_applied_and_metadata_dropped(tmp_path: Path, media_root: Path):
    path = tmp_path / "turned.jpg"
    image = Image.new("RGB", (40, 20), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    exif[0x010E] = "a horse"
    image.save(path, exif=exif)
    upright = pictures.read(path)
    assert upright.size == (20, 40)
    stored = pictures.store(upright, size=16)
    for kept in (media.image_path(stored.sha256), media.display_path(stored.display_sha256)):
        with Image.open(kept) as opened:
            assert not opened.getexif()
            assert "exif" not in opened.info


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_becomes_upright_as_pillow_does_it(tmp_path: Path, orientation: int):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    noise(3, 5).save(path, exif=exif)
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    assert np.asarray(pictures.read(path)).tolist() == expected.tolist()


def test_damaged_metadata_cost_no_image(tmp_path: Path):
    """Pillow's own way to turn an image fails where a text has become a number: the control."""
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a horse that stood on a hill"
    Image.new("RGB", (40, 20), "white").save(path, exif=exif)
    spoilt = bytearray(path.read_bytes())
    big = b"MM\0*" in spoilt
    # The description's entry: tag, type, number of values; now it is one fraction.
    entry = spoilt.index(struct.pack(">HH" if big else "<HH", 0x010E, 2))
    struct.pack_into(">HHL" if big else "<HHL", spoilt, entry, 0x010E, 5, 1)
    path.write_bytes(spoilt)
    with Image.open(path) as opened, pytest.raises((TypeError, AttributeError, struct.error)):
        ImageOps.exif_transpose(opened)
    assert pictures.read(path).size == (20, 40)


def test_network_and_people_see_the_same_centred_square(media_root: Path):
    wide = np.zeros((300, 500, 3), np.uint8)
    wide[:, :100] = (255, 0, 0)  # cut off
    wide[:, 400:] = (255, 0, 0)
    wide[:, 100:250] = (0, 255, 0)
    stored = pictures.store(Image.fromarray(wide), size=64)
    seen = pictures.pixels_of(stored.sha256)
    assert seen.shape == (64, 64, 3)
    assert seen[:, 2].tolist() == [[0, 255, 0]] * 64
    assert seen[:, -2].tolist() == [[0, 0, 0]] * 64
    assert stored.display_size == pictures.DISPLAY_SIDE
    with Image.open(media.display_path(stored.display_sha256)) as shown:
        assert shown.size == (pictures.DISPLAY_SIDE, pictures.DISPLAY_SIDE)
        drawn = np.asarray(shown).astype(int)
    assert (drawn[:, :100, 1] > 200).all()
    assert (drawn[:, -100:, 1] < 50).all()


def test_small_originals_are_not_blown_up_for_people(media_root: Path):
    assert pictures.store(noise(50, 70), size=64).display_size == 50


def test_the_hash_is_of_the_pixels_and_their_shape():
    flat = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert pictures.pixels_sha256(flat) == pictures.pixels_sha256(flat.copy())
    assert pictures.pixels_sha256(flat) != pictures.pixels_sha256(flat.reshape(2, 8, 3))

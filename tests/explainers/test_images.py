import numpy as np
import pytest
from PIL import Image

from explainers.errors import ExplainerError
from explainers.images import check_image, check_images, load_image


def noise(shape, dtype=np.uint8):
    return np.random.default_rng(2).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_pass_unchanged(dtype, channels):
    image = noise((5, 8, channels), dtype)
    checked = check_image(image, (None, 8, channels))
    assert checked.dtype == np.float32
    assert (checked == image).all()


def test_dark_images_are_images():
    assert (check_image(np.zeros((4, 4, 3))) == 0).all()
    assert (check_image(np.eye(4)[..., None]) == np.eye(4)[..., None]).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (noise((8, 8)), r"shape \(8, 8\); expected one image"),
        (noise((1, 8, 8, 3)), "expected one image"),
        (noise((8, 8, 4)), "has 4 channels"),
        (noise((3, 8, 8)), "has 8 channels"),
        (np.zeros((0, 8, 3)), "0 x 8 pixels"),
        (noise((8, 8, 3)) + 200.0, r"expected 0\.\.255"),
        (noise((8, 8, 3)) - 256.0, r"expected 0\.\.255"),
        (noise((8, 8, 3)) / 255, r"scaled to 0\.\.1"),
        (np.full((8, 8, 3), np.nan), "NaN or infinite"),
        (np.full((8, 8, 3), np.inf), "NaN or infinite"),
        (np.full((8, 8, 3), "a"), "values of type"),
        (noise((8, 8, 3)) > 9, "values of type bool"),
        (noise((9, 8, 3)), r"\(9, 8, 3\), the classifier takes \(8, 'any', 3\); .*load_image"),
        (noise((8, 8, 1)), "the classifier takes"),
        ([[[1, 2], [3]]], "The image has rows of unequal length"),
    ],
)
def test_what_is_no_image(image, message):
    with pytest.raises(ExplainerError, match=message):
        check_image(image, (8, None, 3))


def test_stacks():
    assert check_images(noise((2, 8, 8, 3))).shape == (2, 8, 8, 3)
    for wrong in (noise((8, 8, 3)), noise((0, 8, 8, 3))):
        with pytest.raises(ExplainerError, match="at least one image"):
            check_images(wrong)


def test_the_loader_cuts_a_centred_square(tmp_path):
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = (200, 100, 50)
    Image.fromarray(picture).save(tmp_path / "wide.png")
    loaded = load_image(tmp_path / "wide.png", (20, 20, 3))
    assert loaded.shape == (20, 20, 3)
    assert loaded.dtype == np.uint8
    assert (loaded == (200, 100, 50)).all()
    assert load_image(tmp_path / "wide.png").shape == (10, 30, 3)
    assert load_image(tmp_path / "wide.png", (None, None, 1)).shape == (10, 30, 1)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_the_loader_reads_other_modes(tmp_path, mode):
    suffix = "tiff" if mode == "CMYK" else "png"
    Image.fromarray(noise((9, 9, 3))).convert(mode).save(tmp_path / f"picture.{suffix}")
    assert load_image(tmp_path / f"picture.{suffix}", (9, 9, 3)).shape == (9, 9, 3)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_the_loader_scales_sixteen_bits_to_eight(tmp_path, suffix):
    # Clipped at 255, as Pillow converts it, this noise would have a mean of 254.5.
    levels = np.random.default_rng(2).integers(0, 65536, (50, 60)).astype(np.uint16)
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(levels).save(path)
    loaded = load_image(path)
    assert loaded.shape == (50, 60, 3)
    assert (loaded == (levels // 256)[..., None]).all()
    assert loaded.mean() == pytest.approx(127.5, abs=4)
    assert (load_image(path, (None, None, 1)) == (levels // 256)[..., None]).all()


def test_the_loader_refuses_more_than_sixteen_bits(tmp_path):
    Image.fromarray(np.full((9, 9), 70_000, np.int32)).save(tmp_path / "deeper.tiff")
    with pytest.raises(ExplainerError, match="beyond 16 bits"):
        load_image(tmp_path / "deeper.tiff")


def test_the_loader_follows_the_camera(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(noise((10, 30, 3))).save(tmp_path / "turned.jpg", exif=exif)
    assert load_image(tmp_path / "turned.jpg").shape == (30, 10, 3)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_the_loader_lays_transparency_over_white(tmp_path, mode, channels):
    """Black that is not there, a half of it, and all of it: 255, 127 and 0."""
    alpha = Image.fromarray(np.array([[0, 128, 255]], np.uint8))
    black = Image.new(mode.removesuffix("A"), (3, 1))
    if mode == "PA":
        black = black.convert("RGB")
    black.putalpha(alpha)
    black.save(tmp_path / "clear.png")
    loaded = load_image(tmp_path / "clear.png", (None, None, channels))
    assert (loaded == np.repeat([[[255], [127], [0]]], channels, axis=2)).all()


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    assert load_image(tmp_path / "palette.png").tolist() == [[[255] * 3, [10, 20, 30]]]


def test_files_that_are_no_image(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(noise((90, 90, 3))).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:2000])
    for name in ("text.png", "cut.png"):
        with pytest.raises(ExplainerError, match=f"{name} cannot be read as an image"):
            load_image(tmp_path / name)
    with pytest.raises(ExplainerError, match=r"There is no image file .*absent\.png"):
        load_image(tmp_path / "absent.png")
    with pytest.raises(ExplainerError, match="cannot be read as an image"):
        load_image(tmp_path)

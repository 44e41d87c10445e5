"""What a heatmap's colours mean is said where one is read, in the colours of the overlay."""

import re
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest
from django.template.loader import render_to_string
from django.test import Client

from explainers.render import legend
from studyplatform.participation import services
from studyplatform.studies.models import StudyVersion

from .walker import text_of, walk

WORDS = "Supports the label: a little strongly"


def gradient(markup: str) -> tuple[list[float], np.ndarray]:
    """Return the offsets (0 to 1) and colours (RGB) of the legend's SVG."""
    found = re.search(r"<svg.*?</svg>", markup, re.DOTALL)
    assert found is not None
    stops = list(ElementTree.fromstring(found[0]).iter("stop"))
    colours = [list(bytes.fromhex(stop.get("stop-color", "").removeprefix("#"))) for stop in stops]
    return [float(stop.get("offset", "")) for stop in stops], np.array(colours)


def test_the_colours_are_those_of_the_overlay() -> None:
    offsets, colours = gradient(render_to_string("participation/_legend.html"))
    drawn = legend(width=481, height=1)[0].astype(float)
    places = np.linspace(0, 1, len(drawn))
    shown = np.stack([np.interp(places, offsets, channel) for channel in colours.T], axis=-1)

    assert np.abs(shown - drawn).max() < 2.5  # of 255: nobody sees the difference
    # The control: the same scale the other way round is told from it.
    assert np.abs(shown[::-1] - drawn).max() > 100


@pytest.mark.parametrize(
    ("meaning", "words"),
    [
        ("support", WORDS),
        ("influence", "Matters for the label: a little strongly"),
        ("answer", "Matters for the program's answer: a little strongly"),
        ("edges", "Edges in the picture: a little strongly"),
    ],
)
def test_it_says_what_red_means(meaning: str, words: str) -> None:
    shown = render_to_string("participation/_legend.html", {"heatmap_meaning": meaning})
    assert words in " ".join(re.sub(r"<[^>]+>", " ", unescape(shown)).split())


@pytest.mark.parametrize("heatmap", ["none", "lrp", "multiscale"])
def test_it_is_there_wherever_heatmaps_are_read(
    client: Client, version: StudyVersion, heatmap: str
) -> None:
    link = services.entry_link(version.study, "preview", f"heatmap-{heatmap}_scores-shown")
    way = walk(client, client.get(link)["Location"], until="screening")
    pages = [client.get(address) for address in way if "/instructions/" in address]
    learning = [page for page in pages if WORDS in text_of(page)]
    task = client.get(walk(client, way[-1], until="task/1")[-1])

    assert (WORDS in text_of(task)) is (heatmap != "none")
    assert len(learning) == (heatmap != "none")
    for page in [*learning, task]:
        assert page.content.count(b'id="heatmap-colours"') == (heatmap != "none")
    if learning:
        assert "What the heatmap shows" in text_of(learning[0])

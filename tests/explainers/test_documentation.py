"""The pages on the methods say what the methods are: names, parameters, defaults, links."""

import re
import shlex
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

from explainers import available, metrics, parameters
from explainers.__main__ import main
from explainers.registry import method

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "explainers"
SECTIONS = ["Idea", "Formula", "Parameters", "Cost", "Reading its map", "Source"]
LARGEST_PICTURE = 60_000  # bytes


def sections(text):
    """The text under each heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text, heading):
    """The cells of the first table under `heading`, without its head."""
    parts = sections(text)[heading].strip().split("\n\n")
    table = next(part for part in parts if part.startswith("|")).splitlines()
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table[2:]]


@pytest.mark.parametrize("name", available())
def test_a_method_has_a_page_with_its_parameters(name):
    text = (PAGES / f"{name}.md").read_text()
    assert text.startswith(f"# `{name}`: ")
    assert list(sections(text)) == SECTIONS
    assert "| parameter | default | meaning |" in sections(text)["Parameters"]
    documented = {parameter: default for parameter, default, *_ in rows(text, "Parameters")}
    defaults = {key: str(value) for key, value in parameters(name).items()}
    assert list(documented.items()) == list(defaults.items())


@pytest.mark.parametrize("name", available())
def test_a_page_has_its_picture(name):
    picture = DOCS / "images" / "explainers" / f"{name}.png"
    assert f"](../images/explainers/{name}.png)" in (PAGES / f"{name}.md").read_text()
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.stat().st_size < LARGEST_PICTURE


def test_pages_are_of_methods_that_exist():
    others = {"README", "speed", "faithfulness"}
    assert {page.stem for page in PAGES.glob("*.md")} - others == set(available())


def test_the_index_prints_what_the_registry_knows(capsys):
    """Table 2 of 000, of our methods; what stands there is what the command prints."""
    assert main(["list", "--markdown"]) == 0
    table = capsys.readouterr().out.strip()
    assert len(table.splitlines()) == 2 + len(available())
    assert f"\n\n{table}\n\n" in (PAGES / "README.md").read_text()


def test_the_index_leads_to_every_page_and_names_its_class():
    found = rows((PAGES / "README.md").read_text(), "The methods")
    links = [f"[`{name}`]({name}.md)" for name in available()]
    assert [link for link, *_ in found] == links
    assert [given for _, given, *_ in found] == [
        method(name).path.partition(":")[2] for name in available()
    ]


def printed(page, heading, number=0):
    """One of the indented blocks under a heading; blank lines do not end it."""
    lines = [line.rstrip() for line in sections((PAGES / page).read_text())[heading].splitlines()]
    blocks = re.findall(r"(?:^    .*\n|^\n)+", "\n".join(lines) + "\n", flags=re.MULTILINE)
    return dedent([block for block in blocks if block.strip()][number]).strip()


def command(page, heading, number=0):
    """The arguments of a printed command; paths of the repository from its root."""
    words = shlex.split(printed(page, heading, number).replace("\\\n", ""))
    assert words[:3] == [".venv/bin/python", "-m", "explainers"]
    root = DOCS.parent
    return [str(root / word) if (root / word).is_file() else word for word in words[3:]]


def test_from_a_file_to_a_picture_as_printed(tmp_path, monkeypatch, capsys):
    """By the library, then the same by the command line."""
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(printed("README.md", "From a file to a picture"), names)
    assert "dog 0.937\n" in capsys.readouterr().out
    assert names["every"].shape == (8, 96, 96)
    drawn = np.asarray(Image.open("overlay.png"))
    exec(printed("README.md", "From a file to a picture", 1), names)
    assert (names["picture"] == drawn).all()
    Path("overlay.png").unlink()
    assert main(command("README.md", "The command line", 1)) == 0
    assert (np.asarray(Image.open("overlay.png")) == drawn).all()
    assert capsys.readouterr().out.startswith("explained: dog 0.937; highest: dog 0.937, cat 0.6")


def test_faithfulness_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(printed("faithfulness.md", "From the library"), {})
    first, second = map(float, capsys.readouterr().out.split())
    assert first > 0
    assert 0 < second < 1
    assert main([*command("faithfulness.md", "Over a folder of images"), "--limit", "2"]) == 0
    assert Path("var/evaluation/summary.csv").is_file()


def anchors(page):
    """What a link may name behind "#": the headings, in GitHub's spelling."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    for page in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            found = page.parent / path if path else page
            if "://" not in target:
                assert found.exists(), f"{page.name} leads to {target}"
                assert not anchor or anchor in anchors(found), f"{page.name} leads to {target}"


def test_the_page_on_faithfulness_lists_every_metric(capsys):
    assert main(["list", "--metrics"]) == 0
    table = capsys.readouterr().out.strip()
    assert len(table.splitlines()) == 2 + len(metrics.available())
    assert f"\n\n{table}\n\n" in (PAGES / "faithfulness.md").read_text()

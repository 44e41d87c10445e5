"""What is taken out of a page so that it can be read and printed, and what stays."""

import pytest

from studyplatform.console.inert import inert

PAGE = """<!doctype html><html><head><title>T</title></head><body class="x">
<a class="skip" href="#main">Skip</a>
<header class="bar"><p>Title</p></header>
<main id="main" class="column" tabindex="-1">{}</main>
<footer><p>Foot</p></footer></body></html>"""


def seen(content: str, *keep: str) -> str:
    return inert(PAGE.format(content), prefix="p", keep=set(keep or {"main"})).html


@pytest.mark.parametrize(
    ("keep", "there", "gone"),
    [
        ("main", "<b>bold</b>", "Title"),
        ("header", "Title", "bold"),
        ("skip", "Skip", "Foot"),
        ("footer", "Foot", "Skip"),
    ],
)
def test_the_parts_asked_for_and_no_others(keep: str, there: str, gone: str) -> None:
    page = seen("<b>bold</b>", keep)
    assert there in page
    assert gone not in page


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('<a href="/go/" target="_blank">on</a>', "<a>on</a>"),
        ('<a href="mailto:a@b.org">mail</a>', '<a href="mailto:a@b.org">mail</a>'),
        ('<a href="javascript:x()">on</a>', "<a>on</a>"),
        ('<form method="post" action="/x/" class="f"><b>q</b></form>',
         '<div class="f"><b>q</b></div>'),
        ('<input type="hidden" name="token" value="secret">', ""),
        ('<input type="radio" id="a" name="q" value="1">',
         '<input type="radio" id="p-a" name="q" value="1" disabled>'),
        ("<button>Go</button>", "<button disabled>Go</button>"),
        ('<label for="a">A</label>', '<label for="p-a">A</label>'),
        ('<i aria-describedby="a b">x</i>', '<i aria-describedby="p-a p-b">x</i>'),
        ('<section aria-label="Examples">x</section>',
         '<div aria-label="Examples" role="group">x</div>'),
        ("<details><summary>S</summary>x</details>",
         "<details open><summary>S</summary>x</details>"),
        ('<img src="/i/1" alt="a &quot;b&quot;" loading="lazy">',
         '<img src="/i/1" alt="a &quot;b&quot;">'),
        ('<svg><path fill="url(#red)"/></svg>', '<svg><path fill="url(#p-red)"/></svg>'),
        ("a &amp; b &#39;c&#39; &lt;d&gt;", "a &amp; b &#39;c&#39; &lt;d&gt;"),
        ('<p onclick="x()">y</p>', "<p>y</p>"),
        ("<main>inner</main> after", "<div>inner</div> after"),
    ],
)  # fmt: skip
def test_what_acts_goes_and_what_says_something_stays(given: str, expected: str) -> None:
    assert seen(given) == f'<div id="p-main" class="column">{expected}</div>'


def test_what_is_for_screen_readers_alone_is_handed_back() -> None:
    page = PAGE.format('<a>on<span class="hidden"> (enlarge <b>it</b> &amp; more)</span> now</a>')
    found = inert(page, prefix="p", keep={"main"})
    assert found.spoken == ("(enlarge it & more)",)
    assert "<a>on now</a>" in found.html


def test_what_a_script_would_say_is_handed_back() -> None:
    page = PAGE.format(
        '<p data-sent="Thank you." data-zoom="12" data-page data-failed="Try again."></p>'
        '<p data-sent="Thank you."></p>'
    )
    found = inert(page, prefix="p", keep={"main"})
    assert found.spoken == ("Thank you.", "Try again.")
    assert "data-" not in found.html

"""What simulated participants see of a page, and what they send."""

from studyplatform.operations.simulation.forms import filled, read_page

HTML = """
<h1>Task 1</h1>
<form action="/problem"><textarea name="text" required></textarea></form>
<form action="/s/x/task/1/" method="post">
  <input type="hidden" name="token" value="a&amp;b"><input type="hidden" name="client" value="">
  <textarea name="q-why" required></textarea>
  <input type="radio" name="q-yes" value="yes" required><input type="radio" name="q-yes" value="no">
  <input type="checkbox" name="q-tick" required>
  <input type="checkbox" name="q-more" value="1"><input type="checkbox" name="q-more" value="2">
  <select name="q-one" required><option value="a">A</option><option value="b">B</option></select>
  <button name="decision" value="decline">No</button>
</form>
<p class="error">Please choose.</p>
"""


def test_the_form_that_leads_on_is_the_one_with_the_token() -> None:
    page = read_page(HTML)
    assert page.main is not None
    assert page.main.action == "/s/x/task/1/"
    assert page.errors == ["Please choose."]
    assert page.code == ""


def test_required_controls_are_filled_and_no_button_is_pressed() -> None:
    form = read_page(HTML).main
    assert form is not None
    assert filled(form, {}) == [
        ("token", "a&b"),
        ("client", ""),
        ("q-why", "nothing to add"),
        ("q-yes", "yes"),
        ("q-tick", "on"),
        ("q-one", "a"),
    ]


def test_answers_are_sent_where_the_page_offers_them() -> None:
    form = read_page(HTML).main
    assert form is not None
    answers = {"q-why": "eyes\nears", "q-yes": "no", "q-more": ["2", "3"], "q-not-there": "x"}
    sent = filled(form, answers)
    assert ("q-why", "eyes\nears") in sent
    assert ("q-yes", "no") in sent
    assert [value for name, value in sent if name == "q-more"] == ["2"]
    assert "q-not-there" not in dict(sent)


def test_the_code_is_read() -> None:
    assert read_page('<p>Your code: <strong class="code">CDEMO01</strong></p>').code == "CDEMO01"

"""What a program sees of a page: its forms, and the code on the last one."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Field:
    """All controls of one name; `values` are the options of a choice, or the value given."""

    name: str
    kind: str
    values: list[str] = field(default_factory=list)
    required: bool = False


@dataclass
class Form:
    action: str
    fields: dict[str, Field] = field(default_factory=dict)


@dataclass
class Page:
    """The forms of a page, the exit code shown on it (or ""), and the errors it tells."""

    forms: list[Form] = field(default_factory=list)
    code: str = ""
    errors: list[str] = field(default_factory=list)
    title: str = ""

    @property
    def main(self) -> Form | None:
        """The form that leads on: the one with a page token."""
        return next((form for form in self.forms if "token" in form.fields), None)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.form: Form | None = None
        self.select: Field | None = None
        self.text_into: str = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        if tag == "form":
            self.form = Form(given.get("action", ""))
            self.page.forms.append(self.form)
        elif tag == "h1":
            self.text_into = "title"
        elif "code" in classes:
            self.text_into = "code"
        elif "error" in classes:
            self.text_into = "error"
        if self.form is not None:
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        if tag == "option" and self.select is not None:
            self.select.values.append(given.get("value", ""))
            return
        name = given.get("name", "")
        if tag not in {"input", "textarea", "select"} or not name or self.form is None:
            return
        kind = given.get("type", "text") if tag == "input" else tag
        control = self.form.fields.setdefault(name, Field(name, kind))
        control.required = control.required or "required" in dict(given)
        if tag == "input":
            control.values.append(given.get("value", "on" if kind == "checkbox" else ""))
        elif tag == "select":
            self.select = control

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        self.text_into = ""

    def handle_data(self, data: str) -> None:
        text = data.strip()
        if not text or not self.text_into:
            return
        if self.text_into == "code":
            self.page.code += text
        elif self.text_into == "title":
            self.page.title += text
        else:
            self.page.errors.append(text)


def read_page(html: str) -> Page:
    """Return what a page asks for; every form, with all its named controls."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


def filled(form: Form, answers: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    """Return what the form sends with these answers (field name -> value or values).

    Hidden controls keep their values; a required control without an answer gets the simplest one:
    a tick, the first option, a word.
    """
    sent: list[tuple[str, str]] = []
    for name, control in form.fields.items():
        if control.kind == "hidden":
            sent.append((name, control.values[0]))
        elif name in answers:
            given = answers[name]
            values = given if isinstance(given, list) else [given]
            offered = control.kind not in {"radio", "checkbox", "select"}
            sent += [(name, value) for value in values if offered or value in control.values]
        elif control.required:
            choice = control.kind in {"radio", "checkbox", "select"}
            sent.append((name, control.values[0] if choice else "nothing to add"))
    return sent

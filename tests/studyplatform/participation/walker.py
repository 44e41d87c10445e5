"""A participant who reads forms as a browser does: fills what is required and submits."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

PERSON = "5f3c1a9be0d4c7713f2a6b88"


@dataclass
class Field:
    name: str
    type: str
    value: str = ""
    required: bool = False
    options: list[str] = field(default_factory=list)


class FormReader(HTMLParser):
    """Reads the page's own form (the one with data-page) and the links on the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, Field] = {}
        self.links: list[str] = []
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        attributes = dict(pairs)
        if tag == "form":
            self._inside = "data-page" in attributes
            if self._inside:
                self.action = attributes["action"] or ""
        elif tag == "a":
            self.links.append(attributes.get("href") or "")
        elif self._inside and tag in {"input", "textarea"} and attributes.get("name"):
            name = attributes["name"] or ""
            kind = attributes.get("type") or tag
            found = self.fields.setdefault(name, Field(name, kind))
            found.required |= "required" in attributes
            value = attributes.get("value") or ""
            if kind in {"radio", "checkbox"}:
                found.options.append(value or "on")
            else:
                found.value = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False

    def filled(self, **answers: Any) -> dict[str, Any]:
        """Return what a browser posts: every required field filled, `answers` put over it."""
        data: dict[str, Any] = {}
        for item in self.fields.values():
            if item.type == "hidden":
                data[item.name] = item.value
            elif item.required:
                data[item.name] = item.options[0] if item.options else "ears and eyes"
        return data | {f"q-{key}": value for key, value in answers.items()}


def entered(client: Client, slug: str = "trial", person: str = PERSON, **more: str) -> HttpResponse:
    query = {"PROLIFIC_PID": person, "STUDY_ID": "st-1", "SESSION_ID": f"sub-{person}", **more}
    return client.get(f"/s/{slug}/", query)


def read(response: HttpResponse) -> FormReader:
    return FormReader(response.content.decode())


def step(client: Client, address: str, **answers: Any) -> str:
    """Fill and submit the page at this address; return the address it leads to."""
    page = client.get(address)
    assert page.status_code == 200, (address, page.status_code)
    form = read(page)
    reply = client.post(form.action, form.filled(**answers))
    assert reply.status_code == 303, (address, reply.status_code, reply.content.decode()[:2000])
    return reply["Location"]


def walk(client: Client, address: str, until: str = "exit", **answers: Any) -> list[str]:
    """Go on page by page to the first whose address contains `until`; return all addresses."""
    way = [address]
    while f"/{until}/" not in way[-1] + "/":
        way.append(step(client, way[-1], **(answers if "/task/" in way[-1] else {})))
        assert len(way) < 60, "the way does not end"
    return way


def text_of(response: HttpResponse) -> str:
    """Return the words of a page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))

"""Texts of the spec made into HTML: Markdown without raw HTML, placeholders filled safely."""

import re
from collections.abc import Mapping
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt

from studyplatform.studies.spec import Spec

# Raw HTML is shown as text, and images are left out: the content policy allows our own only.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€"}


def number(value: float | Decimal) -> str:
    """Return a number with two decimals as people write it in the language in use."""
    return number_format(Decimal(f"{value:.2f}"), decimal_pos=2)  # which would cut, not round


def money(amount: Decimal, currency: str) -> str:
    """Return an amount as people read it in the language in use: £8.00."""
    return _("{symbol}{amount}").format(symbol=_SYMBOLS[currency], amount=number(amount))


def placeholders(spec: Spec, labels: list[str]) -> dict[str, str]:
    """Return what the names in braces stand for; `labels` are those the classifier knows."""
    pay = spec.pay
    return {
        "labels": ", ".join(spec.label_name(label) for label in labels),
        "n_labels": str(len(labels)),
        "n_tasks": str(spec.tasks.total),
        "base": money(pay.base, pay.currency),
        "bonus": money(pay.bonus_per_correct, pay.currency),
        "bonus_steps": ", ".join(
            _("{bonus} for {n} or more right predictions").format(
                bonus=money(step.bonus, pay.currency), n=step.correct
            )
            for step in pay.bonus_from
        ),
        "maximum": money(spec.maximum_pay, pay.currency),
        "minutes": str(pay.expected_minutes),
        "examples_per_task": str(spec.tasks.examples_per_task),
    }


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the known names in braces replaced; other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def markdown(text: str, values: Mapping[str, str]) -> SafeString:
    """Return Markdown as HTML; what fills a placeholder is text and never markup."""
    return mark_safe(_MARKDOWN.render(_filled_literally(text, values)))


def markdown_line(text: str, values: Mapping[str, str]) -> SafeString:
    """Return one line of Markdown as HTML without a paragraph around it."""
    return mark_safe(_MARKDOWN.renderInline(_filled_literally(text, values)))


def _filled_literally(text: str, values: Mapping[str, str]) -> str:
    return filled(text, {name: _PUNCTUATION.sub(r"\\\1", value) for name, value in values.items()})

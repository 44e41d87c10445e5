"""What each page shows: the template of a stage and the context it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from studyplatform.stimuli import selectors as stimuli
from studyplatform.studies import when
from studyplatform.studies.spec import Figure, Question

from . import items, selectors, texts, tokens
from .forms import ConsentForm, QuestionForm, screening_question
from .items import Item, Stage
from .models import Answer, Reward, Session


@dataclass(frozen=True)
class ShownFigure:
    exhibit: stimuli.Exhibit
    caption: SafeString
    alt: str


@dataclass(frozen=True)
class Group:
    """Examples with the same outcome, under the words that say it.

    `span` is how many columns they take when three lie below each other.
    """

    outcome: str
    heading: str
    term: str
    span: int
    examples: list[tuple[int, stimuli.Exhibit]]


@dataclass(frozen=True)
class ScreeningEntry:
    figure: ShownFigure
    field: forms.BoundField


def outcome_words(outcome: str, label: str) -> tuple[str, str]:
    """Return an outcome in plain words for a label as people read it, and the field's term."""
    words = {
        "TP": (_("“{label}” is there, and the program says so"), _("true positive")),
        "FP": (_("No “{label}”, but the program says so"), _("false positive")),
        "FN": (_("“{label}” is there, but the program misses it"), _("false negative")),
        "TN": (_("No “{label}”, and the program agrees"), _("true negative")),
    }
    plain, term = words[outcome]
    return plain.format(label=label), term


def values_of(session: Session, label: str = "") -> dict[str, str]:
    """Return what the placeholders in the study's texts stand for, on this page."""
    material = selectors.material_of(session)
    values = texts.placeholders(material.spec, list(material.labels))
    return {**values, "label": material.spec.label_name(label)} if label else values


def form_of(
    session: Session, item: Item, data: Mapping[str, Any] | None = None
) -> QuestionForm | ConsentForm | None:
    """Return the form of a page, bound to `data`; None for pages that ask nothing."""
    spec = selectors.material_of(session).spec
    levels = selectors.levels_of(session)
    asked: list[Question]
    label = ""
    if item.stage is Stage.CONSENT:
        return ConsentForm(data)
    if item.stage is Stage.SCREENING:
        asked = [screening_question(entry) for entry in items.screening_items(spec, levels)]
    elif item.stage is Stage.TASK:
        asked = items.questions(spec.questions, levels)
        label = _label_of(session, item)
    elif item.stage is Stage.AFTERWARDS:
        asked = items.questions(spec.afterwards, levels)
    else:
        return None
    return QuestionForm(asked, levels=levels, values=values_of(session, label), data=data)


def template_of(item: Item) -> str:
    return f"participation/{item.stage}.html"


def page_context(
    session: Session, item: Item, token: tokens.PageToken, form: Any
) -> dict[str, Any]:
    """Return all that the template of a page needs; `form` is form_of's, bound or not."""
    spec = selectors.material_of(session).spec
    way = selectors.way_of(session)
    return {
        "session": session,
        "study_title": spec.title,
        "contacts": spec.contacts,
        "label_names": spec.label_names,
        "item": item,
        "form": form,
        "token": tokens.page_sign(token),
        "key": tokens.idempotency_key(),
        "here": address(session, item.key),
        "is_current": item.key == session.item,
        "back": address(session, way.before(item).key),
        "onward": address(session, way.after(item).key),
        "problem_address": reverse("participation:problem", args=[session.study.slug]),
        **_CONTEXTS[item.stage](session, item, form),
    }


def address(session: Session, key: str) -> str:
    return reverse("participation:page", args=[session.study.slug, key])


def _label_of(session: Session, item: Item) -> str:
    """Return a task's label without a query: it is that of the block the task lies in."""
    spec = selectors.material_of(session).spec
    left = item.number
    for label in session.block_order:
        left -= sum(spec.tasks.new_images[label].values())
        if left <= 0:
            return str(label)
    return str(session.block_order[-1])


def _information(session: Session, item: Item, form: Any) -> dict[str, Any]:
    spec = selectors.material_of(session).spec
    return {
        "title": _("About this study"),
        "body": texts.markdown(spec.information, values_of(session)),
        "eligibility": spec.eligibility,
        "ethics_number": spec.ethics_number,
        "minimum_screen_width": spec.recruitment.minimum_screen_width,
    }


def _consent(session: Session, item: Item, form: Any) -> dict[str, Any]:
    consent = selectors.material_of(session).spec.consent
    values = values_of(session)
    return {
        "title": _("Your consent"),
        "statements": [texts.markdown_line(text, values) for text in consent.statements],
        "tick": texts.markdown_line(consent.tick, values),
    }


def _instructions(session: Session, item: Item, form: Any) -> dict[str, Any]:
    spec = selectors.material_of(session).spec
    levels = selectors.levels_of(session)
    pages = items.instruction_pages(spec, levels)
    page = pages[item.number - 1]
    values = values_of(session)
    figures = [
        _figure(session, figure) for figure in page.figures if when.holds(figure.when, levels)
    ]
    return {
        "title": texts.filled(page.title, values),
        "body": texts.markdown(page.body, values),
        "figures": figures,
        "figures_have_heatmap": any(figure.exhibit.heatmap for figure in figures),
        "heatmap_meaning": stimuli.heatmap_meaning(spec, levels),
        "task_preview": page.task_preview,
        "shows_heatmap": levels.get("heatmap", "none") != "none",
        "shows_scores": levels.get("scores") == "shown",
        "n_pages": len(pages),
    }


def _figure(
    session: Session, figure: Figure, region: Any = None, alt: str | None = None
) -> ShownFigure:
    exhibit = stimuli.illustration(
        session.version, figure, selectors.levels_of(session), region=region
    )
    if alt is None:
        name = selectors.material_of(session).spec.label_name(figure.label)
        alt = outcome_words(figure.outcome, name)[0]
    return ShownFigure(exhibit, texts.markdown_line(figure.caption, values_of(session)), alt)


def _screening(session: Session, item: Item, form: Any) -> dict[str, Any]:
    spec = selectors.material_of(session).spec
    levels = selectors.levels_of(session)
    # The alternative text must not say the outcome: that is what some of the items ask.
    entries = [
        ScreeningEntry(
            _figure(session, entry.figure, entry.region, alt=_("Example picture")),
            form[entry.key],
        )
        for entry in items.screening_items(spec, levels)
    ]
    return {
        "title": _("Some questions on the instructions"),
        "entries": entries,
        "last_page": len(items.instruction_pages(spec, levels)),
        "attempt": session.attempt,
    }


def _task(session: Session, item: Item, form: Any) -> dict[str, Any]:
    levels = selectors.levels_of(session)
    spec = selectors.material_of(session).spec
    view = stimuli.task_exhibits(selectors.task_of(session, item.number), levels)
    groups, place = [], 0
    for outcome, exhibits in view.groups:
        heading, term = outcome_words(outcome, spec.label_name(view.label))
        numbered = [(place + i, exhibit) for i, exhibit in enumerate(exhibits, start=1)]
        place += len(exhibits)
        groups.append(Group(outcome, heading, term, -(-len(exhibits) // 3), numbered))
    return {
        "title": _("Task {number} of {total}").format(
            number=item.number, total=len(session.task_order)
        ),
        "number": item.number,
        "total": len(session.task_order),
        "new_image": view.new_image,
        "groups": groups,
        "columns": sum(group.span for group in groups),
        "prompt": texts.markdown_line(spec.task_prompt, values_of(session, view.label)),
        "shows_heatmap": levels.get("heatmap", "none") != "none",
        "heatmap_meaning": stimuli.heatmap_meaning(spec, levels),
        "shows_scores": levels.get("scores") == "shown",
    }


def _afterwards(session: Session, item: Item, form: Any) -> dict[str, Any]:
    return {"title": _("Looking back")}


def _feedback(session: Session, item: Item, form: Any) -> dict[str, Any]:
    return feedback_context(session, session.reward, selectors.task_answers(session))


def feedback_context(session: Session, reward: Reward, answers: list[Answer]) -> dict[str, Any]:
    """Return what the feedback tells of these answers to tasks, in their order."""
    spec = selectors.material_of(session).spec
    key = spec.prediction.key
    return {
        "title": _("How you did"),
        "n_correct": reward.n_correct,
        "n_tasks": len(answers),
        "base": texts.money(reward.base, reward.currency),
        "bonus": texts.money(reward.bonus, reward.currency),
        "total": texts.money(reward.base + reward.bonus, reward.currency),
        "results": [
            {
                "number": number,
                "picture": stimuli.picture(answer.task.image),
                "label": spec.label_name(answer.task.label),
                "predicted": answer.values.get(key) == "yes",
                "assigned": answer.task.assigned,
                "correct": answer.correct,
            }
            for number, answer in enumerate(answers, start=1)
            if answer.task is not None
        ],
    }


def _exit(session: Session, item: Item, form: Any) -> dict[str, Any]:
    spec = selectors.material_of(session).spec
    leave = getattr(spec.exits, session.status)
    return {
        "title": _("Thank you") if session.completed_at else _("The end of this study"),
        "message": texts.markdown(leave.message, values_of(session)),
        "code": leave.code,
        # Whoever came by a plain link has no submission to return to.
        "return_url": spec.recruitment.return_address(leave.code)
        if session.identity_id or session.source == Session.Source.PREVIEW
        else "",
    }


_CONTEXTS = {
    Stage.INFORMATION: _information,
    Stage.CONSENT: _consent,
    Stage.INSTRUCTIONS: _instructions,
    Stage.SCREENING: _screening,
    Stage.TASK: _task,
    Stage.AFTERWARDS: _afterwards,
    Stage.FEEDBACK: _feedback,
    Stage.EXIT: _exit,
}

"""Small studies and their answers, written straight into the tables: no files behind them."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.utils import timezone

import studyplatform.studies
from studyplatform.participation.models import Answer, Event, Reward, Session
from studyplatform.stimuli.models import Image, ImageSet, StimulusSet, Task, TrainedClassifier
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import study_create, team_get_or_create, version_freeze

PRESET = Path(studyplatform.studies.__file__).parent / "presets" / "forward_simulation.yaml"
OUTCOMES = {1: "TP", 2: "FP", 3: "FN", 4: "TN"}


def make_version(
    slug: str = "demo", *, team: str = "Alice's team", published: bool = True
) -> StudyVersion:
    """Return a version with four tasks, two of cats and two of horses, no heatmaps."""
    text = PRESET.read_text().replace("slug: demo", f"slug: {slug}")
    version = study_create(team=team_get_or_create(name=team), spec_text=text)
    images = ImageSet.objects.create(name=slug, labels=["cat", "horse"], size=8)
    classifier = TrainedClassifier.objects.create(
        name=slug, path="none", sha256="0" * 64, labels=["cat", "horse"], preprocess="", size=8
    )
    stimuli = StimulusSet.objects.create(
        version=version, image_set=images, classifier=classifier, thresholds={}
    )
    for number, outcome in OUTCOMES.items():
        label = "cat" if number < 3 else "horse"
        image = Image.objects.create(
            image_set=images,
            name=f"{number}.png",
            split="train",
            labels=[label] if outcome in {"TP", "FN"} else [],
            sha256=f"{number}" * 64,
            display_sha256=f"{number}" * 64,
            display_size=8,
        )
        Task.objects.create(
            stimulus_set=stimuli,
            label=label,
            number=number,
            image=image,
            outcome=outcome,
            score=number / 10,
        )
    return version_freeze(version=version, manifest={}) if published else version


def make_session(version: StudyVersion, condition: int | None = 0, **values: object) -> Session:
    now = timezone.now()
    defaults = {
        "study": version.study,
        "version": version,
        "source": "real",
        "status": "completed",
        "item": "exit",
        "condition": condition
        if condition is None
        else version.conditions.order_by("position")[condition],
        "block_order": ["horse", "cat"],
        "task_order": [4, 3, 1, 2],
        "seed": 1,
        "screening_passed": True,
        "consented_at": now,
        "completed_at": now + timedelta(minutes=20),
        "last_seen_at": now,
        "cookie_sha256": f"{Session.objects.count():064d}",
    }
    return Session.objects.create(**(defaults | values))


def make_answers(session: Session, predictions: list[str], **values: object) -> None:
    """Answer tasks 1, 2, ... with these predictions; one event; the reward."""
    tasks = Task.objects.filter(stimulus_set__version=session.version).order_by("number")
    n_correct = 0
    for task, prediction in zip(tasks, predictions, strict=True):
        correct = (prediction == "yes") == task.assigned
        n_correct += correct
        given = {"sensitive": "eyes", "ignores": "sky", "prediction": prediction, "confidence": 3}
        Answer.objects.create(
            session=session,
            item=f"task-{task.number}",
            task=task,
            values=given | values,
            correct=correct,
            idempotency_key=f"{task.number}",
            page_served_at=timezone.now() - timedelta(seconds=30),
        )
    Event.objects.create(session=session, kind="page", item="task-1", data={"width": 1280})
    Reward.objects.create(
        session=session,
        currency="GBP",
        base=Decimal(8),
        bonus=Decimal("0.5") * n_correct,
        n_correct=n_correct,
    )

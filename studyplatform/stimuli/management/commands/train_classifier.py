"""Train a classifier on an image set."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from studyplatform.progress import bar
from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand
from studyplatform.stimuli.models import ImageSet
from studyplatform.stimuli.services.images import check_key


class Command(StimuliCommand):
    help = (
        "Fit a multi-label head on a Keras backbone with an image set's training images, train "
        "the last layers further if asked to, and report the average precision of every label, on "
        "images held out too. All teams share images and classifiers made by commands."
    )
    example = "mobile --images photographs --backbone mobilenet.keras --preprocess signed"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the new classifier")
        parser.add_argument("--images", required=True, help="name of the image set")
        start = parser.add_mutually_exclusive_group(required=True)
        start.add_argument(
            "--backbone", type=Path, help="a .keras file; taken as far as its last pooling"
        )
        start.add_argument(
            "--vgg16", action="store_true", help="VGG16 with ImageNet weights, as in the study"
        )
        parser.add_argument(
            "--preprocess",
            default="signed",
            choices=list(services.PREPROCESSINGS),
            help="--backbone: from pixels 0..255 to its input (signed: -1..1)",
        )
        parser.add_argument("--labels", help="comma-separated; all that can be learned by default")
        parser.add_argument(
            "--fine-tune", type=int, metavar="LAYERS", help="last layers to train further"
        )
        parser.add_argument("--epochs", type=int, default=services.FineTuning.epochs)
        parser.add_argument(
            "--learning-rate", type=float, default=services.FineTuning.learning_rate
        )

    def run(self, **options: Any) -> None:
        check_key(options["name"])
        image_set = ImageSet.objects.filter(name=options["images"], team=None).first()
        if image_set is None:
            shared = ImageSet.objects.filter(team=None).order_by("name")
            known = ", ".join(shared.values_list("name", flat=True)) or "none"
            raise CommandError(f"There is no image set {options['images']!r}; there are: {known}.")
        labels = [label.strip() for label in (options["labels"] or "").split(",") if label.strip()]
        tuning = None
        if options["fine_tune"] is not None:
            tuning = services.FineTuning(
                layers=options["fine_tune"],
                epochs=options["epochs"],
                learning_rate=options["learning_rate"],
            )
        with bar("Training") as progress:
            classifier = services.classifier_train(
                name=options["name"],
                image_set=image_set,
                backbone=options["backbone"],
                preprocess="caffe" if options["vgg16"] else options["preprocess"],
                labels=labels or None,
                tuning=tuning,
                progress=progress,
            )
        self.say(f"Classifier {classifier.name!r}, SHA-256 {classifier.sha256}")
        self.say(f"{'label':<20}{'train':>8}{'val':>8}   average precision")
        for label in classifier.labels:
            values = [
                classifier.average_precision.get(split, {}).get(label) for split in ("train", "val")
            ]
            cells = "".join(f"{'-':>8}" if value is None else f"{value:8.2f}" for value in values)
            self.say(f"{label:<20}{cells}")

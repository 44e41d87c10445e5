"""Import an image set."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from studyplatform.progress import bar
from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand


class Command(StimuliCommand):
    help = (
        "Import a folder in PASCAL VOC layout, a folder that holds a folder per label, or the "
        "bundled scenes, as an image set that all teams share."
    )
    example = "photographs --voc VOCdevkit/VOC2012 --size 224"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the new image set")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "--voc", type=Path, metavar="DIR", help="holds JPEGImages, Annotations, ImageSets/Main"
        )
        source.add_argument(
            "--folders",
            type=Path,
            metavar="DIR",
            help="holds a folder of images per label, in train/ and val/ where they are divided",
        )
        source.add_argument("--demo", action="store_true", help="the scenes drawn by this program")
        parser.add_argument(
            "--size", type=int, default=224, help="side of the network's input (224 px)"
        )
        parser.add_argument(
            "--count", type=int, help="--demo: scenes of each split (all by default)"
        )

    def run(self, **options: Any) -> None:
        with bar("Importing") as progress:
            common = {"name": options["name"], "progress": progress}
            if options["demo"]:
                report = services.image_set_import_demo(count=options["count"], **common)
            elif options["voc"]:
                report = services.image_set_import_voc(
                    folder=options["voc"], size=options["size"], **common
                )
            else:
                report = services.image_set_import_folders(
                    folder=options["folders"], size=options["size"], **common
                )
        for left_out, kept in report.duplicates:
            self.say(f"{left_out} shows the same pixels as {kept} and was left out.")
        image_set = report.image_set
        self.say(
            f"Image set {image_set.name!r}: {report.images} images of {image_set.size} px, "
            f"{len(image_set.labels)} labels ({', '.join(image_set.labels)})."
        )
        if image_set.origin["split"] == "drawn":
            self.say("Half of each label's images were drawn for validation, by a fixed seed.")

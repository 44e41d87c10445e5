"""Train the demo's network anew."""

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from studyplatform.progress import bar
from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand


class Command(StimuliCommand):
    help = "Draw the demo's scenes and train its network on them: a few minutes on two cores."
    example = "--out var/demo.keras --register"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, help="write the network here (a .keras file)")
        parser.add_argument("--seed", type=int, default=0, help="of weights and order (0)")
        parser.add_argument("--epochs", type=int, help="passes over the scenes")
        parser.add_argument("--scenes", type=int, help="number of training scenes")
        parser.add_argument(
            "--register", action="store_true", help="also keep it as the classifier 'demo'"
        )

    def run(self, **options: Any) -> None:
        from explainers import demo

        chosen = {key: options[key] for key in ("epochs", "scenes") if options[key] is not None}
        with tempfile.TemporaryDirectory() as folder, bar("Training") as progress:
            out = options["out"] or Path(folder) / "demo.keras"
            found = demo.train(out, seed=options["seed"], progress=progress, **chosen)
            if options["register"]:
                services.classifier_register(
                    name="demo",
                    path=out,
                    labels=list(found["labels"]),
                    preprocess=found["preprocess"],
                    average_precision=found["average_precision"],
                )
        for split, values in found["average_precision"].items():
            listed = ", ".join(f"{label} {value:.2f}" for label, value in values.items())
            self.say(f"Average precision, {split}: {listed}.")
        if options["out"]:
            self.say(f"The network is in {options['out']}.")

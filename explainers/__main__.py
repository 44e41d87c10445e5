"""The command line: `python -m explainers list`, `explain IMAGE ...` and `evaluate ...`."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers import metrics
from explainers.classifier import CLASS_AGNOSTIC, Classifier, Target
from explainers.errors import ExplainerError
from explainers.evaluation.command import add_evaluate
from explainers.images import fitted, read
from explainers.preprocessing import HELP, scales_pixels
from explainers.registry import available, create, method, parameters
from explainers.render import above, overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainers.base import Partial

EXAMPLE = """example:
  python -m explainers explain horse.jpg --model network.keras --labels labels.txt \\
      --preprocess signed --method multiscale --set depth=3 --set best=5 \\
      --target horse --out overlay.png --raw map.npy
"""

NOT_PREPROCESSED = (
    "note: no preprocessing was asked for, and the network has no Rescaling layer of its own: it "
    "gets 0..255 as they are. Where it was trained on other values, name them with --preprocess."
)

# A score below which a map of it says next to nothing; of softmax and sigmoid only.
FAINT = 0.01


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, 2 for unusable input, 130 when interrupted.

    `evaluate` returns 1 where some images could not be evaluated.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options) or 0
        sys.stdout.flush()
        return code
    except ExplainerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `list | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted; nothing was written.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m explainers", description="Heatmaps for image classifiers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the methods and their parameters")
    listing.add_argument(
        "--markdown", action="store_true", help="what kind of method each is, as a table"
    )
    listing.add_argument(
        "--metrics", action="store_true", help="the metrics of faithfulness instead, as a table"
    )
    listing.set_defaults(run=_list)

    explain = commands.add_parser(
        "explain",
        help="one heatmap of one image",
        epilog=EXAMPLE,
        formatter_class=_Help,
    )
    explain.add_argument("image", metavar="IMAGE", help="a photograph; cut and resized to fit")
    explain.add_argument("--model", required=True, metavar="M.keras", help="the Keras network")
    explain.add_argument("--method", required=True, metavar="NAME", help=", ".join(available()))
    target = explain.add_mutually_exclusive_group()
    target.add_argument(
        "--target",
        metavar="LABEL_OR_INDEX",
        help="what is explained; not needed where the method is class-agnostic",
    )
    target.add_argument(
        "--class-agnostic",
        action="store_true",
        help="the whole prediction: the sum of score times map over all labels",
    )
    explain.add_argument(
        "--labels", metavar="A,B,C or FILE", help="comma-separated, or a file with one per line"
    )
    explain.add_argument("--preprocess", metavar="NAME", help=HELP)
    explain.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the method"
    )
    explain.add_argument("--out", required=True, metavar="OVERLAY.png")
    explain.add_argument("--raw", metavar="MAP.npy", help="also the raw map, as numbers")
    explain.set_defaults(run=_explain)
    add_evaluate(commands, labels=_labels, setting=_setting)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    """Names such as mc-rise are not torn in two."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


def _list(options: argparse.Namespace) -> None:
    if options.metrics:
        print(_metrics_table())
        return
    if options.markdown:
        print(_table())
        return
    for name in available():
        found = method(name)
        needs = "; needs the network" if found.needs_network else ""
        print(f"{name}: {found.summary} ({found.family}{needs})")
        for key, default in parameters(name).items():
            print(f"    {key} = {default}")


def _table() -> str:
    """The methods in Markdown, with the columns of 000's Table 2."""
    lines = [
        "| method | what it computes | family | model-agnostic | class-agnostic "
        "| needs ground truth | hierarchical |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in available():
        found = method(name)
        kinds = (
            not found.needs_network,
            found.class_agnostic,
            found.needs_ground_truth,
            found.hierarchical,
        )
        marks = " | ".join("yes" if kind else "" for kind in kinds)
        lines.append(f"| `{name}` | {found.summary} | {found.family} | {marks} |")
    return "\n".join(lines)


def _metrics_table() -> str:
    """The metrics in Markdown: what each shows, and what it does not."""
    lines = [
        "| metric | judges the map of | better | range | shows | does not show | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in metrics.available():
        one = metrics.metric(name)
        judged = {"target": "one label", "prediction": "the whole prediction"}[one.map_of]
        span = f"{one.low:g} to {one.high:g}".replace("inf", "∞").replace("-", "−")
        lines.append(
            f"| `{name}` | {judged} | {one.better or 'neither'} | {span} | {one.shows} "
            f"| {one.does_not_show} | {one.source} |"
        )
    return "\n".join(lines)


def _explain(options: argparse.Namespace) -> None:
    out = _writable(options.out, ".png")
    raw = _writable(options.raw, ".npy") if options.raw else None
    found = method(options.method)
    if not (options.target is not None or options.class_agnostic or found.class_agnostic):
        raise ExplainerError(
            f"--target is missing: {options.method} explains one label; expected a label or an "
            "index, or --class-agnostic for the whole prediction."
        )
    chosen = dict(_setting(text) for text in options.set)
    labels = _labels(options.labels)
    photograph = read(options.image)  # before TensorFlow, which takes seconds
    classifier = Classifier.from_keras(
        options.model, labels=labels, preprocess=options.preprocess or "none"
    )
    explainer = create(options.method, classifier, **chosen)
    image = fitted(photograph, classifier.input_shape)
    target = _target(options.target, classifier)
    steps = explainer.iter_explain(image, target)
    if options.preprocess is None and not scales_pixels(classifier.model):
        print(NOT_PREPROCESSED, file=sys.stderr)
    _say_scores(classifier, image, None if found.class_agnostic else target)
    heatmap = _with_progress(steps)
    picture = overlay(image, above(explainer.support(heatmap), found.baseline))
    _write(picture, heatmap, out, raw)
    print(f"{out}" if raw is None else f"{out} {raw}")


def _say_scores(classifier: Classifier, image: NDArray[np.uint8], target: Target | None) -> None:
    """What is explained and the three highest labels; a caution where that is next to nothing."""
    scores = classifier.predict(image[np.newaxis], batch_size=1)[0]
    said = [f"{classifier.labels[at]} {scores[at]:.3g}" for at in np.argsort(-scores, stable=True)]
    if target is None or target is CLASS_AGNOSTIC:
        at, what = int(scores.argmax()), "the whole prediction"
    else:
        at = classifier.indices(target)[0]
        what = f"{classifier.labels[at]} {scores[at]:.3g}"
    print(f"explained: {what}; highest: {', '.join(said[:3])}")
    if scores[at] < FAINT and classifier.activation != "linear":
        print(
            f"caution: the network gives {classifier.labels[at]} a score of {scores[at]:.3g}, so "
            "the map explains next to nothing. Are label, image and --preprocess right?",
            file=sys.stderr,
        )


def _with_progress(steps: Iterator[Partial]) -> NDArray[np.float32]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("explaining", total=None)
        for step in steps:
            progress.update(task, completed=step.done, total=step.total)
        return step.heatmap


def _write(
    picture: NDArray[np.uint8], heatmap: NDArray[np.float32], out: Path, raw: Path | None
) -> None:
    """Both files or none: each is finished beside its place before it is moved there."""
    from PIL import Image

    drawn = Image.fromarray(picture)
    writers: list[tuple[Path, Callable[[Any], None]]] = [
        (out, lambda file: drawn.save(file, format="PNG"))
    ]
    if raw is not None:
        writers.append((raw, lambda file: np.save(file, heatmap)))
    with ExitStack() as undo:
        finished = []
        for path, write in writers:
            try:
                handle, name = tempfile.mkstemp(dir=path.parent, prefix=".explainers.")
                undo.callback(Path(name).unlink, missing_ok=True)
                with os.fdopen(handle, "wb") as file:
                    write(file)
                os.chmod(name, 0o666 & ~_umask())  # mkstemp's files are private
            except OSError as error:
                raise ExplainerError(f"{path} cannot be written: {error.strerror}.") from None
            finished.append((name, path))
        for name, path in finished:
            os.replace(name, path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _writable(text: str, suffix: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != suffix:
        raise ExplainerError(f"{path} is to be written; expected a name that ends in {suffix}.")
    if not os.path.isdir(path.parent):  # unlike Path.is_dir, also for a name too long to exist
        raise ExplainerError(f"There is no folder {path.parent} to write {path.name} into.")
    try:
        found = path.stat()
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:  # a name too long; one with a NUL
        reason = getattr(error, "strerror", error)
        raise ExplainerError(f"{text!r} cannot be written: {reason}.") from None
    if S_ISDIR(found.st_mode):
        raise ExplainerError(f"{path} is a folder; expected a file to write.")
    return path


def _labels(text: str | None) -> list[str] | None:
    if text is None:
        return None
    if os.path.isdir(text):
        raise ExplainerError(f"--labels {text} is a folder; expected a file with one per line.")
    if not os.path.isfile(text):  # unlike Path.is_file, also for a text too long for a file's name
        if _looks_like_a_file(text):
            raise ExplainerError(
                f"There is no file of labels {text}; expected one with a label per line, or the "
                "labels, comma-separated."
            )
        return [label.strip() for label in text.split(",")]
    try:
        lines = Path(text).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ExplainerError(f"{text} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ExplainerError(
            f"{text} cannot be read as a list of labels, one per line: it is no UTF-8 text; save "
            "it as UTF-8."
        ) from None
    return [line.strip() for line in lines if line.strip()]


def _looks_like_a_file(text: str) -> bool:
    """One name with a folder in it, or with an ending such as .txt."""
    return "," not in text and bool(re.search(r"[/\\]|\.\w+$", text.strip()))


def _target(text: str | None, classifier: Classifier) -> Target:
    if text is None:
        return CLASS_AGNOSTIC
    if text not in classifier.labels and re.fullmatch(r"-?\d+", text):
        digits = len(text.removeprefix("-"))
        if digits > 9:
            raise ExplainerError(
                f"--target is a number of {digits} digits; "
                f"the classifier has {len(classifier.labels)} outputs, from 0."
            )
        return int(text)
    return text


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ExplainerError(f"--set {text!r} is no setting; expected KEY=VALUE.")
    return key.strip(), _value(value.strip())


def _value(text: str) -> Any:
    """A number, true, false, None, a comma-separated list of these, or else the text."""
    if "," in text:  # a comma at the end makes a list of one
        return tuple(_value(part.strip()) for part in text.removesuffix(",").split(","))
    if text == "None":  # as `list` prints it; "none" is a name of its own (`offsets`)
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


if __name__ == "__main__":
    sys.exit(main())

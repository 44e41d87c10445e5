"""What is explained: a Keras network, or any function from images to scores.

A `Classifier` knows its labels and how pixels enter the network, and answers in one fixed batch
shape, so that TensorFlow traces each of its graphs once.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from explainers import head as heads
from explainers.errors import ExplainerError
from explainers.images import ANY_SHAPE, Shape, check_images
from explainers.loading import load_model, signature
from explainers.preprocessing import TensorFunction, preprocessing

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike, NDArray

Activation = Literal["softmax", "sigmoid", "linear"]
ImageFunction = Callable[["NDArray[np.float32]"], "ArrayLike"]


class _Whole(Enum):
    ALL = "all labels"
    CLASS_AGNOSTIC = "the whole prediction"


ALL: Final = _Whole.ALL
"""As a target: every label, in the classifier's order."""

CLASS_AGNOSTIC: Final = _Whole.CLASS_AGNOSTIC
"""As a target: the whole prediction; one map, see `Explainer.explain`."""

LARGEST_BATCH = 4096
_MOST_GRAPHS = 16  # images of many sizes need a graph each

Target = str | int | Sequence[str | int] | _Whole

Outputs: TypeAlias = "tuple[int, ...] | NDArray[np.floating]"
"""What a target stands for: outputs by index, or weighted sums of them, `(classes, sums)`."""


class Classifier:
    """An image classifier with named outputs; made by `from_keras` or `from_callable`.

    Attributes
    ----------
    labels: the names of the outputs, in order.
    thresholds: per label, the score from which on it counts as predicted.
    input_shape: (height, width, channels), None where the classifier takes any.
    model: the Keras network, or None for a black box.
    preprocess: name of the preprocessing between pixels 0..255 and the network.
    activation: the output's: "softmax", "sigmoid" or "linear" (anything else, and black boxes).
    """

    labels: tuple[str, ...]
    thresholds: dict[str, float]
    input_shape: Shape
    model: keras.Model | None
    preprocess: str
    activation: Activation

    def __init__(
        self, *, labels: Sequence[str], outputs: int | None, thresholds: Mapping[str, float] | None
    ) -> None:
        self.labels = _checked_labels(labels, outputs)
        self.input_shape = ANY_SHAPE
        self.model = None
        self.preprocess = "none"
        self.activation = "linear"
        self.thresholds = {}
        if thresholds is not None and not isinstance(thresholds, Mapping):
            raise ExplainerError(
                f"Thresholds come as a mapping from label to number, not as {thresholds!r}."
            )
        self._given_thresholds = dict(thresholds or {})
        self._function: ImageFunction | None = None
        self._prepare: TensorFunction | None = None
        self._graphs: dict[Any, Callable[..., Any]] = {}

    @classmethod
    def from_keras(
        cls,
        path_or_model: str | Path | keras.Model,
        *,
        labels: Sequence[str] | None,
        preprocess: str | TensorFunction = "none",
        thresholds: Mapping[str, float] | None = None,
    ) -> Classifier:
        """A Keras network with one image input and one `(N, classes)` output.

        labels: one name per output, in order; None numbers them "0", "1", ...
        preprocess: "none" (0..255 as is), "unit" (x / 255), "signed" (x / 127.5 - 1), "caffe"
        (BGR, ImageNet means subtracted), or a function from a float32 tensor `(N, H, W, C)` with
        values 0..255 to what the network takes.
        thresholds: per label; 0.5 where none is given (0 for linear outputs).

        Raises ExplainerError for a file that is no model, a model that is no image classifier,
        a number of labels other than the number of outputs, and duplicate labels.
        """
        model = load_model(path_or_model)
        shape, outputs = signature(model)
        names = [str(index) for index in range(outputs)] if labels is None else labels
        self = cls(labels=names, outputs=outputs, thresholds=thresholds)
        self.model = model
        self.input_shape = shape
        self.preprocess, self._prepare = preprocessing(preprocess, channels=shape[2])
        self.activation = heads.find(model).activation
        self._set_thresholds()
        return self

    @classmethod
    def from_callable(
        cls,
        function: ImageFunction,
        *,
        labels: Sequence[str],
        input_shape: Shape | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> Classifier:
        """A black box: `function` takes `(N, H, W, C)` float32 0..255, returns `(N, classes)`.

        It serves the model-agnostic methods only; see `require_network`.
        """
        if not callable(function):
            raise ExplainerError(f"A black-box classifier is a function, not {function!r}.")
        self = cls(labels=labels, outputs=None, thresholds=thresholds)
        self._function = function
        if input_shape is not None:
            self.input_shape = _checked_shape(input_shape)
        self._set_thresholds(default=0.5)
        return self

    # -- scores ------------------------------------------------------------------------------

    def predict(self, images: ArrayLike, batch_size: int = 64) -> NDArray[np.float32]:
        """Scores after softmax or sigmoid, float32 `(N, classes)`, of images `(N, H, W, C)`."""
        call = self._call_function if self.model is None else self._run("probabilities")
        return self._in_batches(call, images, batch_size)

    def logits(self, images: ArrayLike, batch_size: int = 64) -> NDArray[np.float32]:
        """Scores before softmax or sigmoid, float32 `(N, classes)`; needs the network."""
        self.require_network("The score before softmax or sigmoid")
        return self._in_batches(self._run("logits"), images, batch_size)

    def embed(self, images: ArrayLike, batch_size: int = 64) -> NDArray[np.float32]:
        """What enters the last layer with weights, float32 `(N, features)`; needs the network.

        Where that still has a height and a width, its mean over them.
        """
        self.require_network("The penultimate activation")
        return self._in_batches(self._run("features"), images, batch_size)

    def score(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        """One batch through a black box, in the function's own precision; checked."""
        if self._function is None:
            raise ExplainerError("Only a black box is called directly; use predict or graph.")
        return self._call_function(batch)

    # -- targets -----------------------------------------------------------------------------

    def index(self, target: str | int) -> int:
        """The output that a label or an index names."""
        if isinstance(target, str):
            if target not in self.labels:
                raise ExplainerError(
                    f"The classifier has no label {target!r}; it has {', '.join(self.labels)}."
                )
            return self.labels.index(target)
        if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
            if not 0 <= target < len(self.labels):
                raise ExplainerError(
                    f"There is no output {target}; the classifier has {len(self.labels)}, from 0."
                )
            return int(target)
        if isinstance(target, _Whole):
            raise ExplainerError(
                f"{target.name} stands for {target.value} and is a target by itself; expected it "
                "alone, or a sequence of labels and indices without it."
            )
        raise ExplainerError(f"A target is a label or an index, not {target!r}.")

    def indices(self, target: Target) -> tuple[int, ...]:
        """The outputs that a label, an index, a sequence of them, or ALL names.

        CLASS_AGNOSTIC needs every output too.
        """
        if target is ALL or target is CLASS_AGNOSTIC:
            return tuple(range(len(self.labels)))
        if is_single(target):
            return (self.index(target),)  # type: ignore[arg-type]
        try:
            found = tuple(self.index(one) for one in target)  # type: ignore[union-attr]
        except TypeError:
            raise ExplainerError(f"A target is a label or an index, not {target!r}.") from None
        if not found:
            raise ExplainerError("The sequence of targets is empty; expected at least one.")
        return found

    # -- the network's inside -----------------------------------------------------------------

    def require_network(self, what: str) -> keras.Model:
        """The Keras model; for a black box, an ExplainerError that says `what` needs it."""
        if self.model is None:
            raise ExplainerError(
                f"{what} needs the network itself; this classifier is a black box "
                "(made from a function). Use Classifier.from_keras."
            )
        return self.model

    def prepare(self, images: Any) -> Any:
        """Preprocess a float32 tensor `(N, H, W, C)`, 0..255; usable inside a TensorFlow graph."""
        self.require_network("Preprocessing")
        assert self._prepare is not None
        return self._prepare(images)

    def graph(self) -> Callable[[Any], Any]:
        """The TensorFlow function from images 0..255 `(N, H, W, C)` to scores `(N, classes)`."""
        self.require_network("The TensorFlow graph")
        return self._graph("probabilities")

    def cached_graph(self, key: Any, build: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """A graph kept with the classifier, so that it is traced once; the oldest go first."""
        if key not in self._graphs:
            while len(self._graphs) >= _MOST_GRAPHS:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = build()
        return self._graphs[key]

    def fingerprint(self) -> str:
        """SHA-256 (hex) of architecture, weights and preprocessing; needs the network.

        A preprocessing given as a function is known by its name only.
        """
        model = self.require_network("A fingerprint")
        config = json.loads(model.to_json())
        architecture = {key: config.get(key) for key in ("class_name", "config")}
        digest = hashlib.sha256(json.dumps(architecture, sort_keys=True).encode())
        digest.update(self.preprocess.encode())
        for weights in model.get_weights():
            digest.update(f"{weights.dtype}{weights.shape}".encode())
            digest.update(np.ascontiguousarray(weights).tobytes())
        return digest.hexdigest()

    # -- inside -------------------------------------------------------------------------------

    def _set_thresholds(self, default: float | None = None) -> None:
        if default is None:
            default = 0.0 if self.activation == "linear" else 0.5
        unknown = [label for label in self._given_thresholds if label not in self.labels]
        if unknown:
            raise ExplainerError(
                f"There is a threshold for {unknown[0]!r}, which is no label of the classifier; "
                f"it has {', '.join(self.labels)}."
            )
        for label in self.labels:
            value = self._given_thresholds.get(label, default)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
                raise ExplainerError(f"The threshold of {label!r} is {value!r}, no number.")
            if not abs(value) <= sys.float_info.max:  # NaN fails too
                raise ExplainerError(f"The threshold of {label!r} is {value}; expected a number.")
            self.thresholds[label] = float(value)

    def _graph(self, kind: str) -> Callable[[Any], Any]:
        import tensorflow as tf

        def build() -> Callable[[Any], Any]:
            model = self.require_network(kind)
            function = heads.function(model, kind)

            def forward(images: Any) -> Any:
                assert self._prepare is not None
                return tf.cast(function(self._prepare(images)), tf.float32)

            # A free batch dimension: one trace serves every batch size.
            spec = tf.TensorSpec((None, *self.input_shape), tf.float32)
            return tf.function(forward).get_concrete_function(spec)

        return self.cached_graph(kind, build)

    def _run(self, kind: str) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
        import tensorflow as tf

        graph = self._graph(kind)
        return lambda batch: check_finite(graph(tf.constant(batch)).numpy(), "scores")

    def _call_function(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        assert self._function is not None
        scores = np.array(self._function(batch))  # a copy: it may be the function's own buffer
        expected = (len(batch), len(self.labels))
        if scores.shape != expected or scores.dtype.kind not in "uifb":
            raise ExplainerError(
                f"The classifier's function returned {scores.dtype} {scores.shape} for "
                f"{len(batch)} images and {len(self.labels)} labels; expected numbers {expected}."
            )
        if not np.isfinite(scores).all():
            raise ExplainerError("The classifier's function returned scores that are not finite.")
        return scores

    def _in_batches(
        self,
        call: Callable[[NDArray[np.float32]], NDArray[Any]],
        images: ArrayLike,
        batch_size: int,
    ) -> NDArray[np.float32]:
        size = check_batch_size(batch_size)
        stack = check_images(images, self.input_shape)
        parts = [call(batch)[:used] for batch, used in _fixed_batches(stack, size)]
        return np.concatenate(parts).astype(np.float32, copy=False)


def is_single(target: Target) -> bool:
    """Whether the target is one label or index, so that its map has no leading axis."""
    return isinstance(target, (str, int, np.integer))


def check_finite(values: NDArray[Any], what: str) -> NDArray[Any]:
    """The values a network gave; ExplainerError where they are NaN or infinite."""
    if not np.isfinite(values).all():
        raise ExplainerError(
            f"The network gives {what} that are NaN or infinite; its weights or its preprocessing "
            "are broken, or an image has values it was not made for."
        )
    return values


def check_batch_size(batch_size: int) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)):
        raise ExplainerError(f"The batch size is {batch_size!r}; expected a whole number.")
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise ExplainerError(f"The batch size is {batch_size}; expected 1 to {LARGEST_BATCH}.")
    return int(batch_size)


def _fixed_batches(stack: NDArray[Any], size: int) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Batches of one shape (the tail padded with zeros) and how many images of each count."""
    size = min(size, len(stack))
    for start in range(0, len(stack), size):
        part = stack[start : start + size].astype(np.float32)
        used = len(part)
        if used < size:
            part = np.concatenate([part, np.zeros((size - used, *part.shape[1:]), np.float32)])
        yield part, used


def _checked_labels(labels: Sequence[str], outputs: int | None) -> tuple[str, ...]:
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ExplainerError(f"Labels come as a sequence of names, not as {labels!r}.")
    found = tuple(labels)
    if not found or not all(isinstance(label, str) and label.strip() for label in found):
        raise ExplainerError(f"Labels are {found!r}; expected one non-empty name per output.")
    twice = sorted({label for label in found if found.count(label) > 1})
    if twice:
        raise ExplainerError(f"The label {twice[0]!r} is given more than once.")
    if outputs is not None and len(found) != outputs:
        raise ExplainerError(f"{len(found)} labels are given for a network with {outputs} outputs.")
    return found


def _checked_shape(shape: Shape) -> Shape:
    sizes = tuple(shape) if isinstance(shape, Iterable) else ()
    if len(sizes) != 3 or any(
        size is not None and (not isinstance(size, (int, np.integer)) or size < 1) for size in sizes
    ):
        raise ExplainerError(
            f"The input shape is {shape!r}; expected (height, width, channels), None where free."
        )
    return sizes

"""Forms for images and classifiers. What a name may be and what a file holds, services check."""

from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from studyplatform.stimuli import materials
from studyplatform.stimuli.models import ImageSet, TrainedClassifier
from studyplatform.stimuli.services import PREPROCESSINGS, FineTuning, server_folders
from studyplatform.studies.models import Team

VGG16, FILE, CLASSIFIER = "vgg16", "file", "classifier"
_NAME_HELP = "Up to 40 lowercase letters, digits, - and _, a letter first: specs use this name."


def _offer(form: forms.Form, name: str, rows: QuerySet) -> None:
    cast(forms.ModelChoiceField, form.fields[name]).queryset = rows


class _Named(forms.Form):
    """A form for something with a name."""

    name = forms.CharField(
        max_length=40,
        help_text=_NAME_HELP,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Give it a name."},
    )


class ImportForm(_Named):
    """Where photographs come from, and how large the network wants them."""

    file = forms.FileField(
        label="A zip file",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".zip"}),
        help_text="Of a PASCAL VOC tree, or of a folder that holds a folder of images per label.",
    )
    folder = forms.ChoiceField(label="Or a folder on the server", required=False)
    size = forms.IntegerField(
        label="Side of the network's input, in pixels",
        initial=224,
        min_value=16,
        max_value=1024,
        help_text="224 for VGG16 and most others. Images are cropped to a square of this size.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folders = server_folders()
        if folders:
            choices = [("", "none"), *((one, one) for one in folders)]
            cast(forms.ChoiceField, self.fields["folder"]).choices = choices
        else:
            del self.fields["folder"]


class _ClassifierForm(_Named):
    preprocess = forms.ChoiceField(
        label="How it takes pixels",
        choices=list(PREPROCESSINGS.items()),
        initial="signed",
        required=False,
    )

    def clean_preprocess(self) -> str:
        return self.cleaned_data["preprocess"] or "signed"


class TrainForm(_ClassifierForm):
    """What a new classifier learns from, what it begins with, and how it is trained."""

    images = forms.ModelChoiceField(
        ImageSet.objects.none(),
        label="Images",
        empty_label=None,
        error_messages={"required": "Choose the images to learn from."},
    )
    labels = forms.CharField(
        label="Labels",
        required=False,
        help_text="Separated by commas; all that can be learned from the images, if left empty.",
    )
    start = forms.ChoiceField(
        label="Begin with",
        choices=[
            (VGG16, "VGG16 with ImageNet weights, as in the study"),
            (FILE, "A backbone of my own: a .keras file"),
            (CLASSIFIER, "The layers of a classifier that is here"),
        ],
        initial=VGG16,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label="Keras file",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".keras"}),
        help_text="A convolutional network; what comes after its last plane of features is left "
        "out.",
    )
    classifier = forms.ModelChoiceField(
        TrainedClassifier.objects.none(), label="Classifier", required=False, empty_label="none"
    )
    tune = forms.BooleanField(
        label="Train the last layers further (fine-tuning)",
        required=False,
        help_text="Takes much longer; without it only a new last layer is fitted.",
    )
    layers = forms.IntegerField(
        label="How many of the last layers",
        initial=FineTuning.layers,
        min_value=1,
        max_value=100,
        required=False,
        help_text="3 is the last block of VGG16.",
    )
    epochs = forms.IntegerField(
        label="Epochs", initial=FineTuning.epochs, min_value=1, max_value=200, required=False
    )
    learning_rate = forms.FloatField(
        label="Learning rate",
        initial=f"{FineTuning.learning_rate:g}",
        min_value=1e-9,
        max_value=1,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, "images", materials.image_sets_of(team))
        _offer(self, "classifier", materials.classifiers_of(team))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        start = given.get("start")
        if start == FILE and not given.get("file"):
            self.add_error("file", "Choose the backbone's file.")
        if start == CLASSIFIER and not given.get("classifier"):
            self.add_error("classifier", "Choose the classifier to begin with.")
        return given

    def request(self) -> dict[str, Any]:
        """Return what the service is asked for; the source that was not chosen is left out."""
        given = self.cleaned_data
        start = given["start"]
        return {
            "name": given["name"],
            "image_set": given["images"],
            "labels": [one.strip() for one in given["labels"].split(",") if one.strip()],
            "file": given["file"] if start == FILE else None,
            "classifier": given["classifier"] if start == CLASSIFIER else None,
            "preprocess": given["preprocess"],
            "tuning": self._tuning() if given["tune"] else None,
        }

    def _tuning(self) -> FineTuning:
        names = ("layers", "epochs", "learning_rate")
        chosen = {name: self.cleaned_data[name] for name in names}
        return FineTuning(**{name: one for name, one in chosen.items() if one is not None})


class RegisterForm(_ClassifierForm):
    """A finished network and what its outputs mean."""

    file = forms.FileField(
        label="Keras file",
        widget=forms.FileInput(attrs={"accept": ".keras"}),
        error_messages={"required": "Choose the network's file."},
    )
    labels = forms.CharField(
        label="Labels",
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="One per line, in the order of the network's outputs.",
        error_messages={"required": "Give the labels, one per line."},
    )
    images = forms.ModelChoiceField(
        ImageSet.objects.none(),
        label="Judge it on",
        required=False,
        empty_label="no images",
        help_text="Gives its average precision per label. The images must have its input's size.",
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self, "images", materials.image_sets_of(team))

    def request(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "name": given["name"],
            "file": given["file"],
            "labels": [one.strip() for one in given["labels"].splitlines() if one.strip()],
            "preprocess": given["preprocess"],
            "image_set": given["images"],
        }

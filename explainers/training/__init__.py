"""Fitting classifiers and judging them: heads, fine-tuning, average precision, thresholds."""

from explainers.training.backbones import backbone_of, vgg16
from explainers.training.fine_tuning import EPOCHS, LAYERS, LEARNING_RATE, fine_tune
from explainers.training.fitting import save_model, train_head
from explainers.training.judging import average_precision, best_f1_threshold

__all__ = [
    "EPOCHS",
    "LAYERS",
    "LEARNING_RATE",
    "average_precision",
    "backbone_of",
    "best_f1_threshold",
    "fine_tune",
    "save_model",
    "train_head",
    "vgg16",
]

"""What a study is: one YAML file, checked here before anything is made from it.

`Spec.model_json_schema()` is the schema for editors; `load` turns a file's text into a Spec or
raises SpecError, whose lines each name the path in the file and what was expected.
"""

from .parts import (
    AnalysisPlan,
    Code,
    Consent,
    Contact,
    ExclusionRule,
    Exit,
    Exits,
    Factor,
    Figure,
    HeatmapMethod,
    Hypothesis,
    InstructionPage,
    Meaning,
    Option,
    Outcome,
    Part,
    Question,
    Recruitment,
    Screening,
    ScreeningItem,
    Stimuli,
    Tasks,
)
from .pay import BonusStep, Pay
from .reading import SpecError, from_data, load
from .study import Spec
from .translation import Translation

__all__ = [
    "AnalysisPlan",
    "BonusStep",
    "Code",
    "Consent",
    "Contact",
    "ExclusionRule",
    "Exit",
    "Exits",
    "Factor",
    "Figure",
    "HeatmapMethod",
    "Hypothesis",
    "InstructionPage",
    "Meaning",
    "Option",
    "Outcome",
    "Part",
    "Pay",
    "Question",
    "Recruitment",
    "Screening",
    "ScreeningItem",
    "Spec",
    "SpecError",
    "Stimuli",
    "Tasks",
    "Translation",
    "from_data",
    "load",
]

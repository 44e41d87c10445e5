"""Names in braces that a study's texts may use; what they stand for, `participation` fills in."""

import re

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
STUDY_PLACEHOLDERS = (
    "labels", "n_labels", "n_tasks", "examples_per_task",
    "base", "bonus", "bonus_steps", "maximum", "minutes",
)  # fmt: skip
TASK_PLACEHOLDERS = ("label", *STUDY_PLACEHOLDERS)


def placeholders_in(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text))


def listed(names: tuple[str, ...] | set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)

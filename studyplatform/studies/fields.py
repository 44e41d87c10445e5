"""Columns that Django does not bring."""

import json
from typing import Any

from django.db import models


class OrderedJSONField(models.TextField):  # type: ignore[type-arg]
    """Plain data kept as JSON text, mappings in the order given, on every database.

    PostgreSQL's jsonb sorts the keys of mappings; the order of factors and labels in a spec counts.
    """

    # What attributes of models take and give, for the type checker.
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else json.dumps(value, ensure_ascii=False)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return value if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

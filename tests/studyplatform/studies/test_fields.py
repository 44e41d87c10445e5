"""Plain data comes back as it went in, on every database (test_postgresql.py runs this too)."""

import pytest

from studyplatform.studies.models import Study, StudyVersion, Team


@pytest.mark.django_db
def test_mappings_keep_their_order():
    """By length and letter, as jsonb would have it, "scores" comes before "heatmap"."""
    study = Study.objects.create(team=Team.objects.create(name="t"), slug="s")
    data = {"heatmap": ["none"], "scores": [1.5, None, True, "ü\n"], "a": {"z": 1, "b": {}}}
    version = StudyVersion.objects.create(study=study, number=1, data=data)
    version.refresh_from_db()
    assert version.data == data
    assert list(version.data) == ["heatmap", "scores", "a"]
    assert list(version.data["a"]) == ["z", "b"]

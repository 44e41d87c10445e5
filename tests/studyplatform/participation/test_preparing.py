"""Whoever comes before the heatmaps are rendered waits on a page that looks again by itself."""

from django.test import Client

from studyplatform.stimuli.models import NeededHeatmap

from .study import make_study


def test_the_page_tells_how_far_it_is_and_keeps_the_address(client: Client) -> None:
    version = make_study(publish=False)
    rows = list(NeededHeatmap.objects.values_list("pk", flat=True))
    NeededHeatmap.objects.filter(pk__in=rows[: len(rows) // 4]).update(overlay_sha256="")
    response = client.get("/s/trial/?PROLIFIC_PID=abc")
    assert response.status_code == 200
    assert b"75 % are done" in response.content
    # No address in it: the browser asks for the same one again, parameters and all.
    assert response["Refresh"] == "5"
    assert response["Cache-Control"] == "no-store"
    assert version.study.sessions.count() == 0


def test_a_draft_without_stimuli_has_not_begun(client: Client) -> None:
    make_study(publish=False)
    NeededHeatmap.objects.all().delete()
    response = client.get("/s/trial/?PROLIFIC_PID=abc")
    assert b"has not begun yet" in response.content
    assert "Refresh" not in response

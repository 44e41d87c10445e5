"""A page costs a fixed and small number of queries, whichever task it is."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studyplatform.participation import services
from studyplatform.studies.models import StudyVersion

from .walker import entered, read, walk


@pytest.mark.parametrize(
    "condition", ["heatmap-none_scores-hidden", "heatmap-multiscale_scores-shown"]
)
def test_a_task_costs_a_fixed_number_of_queries(
    client: Client, version: StudyVersion, condition: str
) -> None:
    link = services.entry_link(version.study, "preview", condition)
    address = walk(client, client.get(link)["Location"], until="task/1")[-1]
    got, posted, loaded = set(), set(), set()
    for _ in range(3):
        with CaptureQueriesContext(
            connection,
        ) as first:
            page = client.get(address)
        with CaptureQueriesContext(connection) as reloaded:
            client.get(address)
        data = read(page).filled()
        data["client"] = '{"on_page_ms": 1000}'
        with CaptureQueriesContext(connection) as post:
            address = client.post(address, data)["Location"]
        got.add(len(first))
        loaded.add(len(reloaded))
        posted.add(len(post))

    assert (len(got), len(loaded), len(posted)) == (1, 1, 1)
    assert max(got) <= 8
    assert max(loaded) < max(got) + 1
    assert max(posted) <= 12


def test_feedback_costs_the_same_for_any_number_of_tasks(
    client: Client, version: StudyVersion
) -> None:
    from .study import make_study, spec_data

    costs = []
    longer = spec_data(slug="longer")
    longer["tasks"] = {**longer["tasks"], "new_images": {"cat": {"TP": 5, "FN": 4}}}
    make_study(longer)
    for slug in ("trial", "longer"):
        walk(client, entered(client, slug)["Location"], until="feedback")
        client.get(f"/s/{slug}/feedback/")
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/s/{slug}/feedback/")
        costs.append(len(queries))
    assert costs[0] == costs[1] <= 6

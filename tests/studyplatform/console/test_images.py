"""The pages of image sets: what they show to whom, and the door for what is uploaded."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from studyplatform.console.views.images import image_import
from studyplatform.stimuli import media
from studyplatform.stimuli.models import Image, ImageSet, Job
from studyplatform.stimuli.services import jobs
from studyplatform.studies.models import Team
from studyplatform.studies.services import team_get_or_create

from ..stimuli.photographs import by_label, zipped
from .test_pages import text

LIST_QUERIES = 5
SET_QUERIES = 5


@pytest.fixture
def team(db: None) -> Team:
    return team_get_or_create(name="Alice's team")


def make_set(name: str, team: Team | None, images: int = 2, **values: Any) -> ImageSet:
    image_set = ImageSet.objects.create(
        name=name, team=team, labels=["cat", "horse"], size=8, **values
    )
    Image.objects.bulk_create(
        Image(
            image_set=image_set,
            name=f"{number:03}",
            split="val" if number % 2 else "train",
            labels=["cat"] if number % 2 else ["horse"],
            sha256=f"{number:064}",
            display_sha256=f"{number:064}",
            display_size=8,
        )
        for number in range(images)
    )
    return image_set


def import_address(team: Team) -> str:
    return f"/console/teams/{team.pk}/images/import/"


@pytest.fixture
def photos(tmp_path: Path, media_root: Path) -> SimpleUploadedFile:
    content = zipped(tmp_path / "a.zip", by_label()).read_bytes()
    return SimpleUploadedFile("photos.zip", content)


@pytest.mark.parametrize("n", [1, 3])
def test_the_list_costs_the_same_however_many_sets(
    alice: Client, team: Team, n: int, django_assert_num_queries: DjangoAssertNumQueries
):
    for i in range(n):
        make_set(f"set-{i}", team, images=n)
        Job.objects.create(team=team, kind="import", subject=f"set-{i}")
    with django_assert_num_queries(LIST_QUERIES):
        page = text(alice, "/console/images/")
    assert page.count("Waiting for a worker") == n
    assert page.count('scope="row"') == n


@pytest.mark.parametrize("n", [1, 3])
def test_a_sets_page_costs_the_same_however_many_images(
    alice: Client, team: Team, n: int, django_assert_num_queries: DjangoAssertNumQueries
):
    image_set = make_set("photos", team, images=n)
    with django_assert_num_queries(SET_QUERIES):
        page = text(alice, f"/console/images/{image_set.pk}/")
    assert page.count("<img") == n


def test_pictures_are_paged_and_chosen_by_label_and_split(alice: Client, team: Team):
    image_set = make_set("photos", team, images=100, origin={"split": "drawn", "left_out": 1})
    address = f"/console/images/{image_set.pk}/"
    page = text(alice, address)
    assert page.count("<img") == 48
    assert "Page 1 of 3" in page
    assert "half of each label's images were drawn" in page
    assert "1 had the same pixels as another and was left out" in page
    assert text(alice, f"{address}?page=3").count("<img") == 4
    page = text(alice, f"{address}?label=cat&split=val&page=2")
    assert page.count("<img") == 2
    assert "?label=cat&amp;split=val&amp;page=1" in page
    assert "There is no such image" in text(alice, f"{address}?label=cat&split=train")
    assert text(alice, f"{address}?page=nonsense").count("<img") == 48


def test_everybody_sees_shared_sets_and_nobody_those_of_other_teams(
    alice: Client, bob: Client, charlie: Client, team: Team
):
    own, shared = make_set("own", team), make_set("shared", None)
    for visitor, status in ((alice, 200), (bob, 200), (charlie, 404)):
        assert visitor.get(f"/console/images/{own.pk}/").status_code == status
        assert visitor.get(f"/console/images/{shared.pk}/").status_code == 200
        assert (">own<" in text(visitor, "/console/images/")) == (status == 200)


def test_jobs_of_other_teams_are_not_shown(alice: Client, charlie: Client, team: Team):
    Job.objects.create(team=team, kind="import", subject="secret photos")
    assert "secret photos" in text(alice, "/console/images/")
    assert "secret photos" not in text(charlie, "/console/images/")


def test_a_zip_file_is_imported(alice: Client, team: Team, photos: SimpleUploadedFile):
    page = alice.post(
        import_address(team), {"name": "photos", "file": photos, "size": 32}, follow=True
    ).content.decode()
    assert "photos is being imported." in page
    job = Job.objects.get()
    assert (job.team, job.kind, job.requested_by.username) == (team, "import", "alice")
    assert jobs.job_run(job_id=job.pk)
    image_set = ImageSet.objects.get()
    assert "drawn for validation" in text(alice, f"/console/images/{image_set.pk}/")


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    alice: Client, team: Team, photos: SimpleUploadedFile
):
    address = import_address(team)
    page = alice.post(address, {"name": "My Photos", "file": photos, "size": 32}).content.decode()
    assert "The name is &#x27;My Photos&#x27;; expected up to 40 lowercase" in page
    assert 'value="My Photos"' in page
    page = alice.post(address, {"name": "photos", "size": 5000}).content.decode()
    assert "less than or equal to 1024" in page
    page = alice.post(address, {"name": "photos", "size": 32}).content.decode()
    assert "Choose a zip file, or a folder on the server" in page
    text_file = SimpleUploadedFile("photos.zip", b"no zip")
    page = alice.post(address, {"name": "photos", "file": text_file, "size": 32}).content.decode()
    assert "photos.zip is no zip file" in page
    assert not Job.objects.exists()


def test_only_those_who_may_change_import(
    bob: Client, charlie: Client, client: Client, team: Team, photos: SimpleUploadedFile
):
    form = {"name": "photos", "file": photos, "size": 32}
    for visitor, status in ((bob, 403), (charlie, 404), (client, 302)):
        assert visitor.post(import_address(team), form).status_code == status
        assert visitor.get(import_address(team)).status_code == status
    assert "Import images" not in text(bob, "/console/images/")
    assert not Job.objects.exists()
    assert not list(media.upload_path("x").parent.glob("*"))


class Body(io.BytesIO):
    """A request's body that knows whether it was read."""

    was_read = False

    def read(self, size: int | None = -1) -> bytes:
        self.was_read = True
        return super().read(size)


def send(client: Client, address: str, body: Body) -> int:
    """Post a form with a file of 5 MB, without the form's token."""
    visitor = Client(enforce_csrf_checks=True)
    visitor.cookies = client.cookies
    visitor.cookies["csrftoken"] = "a" * 32
    response = visitor.request(
        PATH_INFO=address,
        REQUEST_METHOD="POST",
        CONTENT_TYPE="multipart/form-data; boundary=XX",
        CONTENT_LENGTH=str(len(body.getvalue())),
        **{"wsgi.input": body},
    )
    return int(response.status_code)


@pytest.fixture
def large() -> Body:
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    return Body(head + b"x" * 5_000_000 + b"\r\n--XX--\r\n")


@pytest.mark.parametrize("who", ["bob", "charlie", "client"])
def test_a_large_file_of_somebody_who_may_not_is_not_even_read(
    request: pytest.FixtureRequest, team: Team, large: Body, who: str
):
    visitor = request.getfixturevalue(who)
    assert send(visitor, import_address(team), large) in {302, 403, 404}
    assert not large.was_read


def test_if_the_token_were_asked_for_first_it_would_be_read(
    bob: Client, team: Team, large: Body, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above."""
    monkeypatch.setattr(image_import, "csrf_exempt", False)
    assert send(bob, import_address(team), large) == 403
    assert large.was_read


def test_without_its_token_a_form_is_refused_whoever_sends_it(
    alice: Client, team: Team, large: Body
):
    """The counterpart: hers is read, and then refused, for the token is in it."""
    assert send(alice, import_address(team), large) == 403
    assert large.was_read
    assert not Job.objects.exists()


def test_a_file_larger_than_allowed_is_refused_unread(
    alice: Client, team: Team, large: Body, settings: Any
):
    settings.UPLOAD_MAX_SIZE = 4_000_000
    assert send(alice, import_address(team), large) == 413
    assert not large.was_read


def test_elsewhere_nothing_large_is_taken(alice: Client, team: Team, large: Body):
    assert send(alice, "/console/images/", large) == 413
    assert not large.was_read


def test_folders_of_the_server_are_offered_where_the_administrator_allows_it(
    alice: Client, team: Team, settings: Any, tmp_path: Path, media_root: Path
):
    assert "Or a folder on the server" not in text(alice, import_address(team))
    (tmp_path / "offered" / "animals").mkdir(parents=True)
    settings.IMPORT_ROOT = str(tmp_path / "offered")
    assert '<option value="animals">animals</option>' in text(alice, import_address(team))
    alice.post(import_address(team), {"name": "a", "folder": "animals", "size": 32})
    assert Job.objects.get().parameters["folder"] == "animals"
    page = alice.post(import_address(team), {"name": "b", "folder": "..", "size": 32})
    assert b"is not one of the available choices" in page.content

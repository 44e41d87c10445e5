"""Simulated participants walk a live site to the code; their data are complete and balanced."""

import csv
import json
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from studyplatform.identities.models import Identity
from studyplatform.identities.services import person_reveal
from studyplatform.operations import processes
from studyplatform.participation.models import Answer, Reward, Session
from studyplatform.results.services import study_export

from ..participation.study import make_study

pytestmark = pytest.mark.django_db(transaction=True)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_twelve_bots_give_twelve_complete_and_balanced_data_sets(
    live_server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = make_study()
    call_command(
        "simulate_participants", "trial", participants=12, seed=4, url=live_server.url,
        effect=["heatmap=multiscale:+0.2"], codes_out=tmp_path / "codes.csv", concurrency=4,
    )  # fmt: skip
    told = capsys.readouterr().out
    assert "12 of 12 reached their code" in told
    earned = [reward.base + reward.bonus for reward in Reward.objects.all()]
    assert (
        f"They earned {min(earned):.2f} to {max(earned):.2f} GBP; all right would earn 10.00."
        in told
    )
    sessions = Session.objects.all()
    assert {session.source for session in sessions} == {"bot"}
    assert {session.status for session in sessions} == {"completed"}
    cells = Counter((session.condition_id, *session.block_order) for session in sessions)
    assert len(cells) == 12, "six conditions, two block orders, each once"
    assert Answer.objects.filter(task__isnull=False).count() == 12 * version.spec.tasks.total

    study_export(study=version.study, source="bot", out_dir=tmp_path / "out")
    people = rows(tmp_path / "out" / "participants.csv")
    answers = rows(tmp_path / "out" / "answers.csv")
    assert {row["n_tasks"] for row in people} == {"4"}
    assert Counter(row["participant_id"] for row in answers) == {
        row["participant_id"]: 4 for row in people
    }
    assert all(row["predicted"] and row["confidence"] and row["sensitive"] for row in answers)
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["simulated"] is True

    # The codes are those of the texts that were typed, under the ids of the export.
    texts = {(row["participant_id"], row["task"]): row["sensitive"] for row in answers}
    codes = rows(tmp_path / "codes.csv")
    assert {(row["participant_id"], row["task"]) for row in codes} == set(texts)
    assert all(row["code"] in texts[row["participant_id"], row["task"]] for row in codes)

    # They came with panel ids, as people do; the export knows none of them.
    exported = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    panel_ids = [person_reveal(identity=identity) for identity in Identity.objects.all()]
    assert len(panel_ids) == 12
    assert not any(panel_id.encode() in exported for panel_id in panel_ids)


def test_bots_who_reach_no_code_are_a_failure(live_server: Any) -> None:
    version = make_study()
    version.study.state = "paused"
    version.study.save()
    with pytest.raises(CommandError, match="1 simulated participants did not reach a code"):
        call_command("simulate_participants", "trial", participants=1, url=live_server.url)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"study": "nope"}, "no published study 'nope'"),
        ({"participants": 0}, "at least 1"),
        ({"effect": ["heatmap=cam:+0.1"]}, "no level 'cam'"),
        ({"language": "de"}, "'trial' is not in the language 'de'; there are: en."),
        ({"url": "localhost"}, "is no address"),
        ({"url": "http://[bad"}, "is no address"),
        ({"url": "http://localhost:99999"}, "is no address"),
        ({"url": "http://localhost:web"}, "is no address"),
        ({"url": "http://.:80"}, "is no address"),
        ({"url": "http://a b"}, "is no address"),
        ({"url": "http://:8000"}, "is no address"),
        ({"url": "http://127.0.0.1:9"}, "Nobody answers"),
        ({"codes_out": Path("missing/codes.csv")}, "cannot be written: No such file or directory"),
        ({"codes_out": Path("file/codes.csv")}, "cannot be written: Not a directory"),
        ({"codes_out": Path("x" * 300)}, "cannot be written: File name too long"),
        ({"codes_out": Path("a\0b")}, "without a NUL"),
        ({"codes_out": Path(".")}, "is no file"),
    ],
)
def test_wrong_calls_are_told(
    arguments: dict[str, Any], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody walks: the address, where nobody answers, is asked last."""
    make_study()
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    given = {"study": "trial", "participants": 1, "url": "http://127.0.0.1:9"} | arguments
    with pytest.raises(CommandError, match=problem):
        call_command("simulate_participants", given.pop("study"), **given)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_who_speaks_no_http_is_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as caller:
                caller.recv(1000)
                caller.sendall(b"SSH-2.0-server\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert not processes.answers(f"http://127.0.0.1:{server.getsockname()[1]}/healthz")
        thread.join()

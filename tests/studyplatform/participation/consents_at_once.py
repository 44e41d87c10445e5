"""24 participants consent at the same moment; prints slot -> participants as JSON.

Run in a process of its own by test_assignment.py, on whatever database DATABASE_URL names.
`--unlocked` takes the lock away (on SQLite the transaction, which is the lock there) and holds
every thread until all have read the counts: what happens then is the race it prevents.
"""

import contextlib
import json
import os
import sys
import threading
from collections import Counter
from unittest import mock

import django

N = 24


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studyplatform.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    from studyplatform.participation.models import Assignment

    from .study import make_study
    from .walker import entered, read, walk

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    make_study()
    prepared = []
    for n in range(N):
        client = Client(raise_request_exception=False)
        consent = walk(client, entered(client, person=f"p{n}")["Location"], until="consent")[-1]
        prepared.append((client, consent, read(client.get(consent)).filled()))

    with contextlib.ExitStack() as stack:
        if "--unlocked" in sys.argv:
            _unlock(stack)
        _together(prepared)
    rows = Assignment.objects.values_list("condition__key", "block_order")
    print(json.dumps(Counter(f"{key}/{','.join(order)}" for key, order in rows)))


def _together(prepared: list) -> None:
    from django.db import connections

    start = threading.Barrier(N)

    def consent(client, address: str, data: dict) -> None:
        start.wait()
        client.post(address, data)
        connections.close_all()

    threads = [threading.Thread(target=consent, args=arguments) for arguments in prepared]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _unlock(stack: contextlib.ExitStack) -> None:
    from django.db import connection

    from studyplatform.participation.services import assignment, progress

    all_have_read = threading.Barrier(N)
    counts = assignment.slot_counts

    def held_back(*arguments):
        found = counts(*arguments)
        all_have_read.wait()
        return found

    stack.enter_context(mock.patch.object(assignment, "slot_counts", held_back))
    stack.enter_context(mock.patch.object(assignment, "version_lock", return_value=None))
    if connection.vendor == "sqlite":  # where the transaction itself is the lock
        stack.enter_context(
            mock.patch.object(progress.transaction, "atomic", return_value=contextlib.nullcontext())
        )


if __name__ == "__main__":
    main()

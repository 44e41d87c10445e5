"""`forget_second_step`: for somebody who has lost both the app and the recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from studyplatform.operations.accounts import second_step_forget


class Command(BaseCommand):
    help = (
        "Let a person sign in with the password alone, and throw the recovery codes away. Make "
        "sure first that it is them who ask. Example: python manage.py forget_second_step ada"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name they sign in with")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        try:
            forgotten = second_step_forget(name=name)
        except User.DoesNotExist as error:
            raise CommandError(f"There is no account {name!r}.") from error
        if not forgotten:
            raise CommandError(f"{name} signs in with the password alone already.")
        self.stdout.write(f"{name} signs in with the password alone until they set it up anew.")

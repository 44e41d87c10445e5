"""`add_member`: let a person sign in at the console."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from studyplatform.operations.accounts import member_add
from studyplatform.studies.models import Membership


class Command(BaseCommand):
    help = (
        "Give a person a role in a team; a new person gets an account, whose password is printed "
        "once. Example: python manage.py add_member ada --team Lab --role researcher"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name to sign in with")
        parser.add_argument("--team", required=True, help="made if new")
        parser.add_argument("--role", choices=Membership.Role.values, default="researcher")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            UnicodeUsernameValidator()(options["name"])
        except ValidationError as error:
            raise CommandError(f"{options['name']!r} is no name to sign in with.") from error
        password = member_add(name=options["name"], team=options["team"], role=options["role"])
        self.stdout.write(f"{options['name']} is {options['role']} in {options['team']}.")
        if password:
            self.stdout.write(f"Password: {password}")

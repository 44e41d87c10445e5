"""`add_member`: let a person sign in at the console."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Field

from studyplatform.operations.accounts import member_add
from studyplatform.studies.models import Membership, Team


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
        _check(User._meta.get_field("username"), options["name"], "name to sign in with")
        _check(Team._meta.get_field("name"), options["team"], "name of a team")
        password = member_add(name=options["name"], team=options["team"], role=options["role"])
        self.stdout.write(f"{options['name']} is {options['role']} in {options['team']}.")
        if password:
            self.stdout.write(f"Password: {password}")


def _check(field: "Field[Any, Any]", value: str, what: str) -> None:
    """Raise CommandError where the field would not take the value on every database."""
    try:
        field.run_validators(value)
    except ValidationError as error:
        raise CommandError(f"{value!r} is no {what}: {' '.join(error.messages)}") from error
    if not value.strip() or not value.isprintable():
        raise CommandError(f"{value!r} is no {what}; expected printable characters.")

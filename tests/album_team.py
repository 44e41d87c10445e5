"""Pages of the album around the people of a study: teams, accounts, the print-out, the pilot."""

from datetime import timedelta
from typing import Any

PASSWORD = "album-of-pages"


def team(album: Any, page: Any, server: str, version: Any, scheme: str) -> None:
    """Shoot them; what they change is put back, so that both colour schemes see the same."""

    def shoot(name: str, **how: Any) -> None:
        album.shoot(page, f"console-{scheme}-{name}", **how)

    page.goto(f"{server}/console/teams/")
    shoot("teams")
    page.get_by_role("link", name=version.study.team.name).click()
    page.get_by_label("Name to sign in with").fill(f"ada-{scheme}")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("Remove…").last.click()
    shoot("team")
    link = page.locator("input[id^=welcome-]").last.input_value()
    _second_step(page, server, shoot)

    study = f"{server}/console/studies/{version.study.slug}"
    page.goto(f"{study}/pages/")
    shoot("pages")
    _pilots(version)
    page.goto(f"{study}/pilot/?fee=33.3")
    shoot("pilot")
    if scheme == "light":
        page.goto(link)
        shoot("welcome")
        _print_out(album, page, f"{study}/pages/{version.conditions.last().key}/")


def _second_step(page: Any, server: str, shoot: Any) -> None:
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
    from django.utils import timezone

    page.goto(f"{server}/accounts/second-step/")
    shoot("account")
    page.get_by_role("link", name="Set it up").click()
    if page.get_by_label("Password").count():
        shoot("is-it-you")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    shoot("second-step")
    now = int(timezone.now().timestamp() // 30)
    code = format_hotp_value(hotp_value(page.get_by_label("Secret").input_value(), now))
    page.get_by_label("Authenticator code").fill(code)
    page.get_by_role("button", name="Switch it on").click()
    shoot("recovery-codes")
    page.get_by_role("link", name="Done").click()
    shoot("account-with-second-step")
    page.goto(f"{server}/accounts/password/")
    shoot("password")
    Authenticator.objects.all().delete()


def _pilots(version: Any) -> None:
    """Four who completed and one who left, the first time this is asked for."""
    from django.utils import timezone

    from studyplatform.participation.models import Reward, Session

    if Session.objects.filter(source=Session.Source.PILOT).exists():
        return
    begun = timezone.now() - timedelta(hours=3)
    for number, minutes in enumerate((24, 41, 43, 58, None)):
        done = minutes is not None
        session = Session.objects.create(
            study=version.study,
            version=version,
            source=Session.Source.PILOT,
            status=Session.Status.COMPLETED if done else Session.Status.ACTIVE,
            item="exit" if done else "task/2",
            condition=version.conditions.first(),
            cookie_sha256=f"album-{number}",
            seed=number,
            consented_at=begun,
            completed_at=begun + timedelta(minutes=minutes) if done else None,
            last_seen_at=begun,
        )
        Session.objects.filter(pk=session.pk).update(arrived_at=begun)
        if done:
            Reward.objects.create(
                session=session, currency="GBP", base=8, bonus=number, n_correct=2 * number
            )


def _print_out(album: Any, page: Any, address: str) -> None:
    """The document on the screen, and its sheets one by one as they are printed."""
    page.goto(address)
    album.shoot(page, "print-out", whole=False)
    page.emulate_media(media="print")
    for name in ("information", "consent-missing", "task-1", "exit", "notices", "everywhere"):
        page.locator(f"#{name}").screenshot(path=album.folder / f"print-out-{name}.png")
    page.emulate_media(media="screen")

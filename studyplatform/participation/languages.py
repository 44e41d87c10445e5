"""Which of a study's languages a participant reads."""

from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

from studyplatform.studies.spec import Spec

PARAMETER = "lang"


def choose(spec: Spec, request: HttpRequest) -> str:
    """Return the language of the link, else the browser's first that the study has, else its own.

    A link with a language the study does not have is taken as one without: whoever follows it can
    do nothing about it.
    """
    asked = request.GET.get(PARAMETER, "").lower()
    preferred = parse_accept_lang_header(request.headers.get("Accept-Language", "").lower())
    for name in (asked, *(name for name, _ in preferred)):
        language = name.partition("-")[0]  # de-AT reads de
        if language in spec.languages:
            return language
    return spec.language

"""What no page of the site should have to deal with."""

import codecs
import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.shortcuts import render
from django.utils import translation

GetResponse = Callable[[HttpRequest], HttpResponse]


class PlainRequests:
    """Refuses bodies in other encodings than UTF-8, and bodies larger than any form of the site.

    Django decodes a body as the client says: UTF-7 smuggles in characters that no database and no
    export can hold, and some names are no text encodings at all.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "utf-8")
        try:
            is_plain = codecs.lookup(charset).name == "utf-8"
        except (LookupError, ValueError):
            is_plain = False
        if not is_plain:
            request.encoding = "utf-8"
            return render(request, "400.html", status=400)
        length = request.META.get("CONTENT_LENGTH") or "0"
        largest, page = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, "413.html"
        if re.fullmatch(settings.UPLOAD_ADDRESS, request.path_info):  # who may send is asked there
            largest, page = settings.UPLOAD_MAX_SIZE, "console/too_large.html"
        if not length.isdecimal() or int(length) > largest:
            return render(request, page, {"largest": largest}, status=413)
        return self.get_response(request)


class PageLanguage(LocaleMiddleware):
    """Participants' pages speak the browser's language, where no study has chosen one yet.

    All others are in English, whatever the browser asks for: half a page in another language, from
    the frameworks that are translated, would be worse.
    """

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith("/s/"):
            super().process_request(request)
        else:
            translation.activate("en")
            request.LANGUAGE_CODE = "en"

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        translation.deactivate()  # nothing is left to what this thread does next
        return response

"""Pictures and overlays, served under names that tell nothing of what they show."""

from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

from . import media


@require_safe
def picture(request: HttpRequest, sha256: str) -> FileResponse:
    """Serve one display file; what a name holds never changes, so it may be kept for ever."""
    try:
        file = media.display_path(sha256).open("rb")
    except FileNotFoundError:
        raise Http404("no such picture") from None
    response = FileResponse(file, content_type="image/webp")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response

"""Addresses of this room: pictures, named by their content."""

from django.urls import URLPattern, URLResolver, re_path

from . import views

app_name = "stimuli"
urlpatterns: list[URLPattern | URLResolver] = [
    # The pattern admits nothing but a hash, so no address leaves the folder.
    re_path(r"^(?P<sha256>[0-9a-f]{64})\.webp$", views.picture, name="picture"),
]

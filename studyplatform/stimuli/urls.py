"""Addresses of this room."""

from django.urls import URLPattern, URLResolver

app_name = "stimuli"
urlpatterns: list[URLPattern | URLResolver] = []

"""Addresses of this room."""

from django.urls import URLPattern, URLResolver, path

from . import views

app_name = "operations"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.landing, name="landing"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]

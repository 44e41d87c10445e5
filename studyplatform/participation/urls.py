"""Addresses of this room: the entry, one page per item, and reports of problems."""

from django.urls import URLPattern, URLResolver, path

from . import views

app_name = "participation"
urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/", views.enter, name="enter"),
    path("<slug:slug>/problem/", views.problem, name="problem"),
    path("<slug:slug>/<path:key>/", views.page, name="page"),
]

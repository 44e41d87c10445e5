"""Addresses of this room."""

from django.urls import URLPattern, URLResolver, path, re_path

from . import views

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.study_index, name="studies"),
    path("studies/<slug:slug>/", views.study_detail, name="study"),
    path("studies/<slug:slug>/preview/<slug:key>/", views.preview, name="preview"),
    path("studies/<slug:slug>/rendering/", views.rendering_part, name="rendering"),
    path("studies/<slug:slug>/counts/", views.counts_part, name="counts"),
    path("studies/<slug:slug>/export/", views.export, name="export"),
    path("studies/<slug:slug>/publish/", views.publish, name="publish"),
    path("studies/<slug:slug>/retry/", views.retry, name="retry"),
    path("studies/<slug:slug>/report/", views.report_part, name="report-part"),
    path("studies/<slug:slug>/reports/", views.report_request, name="report-request"),
    path("studies/<slug:slug>/reports/<int:run_id>/", views.report, name="report"),
    re_path(
        r"^studies/(?P<slug>[a-z0-9-]+)/(?P<verb>pause|resume|close)/$", views.move, name="move"
    ),
]

"""Addresses of this room."""

from django.urls import URLPattern, URLResolver, path, re_path

from . import views

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.study_index, name="studies"),
    path("<slug:slug>/", views.study_detail, name="study"),
    path("<slug:slug>/preview/<slug:key>/", views.preview, name="preview"),
    path("<slug:slug>/rendering/", views.rendering_part, name="rendering"),
    path("<slug:slug>/counts/", views.counts_part, name="counts"),
    path("<slug:slug>/export/", views.export, name="export"),
    path("<slug:slug>/publish/", views.publish, name="publish"),
    path("<slug:slug>/retry/", views.retry, name="retry"),
    path("<slug:slug>/report/", views.report_part, name="report-part"),
    path("<slug:slug>/reports/", views.report_request, name="report-request"),
    path("<slug:slug>/reports/<int:run_id>/", views.report, name="report"),
    re_path(r"^(?P<slug>[a-z0-9-]+)/(?P<verb>pause|resume|close)/$", views.move, name="move"),
]

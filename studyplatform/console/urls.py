"""Addresses of this room."""

from django.urls import URLPattern, URLResolver, path, re_path

from .views import (
    classifiers,
    data,
    design,
    faithfulness,
    images,
    jobs,
    pages,
    pilot,
    study,
    tasks,
    team,
    versions,
)

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", study.study_index, name="studies"),
    path("new/", design.study_new, name="study-new"),
    path("studies/<slug:slug>/", study.study_detail, name="study"),
    path("studies/<slug:slug>/design/", design.design, name="design"),
    path("studies/<slug:slug>/design/part/", design.design_part, name="design-part"),
    path("studies/<slug:slug>/prepare/", design.prepare, name="prepare"),
    path("studies/<slug:slug>/versions/", versions.version_index, name="versions"),
    path(
        "studies/<slug:slug>/versions/compare/", versions.version_compare, name="versions-compare"
    ),
    path("studies/<slug:slug>/amend/", versions.amend, name="amend"),
    path("studies/<slug:slug>/discard/", versions.discard, name="discard"),
    path("studies/<slug:slug>/preview/<slug:key>/", study.preview, name="preview"),
    path("studies/<slug:slug>/tasks/", tasks.tasks, name="tasks"),
    path("studies/<slug:slug>/tasks/<int:number>/", tasks.task, name="task"),
    path("studies/<slug:slug>/tasks/<int:number>/swap/", tasks.swap, name="task-swap"),
    path("studies/<slug:slug>/tasks/threshold/", tasks.threshold, name="task-threshold"),
    path("studies/<slug:slug>/tasks/again/", tasks.again, name="tasks-again"),
    path("studies/<slug:slug>/lint/", tasks.lint, name="lint"),
    path("studies/<slug:slug>/lint/reason/", tasks.lint_reason, name="lint-reason"),
    path("studies/<slug:slug>/lint/withdraw/", tasks.lint_withdraw, name="lint-withdraw"),
    path("studies/<slug:slug>/pages/", pages.index, name="pages"),
    path("studies/<slug:slug>/pages/<slug:key>/", pages.document, name="pages-print"),
    path("studies/<slug:slug>/pilot/", pilot.pilot, name="pilot"),
    path("studies/<slug:slug>/rendering/", study.rendering_part, name="rendering"),
    path("studies/<slug:slug>/counts/", study.counts_part, name="counts"),
    path("studies/<slug:slug>/faithfulness/", faithfulness.faithfulness, name="faithfulness"),
    path(
        "studies/<slug:slug>/faithfulness/measure/",
        faithfulness.measure,
        name="faithfulness-measure",
    ),
    path("studies/<slug:slug>/export/", data.export, name="export"),
    path("studies/<slug:slug>/publish/", study.publish, name="publish"),
    path("studies/<slug:slug>/retry/", study.retry, name="retry"),
    path("studies/<slug:slug>/report/", data.report_part, name="report-part"),
    path("studies/<slug:slug>/reports/", data.report_request, name="report-request"),
    path("studies/<slug:slug>/reports/<int:run_id>/", data.report, name="report"),
    path("images/", images.image_index, name="images"),
    path("images/<int:image_set_id>/", images.image_detail, name="image-set"),
    path("teams/<int:team_id>/images/import/", images.image_import, name="image-import"),
    path("classifiers/", classifiers.classifier_index, name="classifiers"),
    path("classifiers/<int:classifier_id>/", classifiers.classifier_detail, name="classifier"),
    path("teams/<int:team_id>/classifiers/train/", classifiers.train, name="classifier-train"),
    path(
        "teams/<int:team_id>/classifiers/register/",
        classifiers.register,
        name="classifier-register",
    ),
    path("teams/", team.team_index, name="teams"),
    path("teams/<int:team_id>/", team.team_detail, name="team"),
    path("teams/<int:team_id>/add/", team.add, name="member-add"),
    path("teams/<int:team_id>/invite/", team.invite, name="member-invite"),
    path("teams/<int:team_id>/<int:member_id>/role/", team.change_role, name="member-role"),
    path("teams/<int:team_id>/<int:member_id>/remove/", team.remove, name="member-remove"),
    path("jobs/<int:job_id>/", jobs.part, name="job"),
    path("jobs/<int:job_id>/cancel/", jobs.cancel, name="job-cancel"),
    path("jobs/<int:job_id>/retry/", jobs.retry, name="job-retry"),
    re_path(
        r"^studies/(?P<slug>[a-z0-9-]+)/(?P<verb>pause|resume|close)/$", study.move, name="move"
    ),
]

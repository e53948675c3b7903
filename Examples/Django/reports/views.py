import secrets

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.shortcuts import get_object_or_404, redirect, render

from s3file_client import Problem, S3File, enqueue, pairs

from .forms import ReportForm
from .models import Report

s3file = S3File(settings.S3FILE_URL, settings.S3FILE_API_KEY)


def owner(request):
    """Whose uploads they are: an app with accounts has `str(request.user.pk)` here."""
    return request.session.setdefault("owner", secrets.token_hex(16))


def new(request):
    """The form, and what becomes of it."""
    form = ReportForm(request.POST or None)
    posted = None
    if request.method == "POST":
        posted = pairs(request.POST, ["report"])
        try:
            [file] = s3file.verify(posted, ["report"], owner(request))
        except Problem as problem:
            form.add_error(None, problem.detail)
            posted = None
        else:
            if form.is_valid():
                try:
                    with transaction.atomic():
                        upload, key = enqueue(connection, file)
                        report = Report.objects.create(
                            owner=owner(request),
                            title=form.cleaned_data["title"],
                            upload=upload,
                            key=key,
                            filename=file["filename"],
                        )
                    return redirect("show", report.pk)
                except IntegrityError:
                    # All of it was rolled back: no report, and no upload either.
                    form.add_error("title", "You have a report of this title already.")
    # The file that a form brought is kept when something else was wrong with it.
    field = s3file.input("report", owner(request), form=posted, id="report")
    response = render(request, "reports/new.html", {"form": form, "input": field}, status=422 if form.errors else 200)
    response["Content-Security-Policy"] = policy(field["uploadOrigin"])
    # The page has a ticket of one person.
    response["Cache-Control"] = "no-cache, private"
    return response


def show(request, pk):
    """A report and how far its file is."""
    report = get_object_or_404(Report, pk=pk, owner=owner(request))
    upload = s3file.uploads([report.upload]).get(str(report.upload))
    response = render(request, "reports/show.html", {"report": report, "upload": upload})
    response["Content-Security-Policy"] = policy("")
    return response


def policy(storage):
    """Nothing inline, and nothing from elsewhere but the bytes that go to the storage."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
        f"connect-src 'self' {storage}"
    )

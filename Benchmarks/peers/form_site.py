"""A Django site with django-s3file, for gunicorn: / stores a form's file and its row, /middleware does neither, /optimized as / in S3."""
import os

import django
from django.conf import settings

storage = {
    "bucket_name": os.environ["S3FILE_BUCKET"], "endpoint_url": os.environ["AWS_ENDPOINT_URL_S3"], "region_name": "us-east-1",
    "access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    "signature_version": "s3v4", "addressing_style": "path",
}
settings.configure(
    SECRET_KEY=os.environ["DJANGO_SECRET_KEY"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["s3file"],
    MIDDLEWARE=["s3file.middleware.S3FileMiddleware"],
    STORAGES={
        "default": {"BACKEND": "storages.backends.s3boto3.S3Boto3Storage", "OPTIONS": storage},
        "optimized": {"BACKEND": "s3file.storages_optimized.S3OptimizedUploadStorage", "OPTIONS": storage},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": "form_peer", "USER": os.environ["PGUSER"],
            "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"],
            # A connection of its own for each thread, kept.
            "CONN_MAX_AGE": None,
        }
    },
    USE_TZ=True,
)
django.setup()

from django import forms  # noqa: E402
from django.core.files.storage import storages  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect  # noqa: E402
from django.urls import path  # noqa: E402


class Photo(models.Model):
    title = models.CharField(max_length=200)
    photo = models.FileField(upload_to="photos/%Y/")

    class Meta:
        app_label = "form_site"


class OptimizedPhoto(models.Model):
    title = models.CharField(max_length=200)
    photo = models.FileField(upload_to="photos/%Y/", storage=storages["optimized"])

    class Meta:
        app_label = "form_site"


def view_of(model):
    form_class = forms.modelform_factory(model, fields=["title", "photo"])

    def view(request):
        form = form_class(request.POST, request.FILES)
        if not form.is_valid():
            return HttpResponse(form.errors.as_text(), status=422)
        form.save()
        return HttpResponseRedirect("/")

    return view


def middleware_alone(request):
    if len(request.FILES.getlist("photo")) != 1:
        return HttpResponse("no file", status=422)
    return HttpResponseRedirect("/")


def make_tables():
    with connection.schema_editor() as editor:
        known = connection.introspection.table_names()
        for model in (Photo, OptimizedPhoto):
            if model._meta.db_table not in known:
                editor.create_model(model)


urlpatterns = [
    path("", view_of(Photo)),
    path("optimized", view_of(OptimizedPhoto)),
    path("middleware", middleware_alone),
    path("health", lambda request: HttpResponse("ok")),
]
application = get_wsgi_application()

"""A Django site with django-s3file as it comes from PyPI: one form with one file field, and the script of S3File instead of its own.

GET draws the form; POST answers what the handler got.
"""
import hashlib
import os
import urllib.request
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["s3file"],
    MIDDLEWARE=["s3file.middleware.S3FileMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    STORAGES={
        "default": {"BACKEND": "storages.backends.s3boto3.S3Boto3Storage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
    STATIC_URL="/static/",
    AWS_STORAGE_BUCKET_NAME=os.environ["BUCKET"],
    AWS_S3_ENDPOINT_URL=os.environ["ENDPOINT"],
    AWS_ACCESS_KEY_ID=os.environ["ACCESS_KEY"],
    AWS_SECRET_ACCESS_KEY=os.environ["SECRET_ACCESS_KEY"],
    AWS_S3_SIGNATURE_VERSION="s3v4",
    AWS_S3_ADDRESSING_STYLE="path",
    AWS_S3_REGION_NAME="us-east-1",
)
django.setup()

from django import forms  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


class DocumentForm(forms.Form):
    documents = forms.FileField(required=False, widget=forms.ClearableFileInput)


def view(request):
    if request.method != "POST":
        script = '<script type="module" src="/s3file/s3file.js"></script>'
        return HttpResponse(f'{script}<form method="post">{DocumentForm()}<button>Send</button></form>')
    form = DocumentForm(request.POST, request.FILES)
    form.is_valid()
    file = form.cleaned_data.get("documents")
    if not file:
        return HttpResponse("nothing", status=422)
    data = file.read()
    return HttpResponse(f"{file.name} {len(data)} {hashlib.sha256(data).hexdigest()}")


def script(request, name):
    """The script, from an app that serves it."""
    with urllib.request.urlopen(os.environ["SCRIPTS"] + name) as answer:
        return HttpResponse(answer.read(), content_type="text/javascript")


urlpatterns = [path("", view), path("s3file/<str:name>", script)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class Server(ThreadingMixIn, WSGIServer):
    """Browsers open connections ahead, and send nothing on them for a while."""

    daemon_threads = True


with make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet) as server:
    print(f"Django is ready: http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
